//! std's lock on Linux (`sys/sync/mutex/futex.rs` there), spelled out. loom's own would order more than a lock has to, and
//! hide a missing fence: it tells at once whether it is taken, and this one may tell what was true a moment ago.

use std::ops::{Deref, DerefMut};
use std::sync;

use super::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// Taken, and others may sleep.
const CONTENDED: u32 = 2;

#[derive(Debug, Default)]
pub(crate) struct Mutex<T> {
    word: AtomicU32,
    /// Never contended.
    value: sync::Mutex<T>,
}

#[must_use]
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// Present until the drop.
    value: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { word: AtomicU32::default(), value: sync::Mutex::new(value) }
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        // In loom the exchange sees the latest value even when it fails. A processor's that fails is no more than this load.
        let free = self.word.load(Ordering::Relaxed) == FREE
            && self.word.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok();
        free.then(|| self.guard())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        if let Some(guard) = self.try_lock() {
            return guard;
        }
        while self.word.swap(CONTENDED, Ordering::Acquire) != FREE {
            self.word.wait_while(CONTENDED);
        }
        self.guard()
    }

    fn guard(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, value: Some(self.value.try_lock().expect("the word keeps others out")) }
    }
}

impl<'a, T> MutexGuard<'a, T> {
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("present until the drop")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("present until the drop")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        let word = &self.mutex.word;
        if word.swap(FREE, Ordering::Release) == CONTENDED {
            word.wake_one();
        }
    }
}
