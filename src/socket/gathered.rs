//! What a thread has sent and not written yet, on whichever sockets. It is written before the thread looks for something to
//! receive: the answer may depend on it.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use super::Socket;

thread_local! {
    /// Sockets on which this thread has left gathered output. Another one may have written it since.
    static SOCKETS: RefCell<Vec<Weak<Socket>>> = const { RefCell::new(Vec::new()) };
}

/// The calling thread leaves gathered output on this socket.
pub(super) fn note(socket: &Socket) {
    // A thread that is ending leaves it to the worker.
    let _ = SOCKETS.try_with(|sockets| {
        let mut sockets = sockets.borrow_mut();
        if !sockets.iter().any(|known| known.ptr_eq(&socket.me)) {
            sockets.push(Weak::clone(&socket.me));
        }
    });
}

/// Whether the calling thread has left any.
#[inline]
pub(super) fn is_left() -> bool {
    SOCKETS.try_with(|sockets| !sockets.borrow().is_empty()).unwrap_or(false)
}

/// Writes it. For use when no lock is held.
#[cold]
pub(super) fn write() {
    let sockets = SOCKETS.try_with(RefCell::take).unwrap_or_default();
    let sockets: Vec<Arc<Socket>> = sockets.iter().filter_map(Weak::upgrade).collect();
    for socket in sockets {
        socket.with(|state| {
            if !state.is_closing() {
                state.pipes.flush_gathered(None);
            }
        });
    }
}
