//! What a program can wait for outside of the library, and what wakes a thread that waits for descriptors.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::super::process::DropUncancelled;
use super::super::{Interest, RawSource};
use super::Poller;
use super::poller::{control, epoll};

/// A descriptor that is readable while it is set (eventfd(2)).
#[derive(Debug)]
pub(crate) struct Readiness {
    event: DropUncancelled<OwnedFd>,
    /// What the program sees instead: an epoll set with the event and a poller in it.
    set: Option<DropUncancelled<OwnedFd>>,
}

impl Readiness {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed; the result is checked before it is owned.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just created and nobody else owns it.
        Ok(Self { event: unsafe { OwnedFd::from_raw_fd(fd) }.into(), set: None })
    }

    /// One that is readable also while the poller has something. `None`: the system has no such thing.
    pub(crate) fn direct(poller: &Poller) -> io::Result<Option<Self>> {
        let mut readiness = Self::new()?;
        let set = epoll()?;
        control(&set, libc::EPOLL_CTL_ADD, poller.as_fd(), Interest::READ, 0)?;
        control(&set, libc::EPOLL_CTL_ADD, readiness.as_fd(), Interest::READ, 0)?;
        readiness.set = Some(set);
        Ok(Some(readiness))
    }

    pub(crate) fn is_direct(&self) -> bool {
        self.set.is_some()
    }

    /// As a program sees it.
    pub(crate) fn raw(&self) -> RawSource {
        self.set.as_ref().unwrap_or(&self.event).as_raw_fd()
    }

    /// Makes it readable.
    pub(crate) fn set(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight readable bytes, as eventfd wants them. A full counter is signalled already.
        unsafe { libc::syscall(libc::SYS_write, self.event.as_raw_fd(), one.as_ptr(), one.len()) };
    }

    /// Makes it quiet.
    pub(crate) fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: eight writable bytes, as eventfd wants them. An empty counter answers EAGAIN, which is as good.
        unsafe { libc::syscall(libc::SYS_read, self.event.as_raw_fd(), count.as_mut_ptr(), count.len()) };
    }
}

impl AsFd for Readiness {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
