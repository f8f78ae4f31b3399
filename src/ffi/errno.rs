//! How a call ends: a [`Result`] becomes C's return value and errno, and so does a panic.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use crate::error::{Error, Result};
use crate::ffi::symbols::{EFSM, ETERM};
use crate::panics::{self, FailPoint};
use crate::sys::{self, CancelGuard};
use crate::transport::tls::Failure;

/// What a call that failed returns; errno says the rest.
pub(super) trait Answer: Sized {
    const FAILED: Self;
}

impl Answer for c_int {
    const FAILED: Self = -1;
}

impl Answer for u64 {
    const FAILED: Self = Self::MAX;
}

impl<T> Answer for *mut T {
    const FAILED: Self = ptr::null_mut();
}

impl<T> Answer for *const T {
    const FAILED: Self = ptr::null();
}

impl Answer for () {
    const FAILED: Self = ();
}

/// Runs the body of an entry point. Nothing unwinds into C: a panic is ENOTRECOVERABLE, an errno that no call has another
/// use for. And no thread is cancelled here: it would unwind through frames that are not made for that, or leave locks.
pub(super) fn guard<A: Answer>(body: impl FnOnce() -> Result<A>) -> A {
    let _whole = CancelGuard::new();
    guard_quick(body)
}

/// The same for what is called for each message. Whatever could be a cancellation point there sees to itself, since it is
/// rare: closing a descriptor (`sys::Stream` and the like), asking for random bytes, joining a thread, accepting and dialling.
#[inline]
pub(super) fn guard_quick<A: Answer>(body: impl FnOnce() -> Result<A>) -> A {
    let place = sys::errno_place();
    // SAFETY: the C library keeps the place valid for as long as the thread runs, and no other thread has it.
    let before = unsafe { *place };
    panics::report_in_one_line();
    let ended = panics::contain(|| {
        panics::fail_point(FailPoint::Entry);
        body()
    });
    let (answer, after) = match ended.unwrap_or(Err(Error::Poisoned)) {
        // The system calls on the way may have failed and been made again: none of the caller's business.
        Ok(answer) => (answer, before),
        Err(error) => (A::FAILED, code(error)),
    };
    // SAFETY: as above.
    unsafe { *place = after };
    answer
}

pub(crate) fn code(error: Error) -> c_int {
    match error {
        Error::Terminated => ETERM,
        Error::WrongState => EFSM,
        error => sys::number_of(error),
    }
}

/// The calling thread's errno.
pub(super) fn get() -> c_int {
    // SAFETY: the C library keeps the place valid for as long as the thread runs.
    unsafe { *sys::errno_place() }
}

pub(super) fn set(code: c_int) {
    // SAFETY: as in `get`; no other thread has this place.
    unsafe { *sys::errno_place() = code };
}

/// Words for an errno: ours for our own two, the C library's for the others.
pub(super) fn text(code: c_int) -> *const c_char {
    const TERMINATED: &CStr = c"Nanomsg library was terminated";
    const WRONG_STATE: &CStr = c"Operation cannot be performed in this state";
    if let Some(failure) = Failure::with_number(code) {
        return failure.c_text().as_ptr();
    }
    match code {
        ETERM => TERMINATED.as_ptr(),
        EFSM => WRONG_STATE.as_ptr(),
        _ => sys::c_text_of(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_minus_one_and_its_errno() {
        for (error, expected) in [
            (Error::BadSocket, libc::EBADF),
            (Error::Terminated, 156_384_765),
            (Error::WrongState, 156_384_766),
            (Error::WouldBlock, libc::EAGAIN),
            (Error::NoPeer, libc::EAGAIN),
            (Error::MessageSize, libc::EMSGSIZE),
            (Error::Os(libc::EADDRNOTAVAIL), libc::EADDRNOTAVAIL),
        ] {
            set(0);
            assert_eq!(guard(|| Err::<c_int, _>(error)), -1);
            assert_eq!(get(), expected);
        }
    }

    #[test]
    fn success_leaves_errno_alone_whatever_came_before_it() {
        set(libc::EDOM);
        let body = || {
            set(libc::EAGAIN);
            Ok(5)
        };
        assert_eq!((guard(body), guard_quick(body)), (5, 5));
        assert_eq!(get(), libc::EDOM);
    }

    #[test]
    fn every_kind_of_answer_has_its_failure() {
        assert_eq!(guard(|| Err::<u64, _>(Error::Invalid)), u64::MAX);
        assert!(guard(|| Err::<*mut u8, _>(Error::Invalid)).is_null());
        assert!(guard(|| Err::<*const u8, _>(Error::Invalid)).is_null());
    }

    #[test]
    fn our_errors_have_our_words() {
        // SAFETY: all of them are strings of this process, read at once.
        let words = |code| unsafe { CStr::from_ptr(text(code)) }.to_str().unwrap().to_owned();
        assert_eq!(words(ETERM), "Nanomsg library was terminated");
        assert_eq!(words(EFSM), "Operation cannot be performed in this state");
        assert!(!words(libc::EINVAL).is_empty());
    }
}
