//! Two sockets driven by one thread with one wait: what a device does all day.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use super::presence::panics_since;
use super::spin::Outlook;
use super::state::State;
use super::turn::{begin_turn, wait_failed};
use super::wait::Limit;
use crate::error::{Error, Result};
use crate::panics::{self, Place};
use crate::sys::{Events, JointSet};

/// Two sockets, both of whose leases are ours.
pub(super) struct Joint {
    sockets: [Arc<Socket>; 2],
    set: Arc<JointSet>,
    events: Events,
    outlook: Outlook,
    /// The thread was unwinding already when it took them.
    unwinding: bool,
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
        let joint = Self {
            sockets: [Arc::clone(first), Arc::clone(second)],
            set,
            events: Events::default(),
            outlook: Outlook::default(),
            unwinding: std::thread::panicking(),
        };
        joint.gather().ok().map(|()| joint)
    }

    /// Moves everything both sockets watch into one set.
    fn gather(&self) -> std::io::Result<()> {
        for (socket, second) in self.sockets.iter().zip([false, true]) {
            if let Some(reactor) = socket.reactor.get() {
                let mut io = reactor.io.lock();
                reactor.poller.join(&self.set, second)?;
                io.move_watches(socket, &reactor.poller);
            }
        }
        Ok(())
    }

    /// One turn of both sockets, each of which `look` sees before it, and after it if anything has happened; it waits only
    /// if that finds neither ready. `BadSocket`: one of them is closing; they have to be let go.
    pub(super) fn turn(&mut self, mut look: impl FnMut(&Arc<Socket>, &State) -> bool, limit: Limit) -> Result<()> {
        let [first, second] = &self.sockets;
        let (Some(one), Some(two)) = (first.reactor.get(), second.reactor.get()) else { return Err(Error::BadSocket) };
        let mut closing = false;
        let mut timeout = limit.remaining();
        let mut orders = [None, None];
        for (socket, orders) in self.sockets.iter().zip(&mut orders) {
            let mut held = socket.lock();
            if !held.pipes.gathered.is_empty() {
                // Nothing that was gathered waits while its sender does.
                held.pipes.flush_gathered(None);
                drop(held);
                held = socket.lock();
            }
            // Looked at under the same lock under which we are taken for asleep: what comes later interrupts.
            if held.closing || look(socket, &held) {
                timeout = Some(Duration::ZERO);
            }
            closing |= held.closing;
            (*orders, timeout) = begin_turn(held, timeout);
        }
        let mut sides =
            [(first, one), (second, two)].map(|(socket, reactor)| (socket, &reactor.poller, reactor.io.lock()));
        let mut busy = [false; 2];
        for (((socket, poller, io), orders), busy) in sides.iter_mut().zip(orders).zip(&mut busy) {
            if let Some(orders) = orders {
                io.obey(socket, poller, orders);
                *busy = true;
            }
        }
        panics::possible_at(Place::Joint);
        let pollers = [&one.poller, &two.poller];
        let many_cpus = first.library.has_many_cpus();
        let Self { set, events, outlook, .. } = self;
        let mut any = || set.wait(pollers, events, Some(Duration::ZERO)).is_ok() && !events.is_empty();
        let found = timeout != Some(Duration::ZERO)
            && (outlook.comes_at_once(&mut any) || outlook.comes_soon(timeout, many_cpus, any));
        let waited = if found { Ok(()) } else { set.wait(pollers, events, timeout) };
        if waited.is_err() {
            self.events = Events::default();
        }
        for (index, (socket, poller, mut io)) in sides.into_iter().enumerate() {
            let second = index == 1;
            // One that nothing has happened to may be taken for asleep until its next turn.
            if busy[index] || io.next_deadline().is_some() || self.events.any_of(second) {
                io.serve(socket, poller, self.events.of(second));
                let held = socket.end_turn(io);
                look(socket, &held);
                closing |= held.closing;
            }
        }
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
            panics::in_destructor(|| {
                if panics_since(self.unwinding) {
                    // In which of the two, nobody knows.
                    socket.lock().break_off(socket);
                }
            });
            panics::in_destructor(|| {
                if let Some(reactor) = socket.reactor.get() {
                    let mut io = reactor.io.lock();
                    reactor.poller.part();
                    io.move_watches(socket, &reactor.poller);
                }
            });
            panics::in_destructor(|| leave(socket));
        }
    }
}

fn take(socket: &Socket) -> bool {
    let mut held = socket.lock();
    let taken = !held.closing && held.drives() && held.lease.take();
    held.inside += usize::from(taken);
    held.joint |= taken;
    taken
}

fn leave(socket: &Socket) {
    let mut held = socket.lock();
    held.inside -= 1;
    held.joint = false;
    held.leave_lease(false);
    held.pass_on();
}
