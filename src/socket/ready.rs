//! Readiness seen from outside: NN_SNDFD and NN_RCVFD.
#![forbid(unsafe_code)]

use crate::sys::Mutex;

use super::core::WaitFor;
use super::{Socket, StateGuard};
use crate::error::{Error, Result};
use crate::sys::{RawSource, Readiness};

/// The event descriptors, once somebody has asked for them. Readable while the condition holds, both of them.
#[derive(Default)]
pub(super) struct EventFds {
    /// Locked before the socket, and never the other way round.
    pair: Mutex<Pair>,
}

#[derive(Default)]
struct Pair {
    send: Option<Shown>,
    recv: Option<Shown>,
}

struct Shown {
    event: Readiness,
    signalled: bool,
}

impl Shown {
    fn show(&mut self, ready: bool) {
        if ready == self.signalled {
            return;
        }
        self.signalled = ready;
        if ready { self.event.set() } else { self.event.clear() }
    }
}

impl EventFds {
    /// Pollers see the end of the socket before the descriptors go.
    pub(super) fn close(&self) {
        let mut pair = self.pair.lock();
        for mut shown in [pair.send.take(), pair.recv.take()].into_iter().flatten() {
            shown.show(true);
        }
    }
}

impl Socket {
    /// The descriptor that shows readiness in one direction; made at the first request.
    pub(super) fn event_fd(&self, held: StateGuard<'_>, want: WaitFor) -> Result<RawSource> {
        let exists = if want == WaitFor::Send { self.sends } else { self.receives };
        // A program that only sends would have to do so in order to drive. The first descriptor decides for both.
        let direct = self.receives && !held.lease.is_owned() && (held.lease.is_programs() || held.options.direct_fd);
        held.release();
        if !exists {
            return Err(Error::NoSuchOption);
        }
        if direct {
            self.ensure_reactor()?;
        }
        let poller = self.reactor.get().filter(|_| direct).map(|reactor| &reactor.poller);
        let mut pair = self.events.pair.lock();
        let slot = if want == WaitFor::Send { &mut pair.send } else { &mut pair.recv };
        let fd = match slot {
            Some(shown) => shown.event.raw(),
            None => {
                let event = match poller.map(Readiness::direct).transpose()?.flatten() {
                    Some(event) => event,
                    None => Readiness::new()?,
                };
                slot.insert(Shown { event, signalled: false }).event.raw()
            }
        };
        let direct = [&pair.send, &pair.recv].into_iter().flatten().any(|shown| shown.event.is_direct());
        drop(pair);
        self.enter()?.finish(|state| {
            state.shows_readiness = true;
            state.pipes.effects().readiness = true;
            let free = state.lease.take();
            match poller {
                // From now on the program does what callers do.
                Some(poller) if direct => {
                    state.lease.give_to_program();
                    poller.disarm();
                }
                // From now on the worker reads whatever comes, and callers take what it has read.
                _ => state.lease.give_to_worker(),
            }
            if free {
                state.leave_lease(false);
            }
        });
        Ok(fd)
    }

    /// Brings the descriptors up to date with the pattern.
    pub(super) fn show_readiness(&self) {
        let mut pair = self.events.pair.lock();
        // Not `lock`: letting that go would bring us here again.
        let state = self.state.lock();
        let (can_send, can_recv) = match () {
            // Whoever waits shall come and be told.
            () if state.is_broken() => (true, true),
            () if state.is_closing() => return,
            () => (state.pattern.can_send(), state.pattern.can_recv()),
        };
        drop(state);
        if let Some(shown) = &mut pair.send {
            shown.show(can_send);
        }
        if let Some(shown) = &mut pair.recv {
            shown.show(can_recv);
        }
    }
}
