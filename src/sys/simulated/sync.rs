//! Locks: a thread that finds one taken gives the baton away.
#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};
use std::sync::{self, TryLockError};
use std::time::Duration;

use super::scheduler::{Wait, elapsed, nap, point, wait, with};

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

pub(crate) struct MutexGuard<'a, T> {
    lock: &'a Mutex<T>,
    inner: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn take(&self) -> Option<MutexGuard<'_, T>> {
        let inner = match self.0.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        with(|world| world.held.push(self.address()));
        Some(MutexGuard { lock: self, inner: Some(inner) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        point(1);
        loop {
            if let Some(guard) = self.take() {
                return guard;
            }
            wait(Wait::Lock(self.address()), None);
        }
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        point(1);
        self.take()
    }

    pub(crate) fn try_lock_for(&self, patience: Duration) -> Option<MutexGuard<'_, T>> {
        let until = elapsed() + patience;
        loop {
            let guard = self.try_lock();
            if guard.is_some() || elapsed() >= until {
                return guard;
            }
            nap(Duration::from_millis(1));
        }
    }

    /// What it guards, as seen from outside of the run. `None`: a thread holds it.
    pub(crate) fn peek<R>(&self, look: impl FnOnce(&mut T) -> R) -> Option<R> {
        match self.0.try_lock() {
            Ok(mut inner) => Some(look(&mut inner)),
            Err(TryLockError::Poisoned(poisoned)) => Some(look(&mut poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().expect("taken only by drop")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("taken only by drop")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            drop(inner);
            let address = self.lock.address();
            with(|world| world.held.retain(|held| *held != address));
            point(1);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Mutex<()>);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(sync::Mutex::new(()))
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(&self.0).addr()
    }

    pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let lock = guard.lock;
        // Nothing runs between the end of the lock and the begin of the wait.
        if let Some(inner) = guard.inner.take() {
            drop(inner);
            with(|world| world.held.retain(|held| *held != lock.address()));
        }
        drop(guard);
        wait(Wait::Condition(self.address()), None);
        lock.lock()
    }

    pub(crate) fn notify_all(&self) {
        let address = self.address();
        with(|world| world.signal(|wait| wait == Wait::Condition(address)));
        point(1);
    }
}
