//! What the system's error numbers mean: those of Win32 and WinSock. An errno is C's number of the same thing.

use std::ffi::{CStr, c_char, c_int};
use std::io;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY,
    ERROR_PIPE_NOT_CONNECTED, ERROR_TOO_MANY_OPEN_FILES,
};
use windows_sys::Win32::Networking::WinSock::{
    WSAECONNABORTED, WSAECONNREFUSED, WSAECONNRESET, WSAEHOSTDOWN, WSAEHOSTUNREACH, WSAEINPROGRESS, WSAEINTR,
    WSAEMFILE, WSAENETDOWN, WSAENETRESET, WSAENETUNREACH, WSAENOBUFS, WSAETIMEDOUT, WSAEWOULDBLOCK,
};

use super::numbers;

/// Whether a failed accept tells of a peer that is gone already: the next one can be taken at once.
pub(crate) fn concerns_only_the_peer(error: &io::Error) -> bool {
    const OF_PIPES: [u32; 3] = [ERROR_NO_DATA, ERROR_BROKEN_PIPE, ERROR_PIPE_NOT_CONNECTED];
    error.raw_os_error().is_some_and(|code| {
        OF_PIPES.contains(&(code as u32))
            || [
                WSAECONNABORTED,
                WSAECONNRESET,
                WSAEINTR,
                WSAENETDOWN,
                WSAENETRESET,
                WSAEHOSTDOWN,
                WSAEHOSTUNREACH,
                WSAENETUNREACH,
            ]
            .contains(&code)
    })
}

/// Whether a failed accept tells that the machine has run out of something.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    const OF_FILES: [u32; 3] = [ERROR_TOO_MANY_OPEN_FILES, ERROR_NOT_ENOUGH_MEMORY, ERROR_NO_SYSTEM_RESOURCES];
    error
        .raw_os_error()
        .is_some_and(|code| [WSAEMFILE, WSAENOBUFS].contains(&code) || OF_FILES.contains(&(code as u32)))
}

/// Whether a connect has only begun: the stream is writable once it has succeeded or failed.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAEWOULDBLOCK | WSAEINPROGRESS))
}

/// The peer has ended the connection without order.
pub(crate) fn reset() -> io::Error {
    io::Error::from_raw_os_error(WSAECONNRESET)
}

/// There is no such host.
pub(crate) fn unreachable() -> io::Error {
    io::Error::from_raw_os_error(WSAEHOSTUNREACH)
}

/// Nobody listens there.
pub(crate) fn refused() -> io::Error {
    io::Error::from_raw_os_error(WSAECONNREFUSED)
}

/// The number of an error of the system's. `None`: it is std's own.
pub(crate) fn errno_of(error: &io::Error) -> Option<i32> {
    error.raw_os_error().map(numbers::errno)
}

/// The error of an errno.
pub(crate) fn error_of(number: i32) -> io::Error {
    match numbers::error(number) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::other(text_of(number)),
    }
}

/// An errno in words.
pub(crate) fn text_of(number: i32) -> String {
    // SAFETY: the text ends with a NUL, and is copied before the thread's next call.
    unsafe { CStr::from_ptr(c_text_of(number)) }.to_string_lossy().into_owned()
}

/// The same for C: it is not the caller's to free, and may change with the next call.
pub(crate) fn c_text_of(number: c_int) -> *const c_char {
    match numbers::words(number) {
        Some(words) => words.as_ptr(),
        // SAFETY: takes any number.
        None => unsafe { libc::strerror(number) },
    }
}

/// Where the C runtime that this library is linked to keeps the calling thread's errno.
#[inline]
pub(crate) fn errno_place() -> *mut c_int {
    unsafe extern "C" {
        // Not in the libc crate.
        safe fn _errno() -> *mut c_int;
    }
    _errno()
}

/// It is there, and not for you.
#[cfg(tls)]
pub(crate) fn no_permission() -> io::Error {
    io::Error::from_raw_os_error(ERROR_ACCESS_DENIED as i32)
}

/// Nobody has answered in time.
pub(crate) fn timed_out() -> io::Error {
    io::Error::from_raw_os_error(WSAETIMEDOUT)
}

/// No descriptor is left.
pub(crate) fn exhausted() -> io::Error {
    io::Error::from_raw_os_error(WSAEMFILE)
}
