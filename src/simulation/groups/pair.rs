//! PAIR: both directions at once, each in order and without loss.

use std::sync::Arc;

use super::{Caller, Cell, Manner, deliver, length, pause, receive};
use crate::pattern::PAIR;
use crate::simulation::{book, calls};
use crate::sys::simulated::Rng;

pub(super) fn make(index: u16, threads: usize, steps: u64, rng: &mut Rng) -> (Arc<Cell>, Vec<Caller>) {
    let cell = Cell::new("pair", index, true, rng);
    let ends = [cell.socket(false, PAIR, rng), cell.socket(false, PAIR, rng)];
    cell.star(ends[0], &ends[1..], 0, rng);
    let mut callers = Vec::new();
    cell.visited(PAIR, 0, &mut callers, rng);
    // Both directions take four threads.
    let directions: &[usize] = if threads >= 4 { &[0, 1] } else { &[0] };
    for &from in directions {
        let (near, far) = (ends[from], ends[1 - from]);
        calls::set(near, 0, calls::SEND_TIMEOUT, rng.one_of(&[-1, -1, 5]));
        calls::set(far, 0, calls::RECV_TIMEOUT, rng.one_of(&[-1, -1, 5]));
        let (sender, receiver) = (cell.party(), cell.party());
        let (own, count) = (Arc::clone(&cell), (steps / directions.len() as u64) as u32);
        callers.push(Caller {
            name: format!("talk-{sender}"),
            active: true,
            work: Box::new(move |rng| {
                let manner = Manner::draw(rng);
                let large = rng.per_mille(500);
                for number in 0..count {
                    let length = if large { length(rng) } else { 12 + rng.below(50) as usize };
                    own.book().sends(sender, number);
                    if !deliver(near, &book::message(sender, number, length), manner, rng) {
                        return;
                    }
                    own.book().accepted(sender, number);
                    pause(rng);
                }
            }),
        });
        let (own, manner) = (Arc::clone(&cell), Manner::draw(rng));
        callers.push(Caller {
            name: format!("hear-{receiver}"),
            active: false,
            work: Box::new(move |rng| {
                receive(&[far], manner, rng, |_, bytes, _| {
                    let (sender, number) = book::read(bytes);
                    let ordered = !own.has_lost();
                    own.book().got(receiver, sender, number, ordered);
                });
            }),
        });
    }
    (cell, callers)
}
