//! How a thread sleeps until another one wakes it.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Condvar, Mutex, Unparked};

/// One thread's bed. Wakeups are not counted: any number of them before a sleep makes that sleep return at once.
#[derive(Debug, Default)]
pub(crate) struct Parker {
    parking: Arc<Parking>,
}

/// The part that pollers keep as well.
#[derive(Debug, Default)]
pub(super) struct Parking {
    state: Mutex<Wakeups>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wakeups {
    /// By [`Parker::wake`].
    woken: bool,
    /// By a poller of the owner's set.
    rung: bool,
    asleep: bool,
}

impl Parker {
    /// Forgets earlier wakeups, and says whether there was one. Only by the owner, before it lets others know that it is
    /// about to sleep.
    pub(crate) fn prepare(&self) -> bool {
        std::mem::take(&mut self.parking.state.lock().woken)
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.parking.state.lock().woken
    }

    /// Lets others run, once. Tells whether it is done, and that nothing was lost by it.
    pub(crate) fn spin(
        &self,
        _limit: Duration,
        _taken: Duration,
        _many_cpus: bool,
        done: impl Fn() -> bool,
    ) -> (bool, bool) {
        std::thread::yield_now();
        (done(), true)
    }

    /// Sleeps until woken, or until `deadline`.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> Unparked {
        let woken = self.parking.sleep(deadline, |wakeups| wakeups.woken);
        if woken && self.prepare() { Unparked::Woken } else { Unparked::TimedOut }
    }

    /// Wakes the owner, now or when it next wants to sleep. For use when no lock is held: the owner runs at once.
    pub(crate) fn wake(&self) {
        self.parking.note(|wakeups| &mut wakeups.woken);
    }

    pub(super) fn parking(&self) -> &Arc<Parking> {
        &self.parking
    }
}

impl Parking {
    /// A poller of the owner's set has something. Whoever calls this may hold the hub's lock.
    pub(super) fn ring(&self) {
        self.note(|wakeups| &mut wakeups.rung);
    }

    /// The owner is about to look at its pollers.
    pub(super) fn forget_rings(&self) {
        self.state.lock().rung = false;
    }

    /// Until a poller rings, the parker is woken or the time is over.
    pub(super) fn sleep_for_either(&self, deadline: Option<Instant>) {
        self.sleep(deadline, |wakeups| wakeups.woken || wakeups.rung);
    }

    fn note(&self, which: impl FnOnce(&mut Wakeups) -> &mut bool) {
        let mut state = self.state.lock();
        *which(&mut state) = true;
        let asleep = state.asleep;
        drop(state);
        if asleep {
            self.changed.notify_all();
        }
    }

    /// Whether it was `done` before the deadline.
    fn sleep(&self, deadline: Option<Instant>, done: impl Fn(&Wakeups) -> bool) -> bool {
        let mut state = self.state.lock();
        state.asleep = true;
        while !done(&state) && deadline.is_none_or(|at| Instant::now() < at) {
            state = self.changed.wait_until(state, deadline);
        }
        state.asleep = false;
        done(&state)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_wakeup_before_the_sleep_is_not_lost() {
        let parker = Parker::default();
        parker.prepare();
        parker.wake();
        assert!(parker.is_woken());
        assert_eq!(parker.park(None), Unparked::Woken);
        assert!(!parker.is_woken());
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

    #[test]
    fn a_poller_that_rings_does_not_wake_who_waits_for_none() {
        let parker = Parker::default();
        parker.parking().ring();
        assert_eq!(parker.park(Some(Instant::now() + Duration::from_millis(1))), Unparked::TimedOut);
    }
}
