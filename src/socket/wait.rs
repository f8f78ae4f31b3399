//! Waiting, in one place: a caller that cannot proceed drives the socket itself or, if another thread does that or there
//! is nothing to drive, sleeps until it is woken.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::State;
use super::core::WaitFor;
use super::core::timeout;
use super::spin::{PREEMPTED, SPIN_LIMIT, Spun, YIELD_LIMIT};
use super::turn::READ_INTERVAL;
use super::{Socket, StateGuard};
use crate::error::{Error, Result};
use crate::panics::{self, FailPoint};
use crate::sys::{self, Parker, Unparked, current_parker};

/// How long a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timeout {
    /// Not at all, but what the kernel has is looked at once.
    Poll,
    Until(Instant),
    Infinite,
}

impl Timeout {
    /// From an option in milliseconds.
    pub(super) fn of(millis: i32) -> Self {
        timeout(millis).map_or(Self::Infinite, |limit| Self::Until(sys::now() + limit))
    }

    pub(super) fn remaining(self) -> Option<Duration> {
        match self {
            Self::Poll => Some(Duration::ZERO),
            Self::Until(at) => Some(at.saturating_duration_since(sys::now())),
            Self::Infinite => None,
        }
    }

    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Until(at) if at <= sys::now())
    }

    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Until(at) => Some(at),
            Self::Poll | Self::Infinite => None,
        }
    }
}

impl Socket {
    /// Repeats `attempt` until it says anything but "not now", or the time is over.
    pub(super) fn wait_until<'a>(
        &'a self,
        held: StateGuard<'a>,
        want: WaitFor,
        limit: Timeout,
        mut attempt: impl FnMut(&mut State) -> Result<()>,
    ) -> (StateGuard<'a>, Result<()>) {
        let (mut presence, mut held) = held.begin_call(false);
        let result = loop {
            if held.is_closing() {
                break Err(held.close_error());
            }
            panics::fail_point(FailPoint::Wait);
            // Nothing that was gathered waits while its sender does.
            if !held.pipes.gathered.is_empty() {
                held.pipes.flush_gathered(None);
                held = held.carry_out();
                // While the lock was free the worker may have brought what we wait for.
                match attempt(&mut held) {
                    Err(Error::WouldBlock) => continue,
                    result => break result,
                }
            }
            let ended;
            if presence.is_driver || (held.drives() && held.lease.take()) {
                presence.is_driver = true;
                let waited;
                (held, waited) = self.turn(held, limit.remaining());
                ended = waited.err();
            } else if limit == Timeout::Poll {
                if held.lease.is_workers() && !held.lease.is_owned() {
                    // It may be on its way to us with what we look for.
                    held = self.wait_for_turns(held, sys::now() + READ_INTERVAL);
                }
                // What a neighbour has sent is there, even if the thread that was woken to read the note has not run yet.
                self.take_mail(&mut held);
                held.expire(sys::now);
                ended = None;
            } else {
                let slept;
                (held, slept) = self.park(held, want, limit.deadline());
                ended = (slept == Unparked::Interrupted).then_some(Error::Interrupted);
            }
            if held.is_closing() {
                break Err(held.close_error());
            }
            match attempt(&mut held) {
                Err(Error::WouldBlock) => {}
                result => break result,
            }
            if let Some(error) = ended {
                break Err(error);
            }
            match limit {
                Timeout::Poll => break Err(Error::WouldBlock),
                Timeout::Until(at) if sys::now() >= at => break Err(Error::TimedOut),
                _ => {}
            }
        };
        let is_driver = presence.is_driver;
        presence.end(&mut held);
        if is_driver {
            held.leave_lease(result.is_ok());
        }
        held.hand_over_driver();
        (held, result)
    }

    /// Tells whether it is done, and whether that was no waste of the processor's time.
    fn spin(&self, parker: &Parker, done: impl Fn() -> bool) -> (bool, bool) {
        let many_cpus = self.library.has_many_cpus();
        parker.spin(SPIN_LIMIT, if many_cpus { PREEMPTED } else { YIELD_LIMIT }, many_cpus, done)
    }

    /// Sleeps until woken, for a caller that does not drive.
    fn park<'a>(
        &'a self,
        mut held: StateGuard<'a>,
        want: WaitFor,
        deadline: Option<Instant>,
    ) -> (StateGuard<'a>, Unparked) {
        let parker = current_parker();
        parker.prepare();
        let alone = !held.drives();
        held.waiters.add(&parker, want);
        // There may be nobody else to look at the pattern's clock.
        let deadline = [deadline, held.pattern_deadline()].into_iter().flatten().min();
        let spins = alone && self.spin.lock().is_worth_it();
        held.release();
        let (woken, in_time) = if spins { self.spin(&parker, || parker.is_woken()) } else { (false, true) };
        let outcome = if woken { Unparked::Woken } else { parker.park(deadline) };
        let mut held = self.lock();
        if spins {
            self.spin.lock().learn(Spun::of(woken, in_time));
        }
        held.waiters.remove(&parker);
        held.expire(sys::now);
        (held, outcome)
    }
}
