//! A socket's own poller: a mailbox that the hub fills.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{AsSource, Condvar, Interest, RawSource, generation};
use super::{Hub, Readiness, Tripwire};

pub(crate) struct Poller {
    pub(super) hub: Arc<Hub>,
    pub(super) mailbox: usize,
    woken: Arc<Condvar>,
    /// All sockets that are open have the same one.
    _tripwire: Option<Arc<Tripwire>>,
    /// Of the process that made it. In another one the hub's lock may be held by a thread that does not exist there.
    generation: u32,
}

/// Where [`Poller::wait`] puts what it found.
#[derive(Debug, Default)]
pub(crate) struct Events {
    list: Vec<(u64, Interest)>,
}

impl Events {
    /// The keys found ready, each with what it is ready for. An error or a hang-up counts as both.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Interest)> {
        self.list.iter().copied()
    }
}

impl Poller {
    /// The hub reports its first event under `key`. It needs no descriptor of its own, but a program that has none left
    /// hears so at once, as on a system where it does.
    pub(crate) fn new(hub: &Arc<Hub>, key: u64, tripwire: Option<Arc<Tripwire>>) -> io::Result<Self> {
        drop(Readiness::new()?);
        let woken = Arc::new(Condvar::new());
        let mailbox = hub.open(key, Arc::clone(&woken));
        Ok(Self { hub: Arc::clone(hub), mailbox, woken, _tripwire: tripwire, generation: generation() })
    }

    /// Makes the hub report the next event, once. What is there already is one.
    pub(crate) fn arm(&self) -> io::Result<()> {
        self.hub.arm(self.mailbox);
        Ok(())
    }

    /// The hub reports nothing until it is armed again.
    pub(crate) fn disarm(&self) {
        if self.is_ours() {
            self.hub.disarm(self.mailbox);
        }
    }

    pub(crate) fn add(&self, source: impl AsSource, interest: Interest, key: u64) -> io::Result<()> {
        self.hub.add(self.mailbox, raw(source), interest, key)
    }

    pub(crate) fn modify(&self, source: impl AsSource, interest: Interest, key: u64) -> io::Result<()> {
        self.hub.modify(self.mailbox, raw(source), interest, key)
    }

    pub(crate) fn remove(&self, source: impl AsSource) -> io::Result<()> {
        self.hub.remove(self.mailbox, raw(source))
    }

    /// Waits until a source is ready, somebody notifies, or the time is over (`None`: no limit). With no time at all it sees
    /// what the system has now, unless it is the hub's thread that looks. Returns whether anything at all happened.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<bool> {
        events.list.clear();
        let mut state = self.hub.lock();
        self.hub.watch_again(&mut state, self.mailbox);
        if timeout == Some(Duration::ZERO) {
            state = self.hub.look(state);
            return Ok(state.take(self.mailbox, &mut events.list));
        }
        // A time that the clock cannot tell is no limit.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        while !state.has_something(self.mailbox) && deadline.is_none_or(|at| Instant::now() < at) {
            state.set_sleeping(self.mailbox, true);
            state = self.woken.wait_until(state, deadline);
        }
        state.set_sleeping(self.mailbox, false);
        Ok(state.take(self.mailbox, &mut events.list))
    }

    /// Ends the current wait, or the next one.
    pub(crate) fn notify(&self) {
        self.hub.notify_mailbox(self.mailbox);
    }

    fn is_ours(&self) -> bool {
        self.generation == generation()
    }
}

fn raw(source: impl AsSource) -> RawSource {
    source.as_fd().as_raw_fd()
}

impl Drop for Poller {
    fn drop(&mut self) {
        if self.is_ours() {
            self.hub.close(self.mailbox);
        }
    }
}
