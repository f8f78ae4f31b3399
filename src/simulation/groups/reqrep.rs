//! REQ and REP: each request is answered, by its own reply; where nothing was lost it has come only once.

use std::sync::Arc;
use std::time::Duration;

use super::{Caller, Cell, Manner, length, pause, receive};
use crate::error::Error;
use crate::pattern::{REP, REQ};
use crate::simulation::{book, calls};
use crate::sys::simulated::{Rng, elapsed, fail, nap, progress};

/// Longer than anything takes that the network does, and less than NN_REQ_RESEND_IVL: a request whose connection is lost is
/// sent again at once, and does not wait for that.
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) fn make(index: u16, threads: usize, steps: u64, rng: &mut Rng) -> (Arc<Cell>, Vec<Caller>) {
    let cell = Cell::new("reqrep", index, true, rng);
    let askers = 1 + rng.below(threads as u64 - 1) as usize;
    let answerers = threads - askers;
    let device = rng.per_mille(250);
    let requests_bind = rng.per_mille(300);
    let mut callers = Vec::new();
    let req_count = if requests_bind && !device { 1 } else { askers };
    let rep_count = if requests_bind || device { answerers } else { 1 };
    let reqs: Vec<i32> = (0..req_count).map(|_| cell.socket(false, REQ, rng)).collect();
    let reps: Vec<i32> = (0..rep_count).map(|_| cell.socket(false, REP, rng)).collect();
    if device {
        callers.push(cell.device((REP, 0), (REQ, 1), rng).0);
        for req in &reqs {
            let _ = calls::connect(*req, &cell.address(0));
        }
        for rep in &reps {
            let _ = calls::connect(*rep, &cell.address(1));
        }
    } else if requests_bind {
        cell.star(reqs[0], &reps, 0, rng);
    } else {
        cell.star(reps[0], &reqs, 0, rng);
    }
    let (visitor, at) = match (device, requests_bind) {
        (true, _) => rng.one_of(&[(REQ, 0), (REP, 1)]),
        (false, true) => (REP, 0),
        (false, false) => (REQ, 0),
    };
    cell.visited(visitor, at, &mut callers, rng);
    // A socket keeps one request: it has one thread.
    for handle in reqs {
        let (own, name) = (Arc::clone(&cell), cell.party());
        let count = (steps / 2 / req_count as u64) as u32;
        let timed = rng.per_mille(200);
        calls::set(handle, 0, calls::RECV_TIMEOUT, if timed { 30 } else { -1 });
        let resent = device || rng.per_mille(200);
        if resent {
            calls::set(handle, i32::from(REQ), 1, 200);
        }
        callers.push(Caller {
            name: format!("ask-{name}"),
            active: true,
            work: Box::new(move |rng| ask(&own, handle, name, count, resent, rng)),
        });
    }
    for handle in reps {
        let (own, name, manner) = (Arc::clone(&cell), cell.party(), Manner::draw(rng));
        callers.push(Caller {
            name: format!("answer-{name}"),
            active: false,
            work: Box::new(move |rng| {
                receive(&[handle], manner, rng, |handle, bytes, rng| {
                    let (sender, number) = book::read(bytes);
                    // What is late is asked again.
                    if !device && !own.has_lost() {
                        own.book().got(name, sender, number, false);
                    }
                    progress();
                    pause(rng);
                    while let Err(error) = calls::send(handle, bytes, rng.per_mille(500)) {
                        match error {
                            Error::BadSocket => return,
                            error if calls::is_passing(error) => {}
                            error => fail(&format!("a reply is refused: {error:?}")),
                        }
                    }
                });
            }),
        });
    }
    (cell, callers)
}

fn ask(cell: &Cell, handle: i32, name: u32, count: u32, resent: bool, rng: &mut Rng) {
    if resent {
        // A request may come twice.
        cell.may_lose();
    }
    for number in 0..count {
        let length = if rng.per_mille(100) { length(rng) } else { 12 };
        cell.book().sends(name, number);
        let start = elapsed();
        match calls::send(handle, &book::message(name, number, length), rng.per_mille(300)) {
            Ok(_) => cell.book().accepted(name, number),
            Err(Error::BadSocket) => return,
            Err(error) if calls::is_passing(error) => continue,
            Err(error) => fail(&format!("a request is refused: {error:?}")),
        }
        if resent && rng.per_mille(50) {
            // It is not waited for, and the next one takes its place. The way may be full of its reply, and the next one is
            // dropped then.
            nap(Duration::from_micros(rng.below(2000)));
            continue;
        }
        loop {
            if rng.per_mille(200) {
                match calls::poll(&[(handle, true, false)], None) {
                    Ok(_) => {}
                    Err(error) if calls::is_passing(error) => continue,
                    Err(Error::BadSocket) => return,
                    Err(error) => fail(&format!("nn_poll: {error:?}")),
                }
            }
            match calls::recv(handle, false, false) {
                Ok(bytes) => {
                    let (sender, reply) = book::read(&bytes);
                    if (sender, reply) != (name, number) {
                        fail(&format!("request {number} of {name} got the reply to {reply} of {sender}"));
                    }
                    progress();
                    break;
                }
                Err(Error::BadSocket) => return,
                Err(Error::TimedOut) => {
                    if resent && rng.per_mille(100) {
                        break;
                    }
                }
                Err(error) if calls::is_passing(error) => {}
                Err(error) => fail(&format!("a reply is not received: {error:?}")),
            }
        }
        let took = elapsed() - start;
        if !resent && took > PATIENCE {
            fail(&format!("request {number} of {name} took {took:?}"));
        }
        pause(rng);
    }
}
