//! Locks and what waits under them: std's, each of which is a futex of its own.
//!
//! Locks that park their threads in a table of the whole process have locks of their own there. A thread of the parent may
//! hold one of those while the process forks, and whoever has to wait in the child would wait for it for ever.
#![forbid(unsafe_code)]

use std::sync::{self, PoisonError, TryLockError};
use std::time::{Duration, Instant};

pub(crate) use std::sync::MutexGuard;

/// Does not poison: what a panic leaves behind is told by the socket itself.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

/// Looks at a lock before its waiter sleeps: the first ones after 2, 4, 8 spins, the others after the processor was given
/// away. As many as parking_lot takes.
const SPINS: u32 = 3;
const YIELDS: u32 = 10;

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        match self.try_lock() {
            Some(guard) => guard,
            None => self.lock_contended(),
        }
    }

    /// A lock here is held for a fraction of a microsecond, which sleeping costs several of. Without this four threads that
    /// send through one socket get on at two thirds of the speed.
    #[cold]
    fn lock_contended(&self) -> MutexGuard<'_, T> {
        for round in 0..YIELDS {
            if round < SPINS {
                (0..2 << round).for_each(|_| std::hint::spin_loop());
            } else {
                std::thread::yield_now();
            }
            if let Some(guard) = self.try_lock() {
                return guard;
            }
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Looks again and again: for the end of a process, where nothing is in a hurry.
    pub(crate) fn try_lock_for(&self, patience: Duration) -> Option<MutexGuard<'_, T>> {
        let until = Instant::now() + patience;
        loop {
            let guard = self.try_lock();
            if guard.is_some() || Instant::now() >= until {
                return guard;
            }
            super::nap(Duration::from_millis(1));
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// At most until `deadline` (`None`: no limit).
    #[cfg(portable_sys)]
    pub(crate) fn wait_until<'a, T>(&self, guard: MutexGuard<'a, T>, deadline: Option<Instant>) -> MutexGuard<'a, T> {
        let Some(deadline) = deadline else { return self.wait(guard) };
        let time = deadline.saturating_duration_since(Instant::now());
        self.0.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_poisons_nothing() {
        let lock = Mutex::new(1);
        let ended = std::thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _held = lock.lock();
                std::panic::resume_unwind(Box::new(()));
            });
            holder.join()
        });
        assert!(ended.is_err());
        assert_eq!(*lock.lock(), 1);
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn patience_ends() {
        let lock = Mutex::new(());
        let held = lock.lock();
        assert!(lock.try_lock().is_none() && lock.try_lock_for(Duration::from_millis(5)).is_none());
        drop(held);
        assert!(lock.try_lock_for(Duration::ZERO).is_some());
    }
}
