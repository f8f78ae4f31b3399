//! std's condition variable on Linux (`sys/sync/condvar/futex.rs` there), spelled out as the lock is.

use std::time::Instant;

use super::MutexGuard;
use super::atomic::{AtomicU32, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Condvar {
    /// Notifications.
    count: AtomicU32,
}

impl Condvar {
    pub(crate) fn notify_all(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.count.wake_all();
    }

    /// A deadline is never reached here: one that has passed is seen before.
    pub(crate) fn wait_until<'a, T>(&self, guard: MutexGuard<'a, T>, _deadline: Option<Instant>) -> MutexGuard<'a, T> {
        let (count, mutex) = (self.count.load(Ordering::Relaxed), guard.mutex());
        drop(guard);
        self.count.wait_while(count);
        mutex.lock()
    }
}
