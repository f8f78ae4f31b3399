//! How a simulated thread sleeps until another one wakes it.
#![forbid(unsafe_code)]

use super::super::Unparked;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::history::NONE;
use super::scheduler::{Ended, Wait, elapsed, nanos, point, wait, with, yield_now};

/// One thread's bed. Wakeups are not counted: any number of them before a sleep makes that sleep return at once.
#[derive(Debug, Default)]
pub(crate) struct Parker {
    woken: AtomicBool,
}

impl Parker {
    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// Forgets earlier wakeups, and says whether there was one.
    pub(crate) fn prepare(&self) -> bool {
        point(1);
        self.woken.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::SeqCst)
    }

    /// Looks again and again for at most `limit`, or until `done`. Tells whether it is done, and whether others had the
    /// processor for less than `taken`.
    pub(crate) fn spin(
        &self,
        limit: Duration,
        taken: Duration,
        many_cpus: bool,
        done: impl Fn() -> bool,
    ) -> (bool, bool) {
        let start = elapsed();
        let mut last = start;
        loop {
            yield_now();
            let (done, now) = (done(), elapsed());
            let in_time = now - last < taken;
            last = now;
            if done || !in_time || !many_cpus || now - start >= limit {
                return (done, in_time);
            }
        }
    }

    /// Sleeps until woken, until `deadline`, or until a signal handler has run.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> Unparked {
        point(5);
        if self.woken.swap(false, Ordering::SeqCst) {
            return Unparked::Woken;
        }
        with(|world| world.note("parks", [NONE; 3]));
        let ended = wait(Wait::Park(self.address()), deadline.map(nanos));
        let woken = self.woken.swap(false, Ordering::SeqCst);
        let outcome = match ended {
            _ if woken => Unparked::Woken,
            Ended::Ready => Unparked::Woken,
            Ended::TimedOut => Unparked::TimedOut,
            Ended::Interrupted => Unparked::Interrupted,
        };
        with(|world| world.note("unparks", [outcome as i64, NONE, NONE]));
        outcome
    }

    /// Wakes the owner, now or when it next wants to sleep.
    pub(crate) fn wake(&self) {
        self.woken.store(true, Ordering::SeqCst);
        let address = self.address();
        with(|world| {
            world.note("wakes", [NONE; 3]);
            world.signal(|wait| matches!(wait, Wait::Park(at) | Wait::Set(_, at) if at == address));
        });
        point(5);
    }
}
