//! Threads at work on a socket between two holds of its lock, and what is left of the socket if one of them panics.
//!
//! Such a socket is *broken off*: nobody knows what state it is in, so nothing of it is used again. Every call fails with
//! `Broken`, those that wait are woken to hear it, and closing gives everything back at once, without lingering.
#![forbid(unsafe_code)]

use std::thread;

use super::State;
use super::{Held, Socket};
use crate::panics;

/// The calling thread is counted as inside. It ends with [`Presence::end`]; dropped otherwise, by a panic, it takes back
/// what the thread had, so that nobody waits for a thread that never leaves.
pub(super) struct Presence<'a> {
    socket: &'a Socket,
    /// The thread has the lease.
    pub leads: bool,
}

impl<'a> Held<'a> {
    /// Counts the calling thread as inside. The lock is handed through so that it is let go before the presence is lost.
    pub(super) fn stay(mut self, leads: bool) -> (Presence<'a>, Self) {
        self.inside += 1;
        (Presence { socket: self.socket, leads }, self)
    }
}

impl Presence<'_> {
    pub(super) fn end(self, state: &mut State) {
        state.inside -= 1;
        std::mem::forget(self);
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        panics::in_destructor(|| {
            self.socket.with(|state| {
                state.inside -= 1;
                if self.leads {
                    state.lease.abandon();
                }
                state.break_off();
            });
        });
    }
}

/// Whether a panic that began after `before` was asked is unwinding this thread. A Rust program may use its sockets while
/// it unwinds from a panic of its own.
pub(super) fn panics_since(before: bool) -> bool {
    !before && thread::panicking()
}
