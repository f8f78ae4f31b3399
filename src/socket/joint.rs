//! Two sockets driven by one thread with one wait: what a device does all day.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use super::state::State;
use super::turn::{begin_turn, wait_failed};
use super::wait::Limit;
use crate::error::{Error, Result};
use crate::sys::{Events, JointSet};

/// Two sockets, both of whose leases are ours.
pub(super) struct Joint {
    sockets: [Arc<Socket>; 2],
    set: Arc<JointSet>,
    events: Events,
}

impl Joint {
    /// Takes both sockets. `None`: one of them has no descriptors, is closing, or somebody else drives it.
    pub(super) fn of(first: &Arc<Socket>, second: &Arc<Socket>) -> Option<Self> {
        if Arc::ptr_eq(first, second) || first.reactor.get().is_none() || second.reactor.get().is_none() {
            return None;
        }
        let set = JointSet::new().ok()?;
        if !take(first) {
            return None;
        }
        if !take(second) {
            leave(first);
            return None;
        }
        // Made now: dropping it gives both back.
        let joint = Self { sockets: [Arc::clone(first), Arc::clone(second)], set, events: Events::default() };
        joint.gather().then_some(joint)
    }

    /// Puts everything both sockets watch into one set.
    fn gather(&self) -> bool {
        self.sockets.iter().zip([false, true]).all(|(socket, second)| {
            let Some(reactor) = socket.reactor.get() else { return false };
            let io = reactor.io.lock();
            reactor.poller.join(&self.set, second).is_ok() && io.repeat(&reactor.poller).is_ok()
        })
    }

    /// One turn of both sockets, which `look` sees before and after it; it waits only if that finds neither ready. `BadSocket`: one of them is closing; they have to
    /// be let go.
    pub(super) fn turn(&mut self, mut look: impl FnMut(&Arc<Socket>, &State) -> bool, limit: Limit) -> Result<()> {
        let [first, second] = &self.sockets;
        let (Some(one), Some(two)) = (first.reactor.get(), second.reactor.get()) else { return Err(Error::BadSocket) };
        let mut begun = [first, second].map(|socket| {
            let mut held = socket.lock();
            if !held.pipes.gathered.is_empty() {
                // Nothing that was gathered waits while its sender does.
                held.pipes.flush_gathered(None);
                drop(held);
                held = socket.lock();
            }
            if held.closing {
                return None;
            }
            // Looked at under the same lock under which we are taken for asleep: what comes later interrupts.
            let ready = look(socket, &held);
            Some(begin_turn(held, if ready { Some(Duration::ZERO) } else { limit.remaining() }))
        });
        let [Some((orders, timeout)), Some((others, other))] = &mut begun else { return Err(Error::BadSocket) };
        let timeout = [*timeout, *other].into_iter().flatten().min();
        let (mut io, mut other_io) = (one.io.lock(), two.io.lock());
        io.obey(first, &one.poller, std::mem::take(orders));
        other_io.obey(second, &two.poller, std::mem::take(others));
        let waited = self.set.wait([&one.poller, &two.poller], &mut self.events, timeout);
        if waited.is_err() {
            self.events = Events::default();
        }
        io.serve(first, &one.poller, self.events.of(false));
        other_io.serve(second, &two.poller, self.events.of(true));
        let mut end = |socket: &Arc<Socket>, io| {
            let held = socket.end_turn(io);
            look(socket, &held);
            held.closing
        };
        let closing = end(first, io) | end(second, other_io);
        match waited {
            Err(error) => Err(wait_failed(&error)),
            Ok(()) if closing => Err(Error::BadSocket),
            Ok(()) => Ok(()),
        }
    }
}

impl Drop for Joint {
    fn drop(&mut self) {
        for socket in &self.sockets {
            if let Some(reactor) = socket.reactor.get() {
                reactor.poller.part();
            }
            leave(socket);
        }
    }
}

fn take(socket: &Socket) -> bool {
    let mut held = socket.lock();
    let taken = !held.closing && held.drives() && held.lease.take();
    held.inside += usize::from(taken);
    taken
}

fn leave(socket: &Socket) {
    let mut held = socket.lock();
    held.inside -= 1;
    held.leave_lease();
    held.pass_on();
}
