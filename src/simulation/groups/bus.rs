//! BUS: each gets what the others have sent, nothing of its own, once and in order.

use std::sync::Arc;

use super::{Caller, Cell, Manner, pause, receive};
use crate::error::Error;
use crate::pattern::BUS;
use crate::simulation::{book, calls};
use crate::sys::simulated::{Rng, fail};

pub(super) fn make(index: u16, threads: usize, steps: u64, rng: &mut Rng) -> (Arc<Cell>, Vec<Caller>) {
    let cell = Cell::new("bus", index, false, rng);
    let count = (threads / 2).max(1) + 1;
    let handles: Vec<i32> = (0..count).map(|_| cell.socket(false, BUS, rng)).collect();
    for (at, handle) in handles.iter().enumerate() {
        cell.bind(*handle, at as u16);
        for other in 0..at {
            let _ = calls::connect(*handle, &cell.address(other as u16));
        }
    }
    let mut callers = Vec::new();
    cell.visited(BUS, rng.below(count as u64) as u16, &mut callers, rng);
    let names: Vec<u32> = handles.iter().map(|_| cell.party()).collect();
    for (at, (&handle, &name)) in handles.iter().zip(&names).enumerate() {
        // Some only listen.
        if at < threads / 2 {
            let own = Arc::clone(&cell);
            callers.push(Caller {
                name: format!("say-{name}"),
                active: true,
                work: Box::new(move |rng| {
                    for number in 0..(steps / 2) as u32 {
                        own.book().sends(name, number);
                        let length = 12 + rng.below(300) as usize;
                        match calls::send(handle, &book::message(name, number, length), rng.per_mille(300)) {
                            Ok(_) => own.book().accepted(name, number),
                            Err(Error::BadSocket) => return,
                            Err(error) if calls::is_passing(error) => {}
                            // One that waits for its slow peers, by NN_OVERFLOW.
                            Err(Error::WouldBlock | Error::TimedOut) if calls::waits(handle) => {}
                            Err(error) => fail(&format!("a bus refuses a message: {error:?}")),
                        }
                        pause(rng);
                    }
                }),
            });
        }
        let (own, manner) = (Arc::clone(&cell), Manner::draw(rng));
        callers.push(Caller {
            name: format!("bus-{name}"),
            active: false,
            work: Box::new(move |rng| {
                receive(&[handle], manner, rng, |_, bytes, _| {
                    let (sender, number) = book::read(bytes);
                    if sender == name {
                        fail(&format!("bus {name} got message {number} of its own"));
                    }
                    own.book().got(name, sender, number, !own.has_lost());
                });
            }),
        });
    }
    (cell, callers)
}
