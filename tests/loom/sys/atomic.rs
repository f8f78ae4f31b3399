//! loom's atomics, and the futex that the kernel makes of a word.

use std::ops::Deref;

use loom::sync::{Condvar, Mutex, atomic};

pub(crate) use loom::sync::atomic::{AtomicBool, Ordering, fence};

#[derive(Debug, Default)]
pub(crate) struct AtomicU32 {
    word: atomic::AtomicU32,
    /// The kernel's lock of the list of its sleepers, and that list.
    queue: Mutex<()>,
    sleepers: Condvar,
}

impl Deref for AtomicU32 {
    type Target = atomic::AtomicU32;

    fn deref(&self) -> &Self::Target {
        &self.word
    }
}

impl AtomicU32 {
    /// FUTEX_WAIT.
    pub(crate) fn wait_while(&self, expected: u32) {
        let queue = self.queue.lock().unwrap();
        if self.word.load(Ordering::Relaxed) == expected {
            drop(self.sleepers.wait(queue).unwrap());
        }
    }

    /// FUTEX_WAKE, of one.
    pub(crate) fn wake_one(&self) {
        drop(self.queue.lock().unwrap());
        self.sleepers.notify_one();
    }

    /// FUTEX_WAKE, of all.
    pub(crate) fn wake_all(&self) {
        drop(self.queue.lock().unwrap());
        self.sleepers.notify_all();
    }
}
