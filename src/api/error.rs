//! What a call can fail with, as programs see it.
#![forbid(unsafe_code)]

use std::{fmt, io};

use crate::error::Error as Cause;
use crate::ffi::errno;
use crate::sys;

/// The result of a call.
pub type Result<T> = std::result::Result<T, Error>;

/// A call failed. [`Error::errno`] is the number that the C function sets; the questions below are for what programs
/// react to.
///
/// ```
/// use nanomsg::{Socket, SocketType};
///
/// let error = Socket::new(SocketType::Pair)?.connect("carrier-pigeon://roof").unwrap_err();
/// assert_eq!(std::io::Error::from(error).to_string(), "no transport has this scheme");
/// # Ok::<(), nanomsg::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error {
    cause: Cause,
}

impl Error {
    /// The errno of C: one of the system's, `EFSM` or `ETERM`.
    #[must_use]
    pub fn errno(self) -> i32 {
        errno::code(self.cause)
    }

    /// The kind of [`std::io`] that is nearest.
    #[must_use]
    pub fn kind(self) -> io::ErrorKind {
        match self.cause {
            Cause::WouldBlock | Cause::NoPeer => io::ErrorKind::WouldBlock,
            Cause::TimedOut => io::ErrorKind::TimedOut,
            Cause::Interrupted => io::ErrorKind::Interrupted,
            Cause::NotSupported | Cause::UnknownScheme => io::ErrorKind::Unsupported,
            Cause::AddressInUse => io::ErrorKind::AddrInUse,
            Cause::NoMemory => io::ErrorKind::OutOfMemory,
            Cause::Invalid | Cause::NameTooLong | Cause::NoSuchOption => io::ErrorKind::InvalidInput,
            Cause::Os(code) => sys::error_of(code).kind(),
            _ => io::ErrorKind::Other,
        }
    }

    /// Nothing could be done without waiting, or no peer is there ([`Socket::set_req_fail_fast`](crate::Socket::set_req_fail_fast))
    /// (EAGAIN).
    #[must_use]
    pub fn is_would_block(self) -> bool {
        matches!(self.cause, Cause::WouldBlock | Cause::NoPeer)
    }

    /// The time limit has passed, or the survey is over (ETIMEDOUT).
    #[must_use]
    pub fn is_timed_out(self) -> bool {
        self.cause == Cause::TimedOut
    }

    /// A signal handler ran while the call waited (EINTR); it may be made again.
    #[must_use]
    pub fn is_interrupted(self) -> bool {
        self.cause == Cause::Interrupted
    }

    /// The socket is closed, or was closed during the call (EBADF).
    #[must_use]
    pub fn is_closed(self) -> bool {
        self.cause == Cause::BadSocket
    }

    /// Not now in this pattern, as a reply before there is a request (EFSM).
    #[must_use]
    pub fn is_wrong_state(self) -> bool {
        self.cause == Cause::WrongState
    }

    /// Never with this type of socket, as sending on a subscriber (ENOTSUP).
    #[must_use]
    pub fn is_not_supported(self) -> bool {
        self.cause == Cause::NotSupported
    }

    /// Somebody is bound to the address (EADDRINUSE).
    #[must_use]
    pub fn is_address_in_use(self) -> bool {
        self.kind() == io::ErrorKind::AddrInUse
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self { cause }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self.cause {
            Cause::BadSocket => "the socket is closed",
            Cause::Poisoned => "an internal error has broken the socket",
            Cause::Terminated => "the library was terminated",
            Cause::WouldBlock => "it would have to wait",
            Cause::NoPeer => "no peer is there to take it",
            Cause::TimedOut => "the time limit has passed",
            Cause::Interrupted => "a signal ended the wait",
            Cause::WrongState => "the socket cannot do this in its present state",
            Cause::NotSupported => "sockets of this type never do this",
            Cause::Invalid => "an argument makes no sense",
            Cause::Fault => "there is no memory where some is needed",
            Cause::MessageSize => "the message has a size that cannot be",
            Cause::NoSuchOption => "sockets of this type do not have this option",
            Cause::UnknownDomain => "there is no such domain",
            Cause::UnknownScheme => "no transport has this scheme",
            Cause::NameTooLong => "the address is too long",
            Cause::NoDevice => "there is no such network interface",
            Cause::AddressInUse => "the address is in use",
            Cause::TooMany => "there are too many sockets or descriptors",
            Cause::NoMemory => "there is not enough memory",
            Cause::Os(code) => return sys::error_of(code).fmt(to),
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Error({:?}, errno {})", self.cause, self.errno())
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}
