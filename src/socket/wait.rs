//! Waiting, in one place: a caller that cannot proceed drives the socket itself or, if another thread does that or there
//! is nothing to drive, sleeps until it is woken.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::State;
use super::core::Want;
use super::core::timeout;
use super::spin::{LOOK_OUT, SPIN, Spun, TAKEN};
use super::turn::HEARING_TIME;
use super::{Held, Socket};
use crate::error::{Error, Result};
use crate::panics::{self, Place};
use crate::sys::{self, Parker, Unparked, current_parker};

/// How long a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// Not at all, but what the kernel has is looked at once.
    Once,
    Until(Instant),
    Never,
}

impl Limit {
    /// From an option in milliseconds.
    pub(super) fn of(millis: i32) -> Self {
        timeout(millis).map_or(Self::Never, |limit| Self::Until(sys::now() + limit))
    }

    pub(super) fn remaining(self) -> Option<Duration> {
        match self {
            Self::Once => Some(Duration::ZERO),
            Self::Until(at) => Some(at.saturating_duration_since(sys::now())),
            Self::Never => None,
        }
    }

    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Until(at) if at <= sys::now())
    }

    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Until(at) => Some(at),
            Self::Once | Self::Never => None,
        }
    }
}

impl Socket {
    /// Repeats `attempt` until it says anything but "not now", or the time is over.
    pub(super) fn wait_until<'a>(
        &'a self,
        held: Held<'a>,
        want: Want,
        limit: Limit,
        mut attempt: impl FnMut(&mut State) -> Result<()>,
    ) -> (Held<'a>, Result<()>) {
        let (mut presence, mut held) = held.stay(false);
        let result = loop {
            if held.is_closing() {
                break Err(held.farewell());
            }
            panics::possible_at(Place::Wait);
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
            if presence.leads || (held.drives() && held.lease.take()) {
                presence.leads = true;
                let waited;
                (held, waited) = self.turn(held, limit.remaining());
                ended = waited.err();
            } else if limit == Limit::Once {
                if held.lease.is_workers() && !held.lease.is_owned() {
                    // It may be on its way to us with what we look for.
                    held = self.wait_for_turns(held, sys::now() + HEARING_TIME);
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
                break Err(held.farewell());
            }
            match attempt(&mut held) {
                Err(Error::WouldBlock) => {}
                result => break result,
            }
            if let Some(error) = ended {
                break Err(error);
            }
            match limit {
                Limit::Once => break Err(Error::WouldBlock),
                Limit::Until(at) if sys::now() >= at => break Err(Error::TimedOut),
                _ => {}
            }
        };
        let leads = presence.leads;
        presence.end(&mut held);
        if leads {
            held.leave_lease(result.is_ok());
        }
        held.pass_on();
        (held, result)
    }

    /// Tells whether it is done, and whether that was no waste of the processor's time.
    fn spin(&self, parker: &Parker, done: impl Fn() -> bool) -> (bool, bool) {
        let many_cpus = self.library.has_many_cpus();
        parker.spin(LOOK_OUT, if many_cpus { TAKEN } else { SPIN }, many_cpus, done)
    }

    /// Sleeps until woken, for a caller that does not drive.
    fn park<'a>(&'a self, mut held: Held<'a>, want: Want, deadline: Option<Instant>) -> (Held<'a>, Unparked) {
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
