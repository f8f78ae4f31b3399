//! Who drives a socket, who does when that one leaves, and when the next thing happens by itself.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::{Outside, State};
use crate::reactor::lease::Leave;
use crate::reactor::{Next, TickRate};

impl<O: Outside> State<O> {
    /// Whether callers wait in the poller rather than on their own.
    pub(in crate::socket) fn drives(&self) -> bool {
        self.network > 0
    }

    /// Nobody drives, and a caller may.
    pub(in crate::socket) fn needs_driver(&self) -> bool {
        self.drives() && self.lease.is_free() && !self.lease.is_owned()
    }

    /// Makes a sleeping driver look, or the worker, if there is something to do that only it does.
    pub(in crate::socket) fn interrupt(&mut self) {
        if self.lease.interrupt() || (self.lease.is_owned() && self.needs_turn()) {
            self.pipes.effects().notify = true;
        }
    }

    /// A caller gives the lease back. `came`: it has got what it waited for, and most likely comes again at once. Otherwise
    /// the next event is the worker's.
    pub(in crate::socket) fn leave_lease(&mut self, came: bool) {
        let urgent = self.owes() || (!came && !self.lease.is_programs());
        match self.lease.leave(urgent) {
            Leave::Nothing => {}
            Leave::Arm => self.pipes.effects().worker.arm = true,
            Leave::Report => self.pipes.effects().worker.report = true,
        }
        self.show_readiness();
        self.tell_deadline();
        self.wake_turn_waiters();
        self.wake_closer();
    }

    /// Something has to go on even if no caller comes: a connection that is being made or ended, bytes that the kernel did not
    /// take.
    fn owes(&self) -> bool {
        self.in_transition > 0 || self.pipes.write_blocked > 0
    }

    /// The worker gives the lease back.
    pub(in crate::socket) fn leave_worker(&mut self) {
        let arm = if self.lease.is_programs() {
            self.lease.leave(self.owes()) == Leave::Arm
        } else {
            self.lease.leave_armed()
        };
        if arm {
            self.pipes.effects().worker.arm = true;
        }
        self.wake_turn_waiters();
        self.wake_closer();
    }

    /// The pattern may have set its clock: whoever drives, or the worker, has to look at it in time.
    #[inline]
    pub(super) fn follow_deadline(&mut self) {
        let Some(deadline) = self.pattern_deadline() else { return };
        if self.lease.is_free() {
            if self.known_deadline.is_none_or(|known| deadline < known) {
                self.tell_deadline();
            }
        } else if self.sleeps_until.is_none_or(|until| deadline < until) {
            self.interrupt();
        }
    }

    /// Lets the worker know of a deadline that is earlier than what it knows.
    #[inline]
    pub(in crate::socket) fn tell_deadline(&mut self) {
        if let Some(next) = self.next_deadline()
            && self.known_deadline.is_none_or(|known| next < known)
        {
            self.known_deadline = Some(next);
            self.pipes.effects().worker.deadline = Some(next);
        }
    }

    /// When the pattern wants to look at the clock.
    #[inline]
    pub(in crate::socket) fn pattern_deadline(&self) -> Option<Instant> {
        if self.keeps_time { self.pattern.deadline() } else { None }
    }

    /// The next time something has to happen by itself.
    #[inline]
    pub(in crate::socket) fn next_deadline(&self) -> Option<Instant> {
        match (self.io_deadline, self.pattern_deadline()) {
            (Some(io), Some(pattern)) => Some(io.min(pattern)),
            (one, other) => one.or(other),
        }
    }

    /// Tells the pattern that its time has come, if it has. Most patterns never ask for the time.
    pub(in crate::socket) fn expire(&mut self, now: impl FnOnce() -> Instant) {
        let Some(deadline) = self.pattern_deadline() else { return };
        let now = now();
        if deadline <= now {
            self.pattern.expire(&mut self.pipes, now);
            self.after_pattern_call(now);
            self.notify_waiters();
        }
    }

    /// Threads that wait for turns to end, or for the lease.
    pub(in crate::socket) fn wake_turn_waiters(&mut self) {
        if !self.turn_waiters.is_empty() {
            let waiters = std::mem::take(&mut self.turn_waiters);
            self.pipes.effects().wakes.extend(waiters);
        }
    }

    /// If callers sleep while nobody drives, one of them has to.
    pub(in crate::socket) fn wake_next_driver(&mut self) {
        if !self.waiters.is_empty() && !self.lease.is_owned() {
            self.waiters.wake_first(&mut self.pipes.effects().wakes);
        }
    }

    /// The worker is told everything it has to know in one answer.
    pub(in crate::socket) fn next(&mut self, pace: Option<TickRate>) -> Next {
        self.known_deadline = self.next_deadline();
        Next { pace, deadline: self.known_deadline }
    }

    /// The calling thread stops waiting: whoever waits still must not miss what it leaves.
    #[inline]
    pub(in crate::socket) fn hand_over_driver(&mut self) {
        self.wake_ready();
        if self.needs_driver() && !self.waiters.is_empty() {
            self.waiters.wake_first(&mut self.pipes.effects().wakes);
        }
        if self.is_closing() {
            self.wake_closer();
        }
    }
}
