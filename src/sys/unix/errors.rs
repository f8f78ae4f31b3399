//! What the system's error numbers mean.

use std::ffi::{c_char, c_int};
use std::io;

/// The machine is not on the network: an error of Linux's own.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ENONET: i32 = libc::ENONET;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ENONET: i32 = -1;

/// Whether a failed accept tells of a peer that is gone already (accept(2) passes on errors that are pending on its
/// connection): the next one can be taken at once.
pub(crate) fn concerns_only_the_peer(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EINTR
                | libc::EPROTO
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH
                | libc::EPERM
        )
    )
}

/// Whether a failed accept tells that the machine has run out of something.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Whether a connect has only begun (connect(2)): the stream is writable once it has succeeded or failed.
#[cfg(not(simulated))]
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// The peer has ended the connection without order.
pub(crate) fn reset() -> io::Error {
    io::Error::from_raw_os_error(libc::ECONNRESET)
}

/// There is no such host.
pub(crate) fn unreachable() -> io::Error {
    io::Error::from_raw_os_error(libc::EHOSTUNREACH)
}

/// Nobody listens there.
pub(crate) fn refused() -> io::Error {
    io::Error::from_raw_os_error(libc::ECONNREFUSED)
}

/// The number of an error of the system's. `None`: it is std's own.
pub(crate) fn errno_of(error: &io::Error) -> Option<i32> {
    error.raw_os_error()
}

/// The error of an errno.
pub(crate) fn error_of(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// An errno in words, as strerror(3) has them.
pub(crate) fn text_of(number: i32) -> String {
    let text = io::Error::from_raw_os_error(number).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// A socket that neither listens nor has a peer.
#[cfg(not(simulated))]
pub(crate) fn not_connected() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOTCONN)
}

/// A number that no descriptor can have.
#[cfg(not(simulated))]
pub(crate) fn no_such_descriptor() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

/// It is there, and not for you.
#[cfg(tls)]
pub(crate) fn no_permission() -> io::Error {
    io::Error::from_raw_os_error(libc::EACCES)
}

/// Nothing has that name.
#[cfg(not(simulated))]
pub(crate) fn no_such_name() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOENT)
}

/// Nobody has answered in time.
pub(crate) fn timed_out() -> io::Error {
    io::Error::from_raw_os_error(libc::ETIMEDOUT)
}

/// No descriptor is left.
pub(crate) fn exhausted() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}

/// The same for C. How long the text is valid, strerror(3) tells.
pub(crate) fn c_text_of(number: c_int) -> *const c_char {
    // SAFETY: takes any number.
    unsafe { libc::strerror(number) }
}

/// Where the C library keeps the calling thread's errno.
#[inline]
pub(crate) fn errno_place() -> *mut c_int {
    #[cfg(any(target_os = "solaris", target_os = "illumos"))]
    use libc::___errno as location;
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    use libc::__errno as location;
    #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "fuchsia", target_os = "hurd"))]
    use libc::__errno_location as location;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    use libc::__error as location;
    // SAFETY: may be called by any thread at any time.
    unsafe { location() }
}
