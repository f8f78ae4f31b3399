//! Threads at work on a socket between two holds of its lock, and what is left of the socket if one of them panics.
//!
//! Such a socket is *broken off*: nobody knows what state it is in, so nothing of it is used again. Every call fails with
//! `Broken`, those that wait are woken to hear it, and closing gives everything back at once, without lingering.
#![forbid(unsafe_code)]

use std::thread;

use super::State;
use super::{Socket, StateGuard};
use crate::panics;

/// The calling thread is counted as inside. It ends with [`CallGuard::end`]; dropped otherwise, by a panic, it takes back
/// what the thread had, so that nobody waits for a thread that never leaves.
pub(super) struct CallGuard<'a> {
    socket: &'a Socket,
    /// The thread has the lease.
    pub is_driver: bool,
}

impl<'a> StateGuard<'a> {
    /// Counts the calling thread as inside. The lock is handed through so that it is let go before the presence is lost.
    pub(super) fn begin_call(mut self, is_driver: bool) -> (CallGuard<'a>, Self) {
        self.active_calls += 1;
        (CallGuard { socket: self.socket, is_driver }, self)
    }
}

impl CallGuard<'_> {
    pub(super) fn end(self, state: &mut State) {
        state.active_calls -= 1;
        std::mem::forget(self);
    }
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        panics::in_destructor(|| {
            self.socket.with(|state| {
                state.active_calls -= 1;
                if self.is_driver {
                    state.lease.abandon();
                }
                state.poison();
            });
        });
    }
}

/// Whether a panic that began after `before` was asked is unwinding this thread. A Rust program may use its sockets while
/// it unwinds from a panic of its own.
pub(super) fn panics_since(before: bool) -> bool {
    !before && thread::panicking()
}
