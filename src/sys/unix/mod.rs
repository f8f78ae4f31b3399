//! What is of Unix: the other systems have it under the same names in a folder of their own.

#[cfg(not(simulated))]
pub(in crate::sys) mod descriptors;
pub(in crate::sys) mod errors;
#[cfg(any(ipc, tls))]
#[cfg_attr(not(ipc), allow(dead_code, reason = "TLS only reads files"))]
pub(crate) mod files;
#[cfg_attr(simulated, allow(dead_code, reason = "a part of it is simulated"))]
pub(in crate::sys) mod process;
pub(in crate::sys) mod system;
#[cfg(all(portable_sys, not(simulated)))]
pub(in crate::sys) mod watches;

#[cfg(not(simulated))]
pub(crate) use descriptors::{Adopted, Claim, Facts};

/// What a poller can watch.
#[cfg(all(portable_sys, not(simulated)))]
pub(crate) use std::os::fd::AsFd as AsSource;
#[cfg(not(simulated))]
pub(crate) use std::os::fd::BorrowedFd as Source;

/// A descriptor as a program sees it.
#[cfg(not(simulated))]
pub(crate) use std::os::fd::RawFd as RawSource;

/// Two ends of a connection within this process.
#[cfg(all(any(portable_sys, test, fuzzing), not(simulated)))]
pub(crate) type End = std::os::unix::net::UnixStream;

#[cfg(all(any(portable_sys, test, fuzzing), not(simulated)))]
pub(crate) fn pair() -> std::io::Result<(End, End)> {
    End::pair()
}

#[cfg(all(portable_sys, not(simulated)))]
pub(in crate::sys) fn source_of(end: &End) -> Source<'_> {
    end.as_fd()
}

#[cfg(all(portable_sys, not(simulated)))]
pub(in crate::sys) fn raw_of(end: &End) -> RawSource {
    std::os::fd::AsRawFd::as_raw_fd(end)
}
