//! What the system's error numbers mean.
#![forbid(unsafe_code)]

use std::io;

use crate::error::Error;

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

/// The errno of one of our errors. Two that systems do not have are `ffi`'s own.
pub(crate) fn number_of(error: Error) -> i32 {
    match error {
        Error::BadSocket | Error::Terminated => libc::EBADF,
        Error::Broken => libc::ENOTRECOVERABLE,
        Error::WouldBlock | Error::NoPeer | Error::WrongState => libc::EAGAIN,
        Error::TimedOut => libc::ETIMEDOUT,
        Error::Interrupted => libc::EINTR,
        Error::NotSupported => libc::ENOTSUP,
        Error::Invalid => libc::EINVAL,
        Error::Fault => libc::EFAULT,
        Error::MessageSize => libc::EMSGSIZE,
        Error::NoSuchOption => libc::ENOPROTOOPT,
        Error::UnknownDomain => libc::EAFNOSUPPORT,
        Error::UnknownScheme => libc::EPROTONOSUPPORT,
        Error::NameTooLong => libc::ENAMETOOLONG,
        Error::NoDevice => libc::ENODEV,
        Error::AddressInUse => libc::EADDRINUSE,
        Error::TooMany => libc::EMFILE,
        Error::NoMemory => libc::ENOMEM,
        Error::Os(number) => number,
    }
}

/// An errno in words, as strerror(3) has them.
pub(crate) fn text_of(number: i32) -> String {
    let text = io::Error::from_raw_os_error(number).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Whether an errno says that the other side was silent for too long.
pub(crate) fn is_timeout(number: i32) -> bool {
    number == libc::ETIMEDOUT
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

/// The number of an error, which NN_PRINT_ERRORS tells by its text; of one without a number that of the usual reason.
pub(crate) fn code_of(error: &io::Error, usual: &io::Error) -> i32 {
    error.raw_os_error().or(usual.raw_os_error()).unwrap_or_default()
}

/// No descriptor is left.
pub(crate) fn exhausted() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}
