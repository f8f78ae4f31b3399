//! What can go wrong, in our words. Only `ffi` knows the errno behind each.
#![forbid(unsafe_code)]

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Error {
    /// The socket is closed, closing, or never was (EBADF).
    BadSocket,
    /// A panic has left the socket in nobody knows what state (ENOTRECOVERABLE).
    Poisoned,
    /// The library was terminated (ETERM).
    Terminated,
    /// Nothing can be done right now (EAGAIN).
    WouldBlock,
    /// Nobody is there to take it, and the caller does not want to wait (EAGAIN).
    NoPeer,
    /// The caller's time limit, or a survey's deadline, has passed (ETIMEDOUT).
    TimedOut,
    /// A signal handler ran while the caller waited (EINTR).
    Interrupted,
    /// The pattern does not allow this now (EFSM).
    WrongState,
    /// The socket type never allows this (ENOTSUP).
    NotSupported,
    /// An argument makes no sense (EINVAL).
    Invalid,
    /// A null pointer where memory is needed (EFAULT).
    Fault,
    /// A negative count of buffers (EMSGSIZE).
    MessageSize,
    /// No such option, or not for this direction (ENOPROTOOPT).
    NoSuchOption,
    /// Neither AF_SP nor AF_SP_RAW (EAFNOSUPPORT).
    UnknownDomain,
    /// No transport has this scheme (EPROTONOSUPPORT).
    UnknownScheme,
    /// The address or path is too long (ENAMETOOLONG).
    NameTooLong,
    /// No such network interface (ENODEV).
    NoDevice,
    /// The name is bound already (EADDRINUSE).
    AddressInUse,
    /// Too many sockets or descriptors (EMFILE).
    TooMany,
    /// Not enough memory (ENOMEM).
    NoMemory,
    /// What the operating system said, as its own error number.
    Os(i32),
}
