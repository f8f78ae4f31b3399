//! The worker's poller: holds the pollers of sockets as one-shot sources.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use polling::Events as NestEvents;
use polling::{Event, Poller as Polling};

use super::Poller;
use super::process::Sheltered;

#[derive(Debug)]
pub(crate) struct Nest {
    poller: Sheltered<Polling>,
    /// The program has closed our descriptors.
    deaf: AtomicBool,
}

impl Nest {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { poller: Polling::new()?.into(), deaf: AtomicBool::new(false) })
    }

    /// Watches a socket's poller: its readiness is reported once, under `key`.
    pub(crate) fn add(&self, poller: &Poller, key: usize) -> io::Result<()> {
        // SAFETY: the owner of the poller calls `remove` before it drops it (socket's Reactor does in its Drop).
        unsafe { self.poller.add(poller.as_fd().as_raw_fd(), Event::readable(key)) }
    }

    /// Arms the source again after it was reported, or removed.
    pub(crate) fn arm(&self, poller: &Poller, key: usize) -> io::Result<()> {
        match self.poller.modify(poller, Event::readable(key)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.add(poller, key),
            result => result,
        }
    }

    pub(crate) fn remove(&self, poller: &Poller) {
        // What was removed before is not found; anything else is no poller of ours any more.
        if self.poller.delete(poller).is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            self.deaf.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn wait(&self, events: &mut NestEvents, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        self.poller.wait(events, timeout).map(drop)
    }

    pub(crate) fn notify(&self) {
        let _ = self.poller.notify();
    }

    /// Whoever waits will not hear of what it is notified of. Known once a socket was removed.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }
}
