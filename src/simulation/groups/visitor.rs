//! Sockets that come, talk a little and go, beside those that stay.

use std::sync::Arc;
use std::time::Duration;

use super::{Caller, Cell};
use crate::error::Error;
use crate::pattern::{PAIR, PUB, PULL, PUSH, Protocol, REP, REQ, RESPONDENT, SUB, SURVEYOR};
use crate::simulation::{book, calls};
use crate::sys::simulated::{Rng, fail, nap};

/// Milliseconds that a visitor waits for anything.
const WAIT: i32 = 4;

/// A thread that connects sockets of this type, one after the other, to an address of the cell.
pub(super) fn make(cell: &Arc<Cell>, protocol: Protocol, at: u16, rng: &mut Rng) -> Caller {
    let (cell, rounds) = (Arc::clone(cell), 1 + rng.below(5));
    if protocol != PUSH && protocol != SUB {
        // What has come to one that leaves goes with it.
        cell.may_lose();
    }
    Caller {
        name: "visitor".to_owned(),
        active: true,
        work: Box::new(move |rng| {
            for _ in 0..rounds {
                visit(&cell, protocol, at, rng);
                nap(Duration::from_micros(rng.below(3000)));
            }
        }),
    }
}

fn visit(cell: &Cell, protocol: Protocol, at: u16, rng: &mut Rng) {
    let name = cell.party();
    let handle = cell.socket(false, protocol, rng);
    for option in [calls::SEND_TIMEOUT, calls::RECV_TIMEOUT] {
        calls::set(handle, 0, option, WAIT);
    }
    if protocol != PUSH {
        // A pair socket may say something to one that never receives, and must not wait for that.
        let longest = if protocol == PAIR { 20 } else { -1 };
        calls::set(handle, 0, calls::LINGER, rng.one_of(&[0, 10, longest]));
    }
    if protocol == SUB {
        calls::set_bytes(handle, i32::from(SUB), 1, rng.one_of(&[&b""[..], b"a", b"x"]));
    }
    let _ = calls::connect(handle, &cell.address(at));
    for number in 0..1 + rng.below(6) as u32 {
        let asked = match protocol {
            PULL | SUB | REP | RESPONDENT => true,
            _ => say(cell, handle, name, number, rng),
        };
        if !asked || matches!(protocol, PUSH | PUB) {
            continue;
        }
        match calls::recv(handle, rng.per_mille(300), protocol == SURVEYOR) {
            Ok(bytes) => hear(cell, handle, (protocol, name, number), &bytes),
            Err(Error::TimedOut | Error::WouldBlock) => {}
            Err(error) if calls::is_passing(error) => {}
            Err(error) => fail(&format!("a visitor does not receive: {error:?}")),
        }
    }
    cell.closes(handle);
}

fn say(cell: &Cell, handle: i32, name: u32, number: u32, rng: &mut Rng) -> bool {
    cell.book().sends(name, number);
    match calls::send(handle, &book::message(name, number, 12 + rng.below(100) as usize), rng.per_mille(300)) {
        Ok(_) => {
            cell.book().accepted(name, number);
            true
        }
        Err(Error::TimedOut | Error::WouldBlock) => false,
        Err(error) if calls::is_passing(error) => false,
        Err(error) => fail(&format!("a visitor does not send: {error:?}")),
    }
}

fn hear(cell: &Cell, handle: i32, (protocol, name, asked): (Protocol, u32, u32), bytes: &[u8]) {
    let (sender, number) = match protocol {
        SUB => return,
        _ => book::read(bytes),
    };
    let answer = match protocol {
        REQ if (sender, number) != (name, asked) => {
            fail(&format!("request {asked} of {name} got the reply to {number} of {sender}"))
        }
        SURVEYOR if number != asked => fail(&format!("survey {asked} got an answer to {number}")),
        REQ | SURVEYOR => return,
        REP => bytes.to_vec(),
        RESPONDENT => book::message(name, number, 12),
        _ => return cell.book().got(name, sender, number, false),
    };
    match calls::send(handle, &answer, false) {
        Ok(_) | Err(Error::TimedOut | Error::WouldBlock) => {}
        Err(error) if calls::is_passing(error) => {}
        Err(error) => fail(&format!("a visitor does not answer: {error:?}")),
    }
}
