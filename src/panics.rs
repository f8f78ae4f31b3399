//! What becomes of a panic. It is a mistake of this library: C programs are told in one line on stderr, and it ends nothing
//! but the call it happened in. What it leaves of a socket is the affair of `socket/call_guard.rs`.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;
use std::thread;

use crate::sys;

/// Runs `body`, and answers `None` if it panics.
#[inline]
pub(crate) fn contain<T>(body: impl FnOnce() -> T) -> Option<T> {
    INSIDE.with(|inside| {
        let outer = inside.replace(true);
        // AssertUnwindSafe: the engine's locks do not poison, and a socket that was at work is broken off on the way.
        let ended = panic::catch_unwind(AssertUnwindSafe(body));
        inside.set(outer);
        ended.ok()
    })
}

/// Runs what a destructor does. In a thread that unwinds a panic that left the destructor would end the process: there
/// this one goes no further, either.
pub(crate) fn in_destructor(body: impl FnOnce()) {
    if thread::panicking() {
        contain(body);
    } else {
        body();
    }
}

thread_local! {
    /// True while this thread is inside `contain`. A panic outside of it is none of ours.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// From now on a panic inside of [`contain`] is told in one line. For C programs: there the hook is this library's own. A Rust
/// program's hook is the program's, which hears of these panics as of all others.
#[inline]
pub(crate) fn report_in_one_line() {
    static ONCE: Once = Once::new();
    // The hook cannot be changed by a thread that panics, as a Rust program's may do that closes its sockets late.
    if ONCE.is_completed() || thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| if INSIDE.get() { report(info) } else { others(info) }));
    });
}

fn report(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let words = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref().map(String::as_str));
    let words = words.unwrap_or("panic").replace(char::is_control, " ");
    let line = match info.location() {
        Some(place) => format!("nanomsg: internal error at {}:{}: {words}\n", place.file(), place.line()),
        None => format!("nanomsg: internal error: {words}\n"),
    };
    sys::tell(line.as_bytes());
}

/// Where a test can have this library panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code, reason = "only tests tell them apart"))]
pub(crate) enum FailPoint {
    /// Any function of C's.
    Entry,
    /// With a handle that has no socket yet.
    Open,
    /// Under a socket's lock.
    Send,
    Receive,
    Note,
    /// Between two holds of it.
    RunEffects,
    WriteThrough,
    Flush,
    Wait,
    Poll,
    Close,
    /// With the lease.
    Turn,
    /// In the worker: for one socket, or for none.
    Work,
    EventLoop,
    /// In a thread of the resolver.
    LookUp,
}

/// Panics here if a test says so. Nothing of it is in the library as it is built.
#[inline]
pub(crate) fn fail_point(_place: FailPoint) {
    #[cfg(test)]
    injected::at(_place);
}

/// Panics at places of choice, one after the other, for the whole process: a test that uses it is run in a process of its
/// own.
#[cfg(test)]
pub(crate) mod injected {
    use std::collections::VecDeque;

    use crate::sys::Mutex;

    use super::FailPoint;

    static NEXT: Mutex<VecDeque<FailPoint>> = Mutex::new(VecDeque::new());

    pub(crate) fn arm(place: FailPoint) {
        arm_all(&[place]);
    }

    pub(crate) fn arm_all(places: &[FailPoint]) {
        *NEXT.lock() = places.iter().copied().collect();
    }

    /// Whether any is still to come.
    pub(crate) fn is_armed() -> bool {
        !NEXT.lock().is_empty()
    }

    pub(super) fn at(place: FailPoint) {
        let mut next = NEXT.lock();
        if next.front() == Some(&place) {
            next.pop_front();
            drop(next);
            panic!("injected at {place:?}");
        }
    }
}
