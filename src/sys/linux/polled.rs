//! ppoll(2), with the tripwire at the end of the list.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use super::stream::direct;

/// One descriptor of a [`poll_readable`].
#[repr(transparent)]
pub(super) struct Polled(libc::pollfd);

impl Polled {
    pub(super) fn new(fd: BorrowedFd<'_>) -> Self {
        Self(libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits until one of the descriptors is readable, for `timeout` at most. The last of them is the tripwire's, if
/// `tripwire`. Fails with `Interrupted` after a signal handler has run, even one under SA_RESTART, and not when the
/// process was merely stopped and goes on (signal(7)). Fails if the program has closed one of them.
pub(super) fn poll_readable(list: &mut [Polled], timeout: Option<Duration>, tripwire: bool) -> io::Result<()> {
    let limit = timeout.unwrap_or(Duration::MAX);
    // A number of seconds that the kernel's type cannot hold is no limit.
    let seconds = limit.as_secs().try_into().ok();
    let mut time = seconds.map(|tv_sec| libc::timespec { tv_sec, tv_nsec: limit.subsec_nanos() as _ });
    let time = time.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut);
    let no_mask = std::ptr::null::<libc::sigset_t>();
    // SAFETY: pointer and length describe `list`, which is laid out as pollfds; it and the limit live until after the call.
    unsafe { direct!(SYS_ppoll, list.as_mut_ptr(), list.len(), time, no_mask, size_of::<u64>())? };
    let hung_up = tripwire && list.last().is_some_and(Polled::is_ready);
    if hung_up || list.iter().any(|entry| entry.0.revents & libc::POLLNVAL != 0) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    Ok(())
}
