//! What the system's error numbers mean.
#![forbid(unsafe_code)]

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

/// Nobody listens there.
pub(crate) fn refused() -> io::Error {
    io::Error::from_raw_os_error(libc::ECONNREFUSED)
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

/// Nothing has that name.
#[cfg(not(simulated))]
pub(crate) fn no_such_name() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOENT)
}

/// Nobody has answered in time.
pub(crate) fn timed_out() -> io::Error {
    io::Error::from_raw_os_error(libc::ETIMEDOUT)
}

/// The number of an error, which NN_PRINT_ERRORS tells by its text; of one without a number that of the usual reason.
pub(crate) fn code_of(error: &io::Error, usual: &io::Error) -> i32 {
    error.raw_os_error().or(usual.raw_os_error()).unwrap_or_default()
}

/// No descriptor is left.
pub(crate) fn exhausted() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}
