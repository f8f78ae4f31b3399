//! PUSH and PULL: what was accepted comes once, to one of them, and in order over each connection.

use std::sync::Arc;

use super::{Caller, Cell, Manner, deliver, length, pause, receive};
use crate::pattern::{PULL, PUSH};
use crate::simulation::{book, calls};
use crate::sys::simulated::Rng;

pub(super) fn make(index: u16, threads: usize, steps: u64, rng: &mut Rng) -> (Arc<Cell>, Vec<Caller>) {
    let cell = Cell::new("pipeline", index, true, rng);
    let senders = 1 + rng.below(threads as u64 - 1) as usize;
    let receivers = threads - senders;
    let mut callers = Vec::new();
    // Who binds stands alone.
    let pushes_bind = rng.per_mille(400);
    let device = rng.per_mille(200);
    let push_count = if pushes_bind && !device { 1 } else { senders };
    let pull_count = if pushes_bind || device { receivers } else { 1 };
    let pushes: Vec<i32> = (0..push_count).map(|_| cell.socket(false, PUSH, rng)).collect();
    let pulls: Vec<i32> = (0..pull_count).map(|_| cell.socket(false, PULL, rng)).collect();
    let mut inboxes = pulls.clone();
    if device {
        let (device, ends) = cell.device((PULL, 0), (PUSH, 1), rng);
        inboxes.extend(ends);
        callers.push(device);
        for push in &pushes {
            let _ = calls::connect(*push, &cell.address(0));
        }
        for pull in &pulls {
            let _ = calls::connect(*pull, &cell.address(1));
        }
    } else if pushes_bind {
        cell.star(pushes[0], &pulls, 0, rng);
    } else {
        cell.star(pulls[0], &pushes, 0, rng);
    }
    for handle in &pushes {
        calls::set(*handle, 0, calls::SEND_TIMEOUT, rng.one_of(&[-1, -1, 5, 40]));
    }
    for handle in &pulls {
        calls::set(*handle, 0, calls::RECV_TIMEOUT, rng.one_of(&[-1, -1, 5, 40]));
    }
    let (visitor, at) = match (device, pushes_bind) {
        (true, _) => rng.one_of(&[(PUSH, 0), (PULL, 1)]),
        (false, true) => (PULL, 0),
        (false, false) => (PUSH, 0),
    };
    cell.visited(visitor, at, &mut callers, rng);
    // A receiver alone at its socket sees the order in which its messages came.
    let ordered = !device && receivers == pull_count;
    let moves = !device && rng.per_mille(150);
    let some_leave = push_count == senders && rng.per_mille(300);
    if moves || some_leave {
        // What gone connections have left is bounded, and by little where this is small.
        inboxes.iter().for_each(|handle| calls::set(*handle, 0, calls::RECV_BUFFER, 64_000));
    }
    for at in 0..senders {
        let (cell, handle, sender) = (Arc::clone(&cell), pushes[at % push_count], cell.party());
        let count = steps / senders as u64;
        let leaves = some_leave && rng.per_mille(700);
        let moves = moves && !pushes_bind && push_count == senders;
        callers.push(Caller {
            name: format!("push-{sender}"),
            active: true,
            work: Box::new(move |rng| push(&cell, handle, sender, count as u32, leaves, moves, rng)),
        });
    }
    // One thread may serve all.
    let one = rng.per_mille(250) && pull_count > 1;
    for at in 0..receivers {
        let manner = Manner::draw(rng);
        let handles = match (one, at) {
            (true, 0) => pulls.clone(),
            (true, _) => break,
            (false, _) => vec![pulls[at % pull_count]],
        };
        let cell_ = Arc::clone(&cell);
        let names: Vec<(i32, u32)> = handles.iter().map(|handle| (*handle, cell.party())).collect();
        callers.push(Caller {
            name: format!("pull-{}", names[0].1),
            active: false,
            work: Box::new(move |rng| {
                receive(&handles, manner, rng, |handle, bytes, _| {
                    let (sender, number) = book::read(bytes);
                    let receiver = names.iter().find(|(known, _)| *known == handle).map_or(0, |(_, name)| *name);
                    let ordered = ordered && !moves && !cell_.has_lost();
                    cell_.book().got(receiver, sender, number, ordered);
                });
            }),
        });
    }
    (cell, callers)
}

/// Sends so many messages, and may leave then: what was accepted is delivered all the same.
fn push(cell: &Cell, handle: i32, sender: u32, count: u32, leaves: bool, moves: bool, rng: &mut Rng) {
    let manner = Manner::draw(rng);
    let large = rng.per_mille(300);
    let mut endpoint = 1;
    for number in 0..count {
        let length = if large { length(rng) } else { 12 + rng.below(50) as usize };
        let bytes = book::message(sender, number, length);
        cell.book().sends(sender, number);
        if !deliver(handle, &bytes, manner, rng) {
            return;
        }
        cell.book().accepted(sender, number);
        pause(rng);
        if moves && rng.per_mille(20) {
            // What the old connection has accepted is written behind its back.
            let _ = calls::shutdown(handle, endpoint);
            endpoint = calls::connect(handle, &cell.address(0)).unwrap_or(endpoint);
        }
    }
    if leaves {
        cell.closes(handle);
    }
}
