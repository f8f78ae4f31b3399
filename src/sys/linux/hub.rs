//! What the worker waits for: the pollers of all sockets, each of which reports once when it is armed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::Interest;
use super::super::process::DropUncancelled;
use super::Readiness;
use super::polled::{Polled, poll_readable};
use super::poller::{Events, NOTIFY, control, control_raw, epoll, look};

#[derive(Debug)]
pub(crate) struct Hub {
    epoll: DropUncancelled<OwnedFd>,
    notify: Readiness,
    /// The program has closed our descriptors.
    deaf: AtomicBool,
}

impl Hub {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let hub = Self { epoll: epoll()?, notify: Readiness::new()?, deaf: AtomicBool::new(false) };
        control(&hub.epoll, libc::EPOLL_CTL_ADD, hub.notify.as_fd(), Interest::READ, NOTIFY)?;
        Ok(Arc::new(hub))
    }

    pub(super) fn arm(&self, poller: &OwnedFd, key: u64) -> io::Result<()> {
        const ONCE: u32 = (libc::EPOLLIN | libc::EPOLLONESHOT) as u32;
        match control_raw(&self.epoll, libc::EPOLL_CTL_MOD, poller.as_fd(), ONCE, key) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                control_raw(&self.epoll, libc::EPOLL_CTL_ADD, poller.as_fd(), ONCE, key)
            }
            result => result,
        }
    }

    pub(super) fn disarm(&self, poller: &OwnedFd) {
        let removed = control_raw(&self.epoll, libc::EPOLL_CTL_DEL, poller.as_fd(), 0, 0);
        // What was removed before is not found; anything else is no poller of ours any more.
        if removed.is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            self.deaf.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until an armed poller has something, somebody notifies, or the time is over (`None`: no limit). Adds the keys of
    /// the pollers.
    pub(crate) fn wait(&self, found: &mut Vec<u64>, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = Events::default();
        if timeout != Some(Duration::ZERO) {
            poll_readable(&mut [Polled::new(self.epoll.as_fd())], timeout, false)?;
        }
        look(&self.epoll, &mut events)?;
        for key in events.keys() {
            if key == NOTIFY { self.notify.clear() } else { found.push(key) }
        }
        Ok(())
    }

    /// Ends the current wait, or the next one.
    pub(crate) fn notify(&self) {
        self.notify.set();
    }

    /// The thread that waits will not hear of what it is notified of. Known once a poller was disarmed.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }
}
