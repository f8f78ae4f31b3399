//! The parker, and what it asks of the kernel.

use std::cell::Cell;
use std::io;

use loom::sync::{Condvar, Mutex};

#[path = "../../../src/sys/linux/park.rs"]
#[allow(dead_code, reason = "the models do not spin")]
mod park;

pub(crate) use park::Parker;

/// An eventfd.
#[derive(Debug)]
pub(crate) struct Readiness {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Readiness {
    fn new() -> io::Result<Self> {
        Ok(Self { is_set: Mutex::new(false), changed: Condvar::new() })
    }

    pub(super) fn set(&self) {
        *self.is_set.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn clear(&self) {
        *self.is_set.lock().unwrap() = false;
    }

    /// ppoll(2), on this descriptor and on others.
    fn wait(&self, others: impl Fn() -> bool) {
        let mut is_set = self.is_set.lock().unwrap();
        while !*is_set && !others() {
            is_set = self.changed.wait(is_set).unwrap();
        }
    }
}

/// `WaitSet::wait`, with a set of pollers of which one is `ready` or none.
pub(crate) fn poll(parker: &Parker, ready: impl Fn() -> bool) {
    let event = parker.event().unwrap();
    if parker.begin_polling() {
        event.wait(ready);
        parker.end_polling();
    }
    event.clear();
}

/// A poller of the set may be ready now. For use when the lock that `ready` takes is free.
pub(crate) fn changed(parker: &Parker) {
    let event = parker.event().unwrap();
    drop(event.is_set.lock().unwrap());
    event.changed.notify_one();
}

loom::thread_local! {
    /// Signal handlers that run in the thread's next sleeps.
    static SIGNALS: Cell<u32> = Cell::new(0);
}

/// The calling thread's next sleep is ended by a signal handler, if it sleeps.
pub(crate) fn signal() {
    SIGNALS.with(|signals| signals.set(1));
}

mod futex {
    use std::time::Duration;

    use super::super::atomic::AtomicU32;

    pub(super) fn wait(word: &AtomicU32, expected: u32, _longest: Duration) -> bool {
        let interrupted = super::SIGNALS.with(|signals| signals.replace(0) > 0);
        if !interrupted {
            word.wait_while(expected);
        }
        interrupted
    }

    pub(super) fn wake(word: &AtomicU32) {
        word.wake_one();
    }

    /// There is one.
    pub(super) fn cpu() -> u32 {
        0
    }
}
