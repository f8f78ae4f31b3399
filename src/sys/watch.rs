//! The worker's poller: holds the pollers of sockets as one-shot sources.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

pub(crate) use polling::Events as NestEvents;
use polling::{Event, Poller as Polling};

use super::Poller;

#[derive(Debug)]
pub(crate) struct Nest(Polling);

impl Nest {
    pub(crate) fn new() -> io::Result<Self> {
        Polling::new().map(Self)
    }

    /// Watches a socket's poller: its readiness is reported once, under `key`.
    pub(crate) fn add(&self, poller: &Poller, key: usize) -> io::Result<()> {
        // SAFETY: the owner of the poller calls `remove` before it drops it (socket's Reactor does in its Drop).
        unsafe { self.0.add(poller.as_fd().as_raw_fd(), Event::readable(key)) }
    }

    /// Arms the source again after it was reported, or removed.
    pub(crate) fn arm(&self, poller: &Poller, key: usize) -> io::Result<()> {
        match self.0.modify(poller, Event::readable(key)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.add(poller, key),
            result => result,
        }
    }

    pub(crate) fn remove(&self, poller: &Poller) {
        let _ = self.0.delete(poller);
    }

    pub(crate) fn wait(&self, events: &mut NestEvents, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        self.0.wait(events, timeout).map(drop)
    }

    pub(crate) fn notify(&self) {
        let _ = self.0.notify();
    }
}
