//! How a thread sleeps until another one wakes it: a futex, because only that is both quick and ended by signals.
#![forbid(unsafe_code)]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::super::Unparked;
use super::Readiness;
use super::futex::{self, cpu};
use crate::sys::atomic::{AtomicU32, Ordering};

/// One thread's bed. Wakeups are not counted: any number of them before a sleep makes that sleep return at once.
#[derive(Debug, Default)]
pub(crate) struct Parker {
    state: AtomicU32,
    /// Where the last wakeup came from.
    waker_cpu: AtomicU32,
    /// Only for threads that also wait for descriptors (nn_poll over several sockets).
    event: OnceLock<Readiness>,
}

const AWAKE: u32 = 0;
const WOKEN: u32 = 1;
const ASLEEP: u32 = 2;
const POLLING: u32 = 3;

/// The futex always has a time limit. This one ends a sleep that has none, which looks again and goes on.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

impl Parker {
    /// Forgets earlier wakeups, and says whether there was one. Only by the owner, before it lets others know that it is
    /// about to sleep.
    pub(crate) fn prepare(&self) -> bool {
        self.state.swap(AWAKE, Ordering::AcqRel) == WOKEN
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.state.load(Ordering::Acquire) == WOKEN
    }

    /// Spins for at most `limit`, or until `done`. If the last wakeup came from a thread on this very processor, it is
    /// given the processor instead of being waited for: it cannot run while we spin. With a single processor that is all
    /// there is to do, once. Tells whether it is done, and whether others had the processor for less than `taken`.
    pub(crate) fn spin(
        &self,
        limit: Duration,
        taken: Duration,
        many_cpus: bool,
        done: impl Fn() -> bool,
    ) -> (bool, bool) {
        let start = Instant::now();
        let mut last = start;
        loop {
            if many_cpus && self.waker_cpu.load(Ordering::Relaxed) != cpu() {
                for _ in 0..32 {
                    if done() {
                        return (true, true);
                    }
                    std::hint::spin_loop();
                }
            }
            std::thread::yield_now();
            let (done, now) = (done(), Instant::now());
            let in_time = now.saturating_duration_since(last) < taken;
            last = now;
            if done || !in_time || !many_cpus || now.saturating_duration_since(start) >= limit {
                return (done, in_time);
            }
        }
    }

    /// Sleeps until woken, until `deadline`, or until a signal handler has run.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> Unparked {
        if self.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return Unparked::Woken;
        }
        let mut outcome = loop {
            let limit = match deadline {
                None => LONGEST_SLEEP,
                Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                    None => break Unparked::TimedOut,
                    Some(limit) => limit.min(LONGEST_SLEEP),
                },
            };
            let interrupted = futex::wait(&self.state, ASLEEP, limit);
            if self.is_woken() {
                break Unparked::Woken;
            }
            if interrupted {
                break Unparked::Interrupted;
            }
        };
        if self.state.swap(AWAKE, Ordering::AcqRel) == WOKEN {
            outcome = Unparked::Woken;
        }
        outcome
    }

    /// The descriptor that a wakeup makes readable while the owner is between [`Parker::begin_polling`] and
    /// [`Parker::end_polling`].
    pub(super) fn event(&self) -> std::io::Result<&Readiness> {
        if let Some(event) = self.event.get() {
            return Ok(event);
        }
        let event = Readiness::new()?;
        Ok(self.event.get_or_init(|| event))
    }

    /// Announces a sleep on [`Parker::event`]. `false`: woken already, do not sleep.
    pub(super) fn begin_polling(&self) -> bool {
        self.state.compare_exchange(AWAKE, POLLING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// A wakeup may still be on its way to the descriptor: the owner clears it whenever it finds it readable. One that has
    /// come is kept for [`Parker::prepare`].
    pub(super) fn end_polling(&self) {
        // Woken meanwhile: it stays so.
        let _ = self.state.compare_exchange(POLLING, AWAKE, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Wakes the owner, now or when it next wants to sleep. For use when no lock is held: the owner runs at once.
    pub(crate) fn wake(&self) {
        self.waker_cpu.store(cpu(), Ordering::Relaxed);
        match self.state.swap(WOKEN, Ordering::AcqRel) {
            ASLEEP => {}
            POLLING => {
                if let Some(event) = self.event.get() {
                    event.set();
                }
                return;
            }
            _ => return,
        }
        futex::wake(&self.state);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_wakeup_before_the_sleep_is_not_lost() {
        let parker = Parker::default();
        parker.prepare();
        parker.wake();
        assert_eq!(parker.park(None), Unparked::Woken);
    }

    #[test]
    fn a_deadline_ends_the_sleep() {
        let parker = Parker::default();
        parker.prepare();
        assert_eq!(parker.park(Some(Instant::now())), Unparked::TimedOut);
    }

    #[test]
    fn another_thread_ends_the_sleep() {
        let parker = Arc::new(Parker::default());
        parker.prepare();
        let sleeper = Arc::clone(&parker);
        let thread = std::thread::spawn(move || sleeper.park(None));
        parker.wake();
        assert_eq!(thread.join().unwrap(), Unparked::Woken);
    }
}
