//! The end of a socket: callers are sent away, what was accepted is delivered, everything is given back.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Socket, State, StateGuard};
use crate::error::{Error, Result};
use crate::panics::{self, FailPoint};
use crate::pipe::PipeId;
use crate::sys::{self, Parker, current_parker};

/// The calling thread closes the socket. If it panics, another one may.
struct Claim<'a>(&'a Socket);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        panics::in_destructor(|| self.0.with(|state| state.life = state.life.closed(None)));
    }
}

impl Socket {
    /// Closes the socket: wakes its callers, writes what was accepted for at most NN_LINGER from `since` on, and frees
    /// everything.
    pub(crate) fn close(&self, since: Instant) -> Result<()> {
        let _whole = sys::CancelGuard::new();
        if let Some(monitor) = self.close_unheard(since)? {
            let _ = monitor.close(sys::now());
        }
        Ok(())
    }

    /// The same, but for the publisher of its events, if it has one: a caller that closes several sockets gives all their
    /// watchers the same time to take the last ones.
    pub(super) fn close_unheard(&self, since: Instant) -> Result<Option<Arc<Self>>> {
        let _whole = sys::CancelGuard::new();
        let mut held = self.lock();
        if held.life.closed_since().is_some() {
            return held.finish(|_| Err(Error::BadSocket));
        }
        held.life = held.life.closed(Some(since));
        held.release();
        let claim = Claim(self);
        let mut held = self.lock();
        let state = &mut *held;
        state.waiters.wake_all(&mut state.pipes.effects().wakes);
        state.interrupt();
        state.pipes.flush_gathered(None);
        held = self.wait_alone(held);

        if held.is_broken() {
            held.give_up(sys::now());
            if let Some(reactor) = self.reactor.get() {
                *reactor.io.lock() = super::io::Io::default();
            }
        } else {
            held = self.end_all(held);
        }
        if let Some(reactor) = self.reactor.get() {
            reactor.registration.forget(&reactor.poller);
        }
        std::mem::forget(claim);
        held.release();
        self.events.close();
        Ok(self.end_monitor())
    }

    /// Removes all endpoints, and turns until their connections have ended.
    fn end_all<'a>(&'a self, mut held: StateGuard<'a>) -> StateGuard<'a> {
        let endpoints: Vec<i32> = held.endpoints.keys().copied().collect();
        for endpoint in endpoints {
            // Present: the list was just made, under the same lock.
            let _ = held.remove_endpoint(sys::now(), endpoint);
        }
        let Some(reactor) = self.reactor.get() else { return held };
        let taken = held.lease.take_to_end();
        debug_assert!(taken, "nobody else is inside");
        let (presence, mut held) = held.begin_call(true);
        panics::fail_point(FailPoint::Close);
        loop {
            let turned;
            (held, turned) = self.turn(held, Some(Duration::ZERO));
            if turned == Err(Error::BadSocket) || (!held.needs_turn() && reactor.io.lock().is_empty()) {
                break;
            }
            // A wait for room on a connection that has just ended is an order, too: nothing would end a wait behind it.
            if !held.needs_turn() {
                (held, _) = self.turn(held, None);
            }
        }
        presence.end(&mut held);
        held
    }

    /// Waits until no other thread is between two holds of the lock and nobody drives.
    fn wait_alone<'a>(&'a self, mut held: StateGuard<'a>) -> StateGuard<'a> {
        let parker = current_parker();
        loop {
            parker.prepare();
            held.closer = Some(Arc::clone(&parker));
            // Letting the lock go does what was noted so far; it may need the lease for it.
            held = held.carry_out();
            if held.active_calls == 0 && held.lease.is_free() {
                held.closer = None;
                return held;
            }
            held.release();
            sleep(&parker);
            held = self.lock();
        }
    }

    /// At the end of the process: writes what was accepted, without disturbing callers that are still blocked.
    pub(crate) fn finish(&self, since: Instant) {
        let Some(state) = self.state.try_lock_for(Duration::from_millis(100)) else { return };
        let mut held = self.held(state);
        if held.is_closing() || self.reactor.get().is_none() {
            return held.release();
        }
        let give_up = held.options.linger().map(|linger| since + linger);
        held.pipes.flush_gathered(None);
        held = held.carry_out();
        let mut pause = Duration::from_micros(200);
        loop {
            let ids = held.pipes.ids();
            let waiting = ids.iter().any(|&id| owes(&mut held, id));
            if !waiting || held.is_closing() || give_up.is_some_and(|at| at <= sys::now()) {
                return held.release();
            }
            if held.lease.take_to_end() {
                let presence;
                (presence, held) = held.begin_call(true);
                (held, _) = self.turn(held, Some(pause));
                presence.end(&mut held);
                held.leave_lease(false);
            }
            held.release();
            sys::nap(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
            held = self.lock();
        }
    }
}

fn sleep(parker: &Parker) {
    parker.park(None);
}

/// Whether bytes that were accepted could be lost by the end of the process: unwritten ones always; on a Unix stream also
/// those the peer has not read yet, if it has left something unread for us.
fn owes(state: &mut State, id: PipeId) -> bool {
    state.pipes.stream(id).is_some_and(|stream| {
        !stream.is_written() || sys::pending_out(stream.channel.stream()).is_some_and(|bytes| bytes > 0)
    })
}
