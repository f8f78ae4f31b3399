//! The numbers of C's <errno.h>, which the libc crate has for every system.
#![forbid(unsafe_code)]

use std::io;

use super::os::errors::errno_of;
use crate::error::Error;

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match errno_of(&error) {
            Some(code) => Self::Os(code),
            None if error.kind() == io::ErrorKind::OutOfMemory => Self::NoMemory,
            None => Self::Invalid,
        }
    }
}

/// The errno of one of our errors. Two that systems do not have are `ffi`'s own.
pub(crate) fn number_of(error: Error) -> i32 {
    match error {
        Error::BadSocket | Error::Terminated => libc::EBADF,
        Error::Poisoned => libc::ENOTRECOVERABLE,
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

/// Whether an errno says that the other side was silent for too long.
pub(crate) fn is_timeout(number: i32) -> bool {
    number == libc::ETIMEDOUT
}

/// The number of an error, which NN_PRINT_ERRORS tells by its text; of one without a number that of the usual reason.
pub(crate) fn code_of(error: &io::Error, usual: &io::Error) -> i32 {
    errno_of(error).or(errno_of(usual)).unwrap_or_default()
}
