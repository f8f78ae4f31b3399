//! What the worker waits for: one poller of the system, with every source of every socket.
//!
//! Sources are watched for one event at a time. The worker's thread puts what the system reports into the mailbox of the
//! [`Poller`](super::Poller) that the source belongs to; the owner takes it from there, and at its next look the source is
//! watched again. One that was not served is reported again then, as if it were level-triggered, on every system.
//!
//! All of it is under one lock, which is held for the time of a system call at most.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use polling::Event;

use super::super::os::watches::{self, Watches};
use super::super::{Condvar, Interest, Mutex, MutexGuard};
use super::Readiness;
use super::park::Parking;

pub(crate) struct Hub {
    system: Watches,
    state: Mutex<State>,
    events: Mutex<polling::Events>,
    /// A look has ended.
    looked: Condvar,
    /// Whoever waits here.
    thread: OnceLock<ThreadId>,
    next_mailbox: AtomicUsize,
}

pub(super) type Locked<'a> = MutexGuard<'a, State>;

/// How long a caller waits at most for the worker to look what the system has. It may be serving sockets.
const LOOK_TIME: Duration = Duration::from_millis(100);

/// The key of what is added for a moment, to see whether that is possible.
const PROBE: usize = 0;

#[derive(Default)]
pub(super) struct State {
    mailboxes: HashMap<usize, Mailbox>,
    /// By keys that are never used again, so that an event that is late reaches nobody else.
    watched: HashMap<usize, Watched>,
    last_key: usize,
    /// Keys of pollers that were armed and have something.
    reported: Vec<u64>,
    /// Looks that were asked for, and those that have ended.
    asked: u64,
    answered: u64,
}

/// A source.
struct Watched {
    mailbox: usize,
    what: watches::Watched,
    /// The owner's name for it.
    key: u64,
    interest: Interest,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The system watches it.
    Watched,
    /// It lies in the mailbox.
    Ready(Interest),
    /// The owner has taken it out.
    Taken,
}

pub(super) struct Mailbox {
    /// Its name in the hub.
    hub_key: u64,
    /// Its next event is to be reported.
    armed: bool,
    notified: bool,
    /// Somebody sleeps on it.
    sleeping: bool,
    woken: Arc<Condvar>,
    sources: HashMap<watches::Watched, usize>,
    ready: Vec<usize>,
    taken: Vec<usize>,
    /// Threads that wait for it together with others.
    watchers: Vec<Arc<Parking>>,
}

impl Hub {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            system: Watches::new()?,
            state: Mutex::new(State::default()),
            events: Mutex::new(polling::Events::new()),
            looked: Condvar::new(),
            thread: OnceLock::new(),
            next_mailbox: AtomicUsize::new(0),
        }))
    }

    /// Waits until an armed poller has something, somebody notifies, or the time is over (`None`: no limit). Adds the keys of
    /// the pollers. Only one thread ever does this.
    pub(crate) fn wait(&self, found: &mut Vec<u64>, timeout: Option<Duration>) -> io::Result<()> {
        self.thread.get_or_init(|| thread::current().id());
        let state = self.lock();
        let hurry = !state.reported.is_empty() || state.asked != state.answered;
        let (mut state, waited) = self.pass(state, if hurry { Some(Duration::ZERO) } else { timeout });
        found.append(&mut state.reported);
        waited
    }

    /// Waits, and puts what the system reports into the mailboxes.
    fn pass<'a>(&'a self, state: Locked<'a>, timeout: Option<Duration>) -> (Locked<'a>, io::Result<()>) {
        let asked = state.asked;
        drop(state);
        let mut events = self.events.lock();
        let waited = self.system.wait(&mut events, timeout);
        let mut state = self.lock();
        for event in events.iter() {
            self.deliver(&mut state, event);
        }
        events.clear();
        if asked != state.answered {
            state.answered = asked;
            self.looked.notify_all();
        }
        (state, waited)
    }

    /// Ends the current wait, or the next one.
    pub(crate) fn notify(&self) {
        // It is a write to a descriptor. One that the program has closed does not take it.
        let _ = self.system.notify();
    }

    /// The thread that waits will not hear of what it is notified of: the program has closed our descriptors.
    pub(crate) fn is_deaf(&self) -> bool {
        let Ok(probe) = Readiness::new() else { return false };
        let what = watches::watched(probe.source());
        let added = self.system.add(&what, PROBE, Interest::READ);
        let _ = self.system.remove(&what);
        added.is_err()
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        self.state.lock()
    }

    pub(super) fn open(&self, hub_key: u64, woken: Arc<Condvar>) -> usize {
        let id = self.next_mailbox.fetch_add(1, Ordering::Relaxed);
        let mailbox = Mailbox {
            hub_key,
            armed: true,
            notified: false,
            sleeping: false,
            woken,
            sources: HashMap::new(),
            ready: Vec::new(),
            taken: Vec::new(),
            watchers: Vec::new(),
        };
        self.lock().mailboxes.insert(id, mailbox);
        id
    }

    /// The mailbox is given up, and its sources with it.
    pub(super) fn close(&self, id: usize) {
        let mut state = self.lock();
        for source in state.mailboxes.remove(&id).into_iter().flat_map(|mailbox| mailbox.sources.into_values()) {
            if let Some(watched) = state.watched.remove(&source) {
                // Nobody is told of it any more, whether or not the system knows it.
                let _ = self.system.remove(&watched.what);
            }
        }
    }

    pub(super) fn add(&self, id: usize, what: watches::Watched, interest: Interest, key: u64) -> io::Result<()> {
        let mut state = self.lock();
        // Skips the key of the probe and the one that polling does not allow.
        while state.last_key == PROBE || state.last_key == usize::MAX || state.watched.contains_key(&state.last_key) {
            state.last_key = state.last_key.wrapping_add(1);
        }
        let source = state.last_key;
        state.last_key = source.wrapping_add(1);
        self.system.add(&what, source, interest)?;
        #[cfg_attr(unix, allow(clippy::clone_on_copy, reason = "on Windows it is more than a number"))]
        let watched = Watched { mailbox: id, what: what.clone(), key, interest, stage: Stage::Watched };
        state.watched.insert(source, watched);
        let State { mailboxes, watched, .. } = &mut *state;
        // The number of one that was closed without being removed.
        if let Some(mailbox) = mailboxes.get_mut(&id)
            && let Some(old) = mailbox.sources.insert(what, source)
        {
            watched.remove(&old);
        }
        Ok(())
    }

    pub(super) fn modify(&self, id: usize, what: watches::Watched, interest: Interest, key: u64) -> io::Result<()> {
        let mut state = self.lock();
        let source = state.source(id, &what).ok_or(io::ErrorKind::NotFound)?;
        let Some(watched) = state.watched.get_mut(&source) else { return Err(io::ErrorKind::NotFound.into()) };
        (watched.interest, watched.key, watched.stage) = (interest, key, Stage::Watched);
        self.system.modify(&what, source, interest)
    }

    pub(super) fn remove(&self, id: usize, what: watches::Watched) -> io::Result<()> {
        let mut state = self.lock();
        let source = state.mailboxes.get_mut(&id).and_then(|mailbox| mailbox.sources.remove(&what));
        state.watched.remove(&source.ok_or(io::ErrorKind::NotFound)?);
        self.system.remove(&what)
    }

    /// Has the system watch again what the owner has taken out of the mailbox. False: there was nothing.
    pub(super) fn watch_again(&self, state: &mut State, id: usize) -> bool {
        let Some(mailbox) = state.mailboxes.get_mut(&id) else { return false };
        let taken = std::mem::take(&mut mailbox.taken);
        let any = !taken.is_empty();
        for source in taken {
            let Some(watched) = state.watched.get_mut(&source).filter(|watched| watched.stage == Stage::Taken) else {
                continue;
            };
            watched.stage = Stage::Watched;
            if self.system.modify(&watched.what, source, watched.interest).is_err() {
                // The program has closed it: reading it will tell.
                watched.stage = Stage::Ready(Interest { read: true, write: true });
                mailbox.ready.push(source);
            }
        }
        any
    }

    /// Has the worker look what the system has now, and waits until that is in the mailboxes.
    pub(super) fn look<'a>(&'a self, mut state: Locked<'a>) -> Locked<'a> {
        if self.is_own_thread() {
            return self.pass(state, Some(Duration::ZERO)).0;
        }
        state.asked += 1;
        let mine = state.asked;
        self.notify();
        let until = Instant::now() + LOOK_TIME;
        while state.answered < mine && Instant::now() < until {
            state = self.looked.wait_until(state, Some(until));
        }
        state
    }

    pub(super) fn arm(&self, id: usize) {
        let mut state = self.lock();
        self.watch_again(&mut state, id);
        let has_something = state.has_something(id);
        let Some(mailbox) = state.mailboxes.get_mut(&id) else { return };
        mailbox.armed = true;
        if has_something {
            self.announce(&mut state, id);
        }
    }

    pub(super) fn disarm(&self, id: usize) {
        let mut state = self.lock();
        let Some(mailbox) = state.mailboxes.get_mut(&id) else { return };
        mailbox.armed = false;
        let key = mailbox.hub_key;
        state.reported.retain(|&other| other != key);
    }

    pub(super) fn notify_mailbox(&self, id: usize) {
        let mut state = self.lock();
        let Some(mailbox) = state.mailboxes.get_mut(&id) else { return };
        mailbox.notified = true;
        self.announce(&mut state, id);
    }

    /// Tells those who wait for a mailbox that it has something.
    fn announce(&self, state: &mut State, id: usize) {
        let Some(mailbox) = state.mailboxes.get_mut(&id) else { return };
        if mailbox.sleeping {
            mailbox.woken.notify_all();
        }
        mailbox.watchers.iter().for_each(|parking| parking.ring());
        if std::mem::take(&mut mailbox.armed) {
            let first = state.reported.is_empty();
            state.reported.push(mailbox.hub_key);
            if first && !self.is_own_thread() {
                self.notify();
            }
        }
    }

    fn deliver(&self, state: &mut State, event: Event) {
        let Some(watched) = state.watched.get_mut(&event.key) else { return };
        if event.is_priority() {
            // Nobody reads it, and it would be reported for ever.
            self.system.take_urgent(&watched.what);
        }
        let mut ready = Interest { read: event.readable, write: event.writable };
        if ready.read && !watched.interest.read {
            ready.read = self.system.has_ended(&watched.what, &event, watched.interest);
        }
        if !ready.read && !ready.write {
            return;
        }
        if let Stage::Ready(before) = watched.stage {
            ready = Interest { read: before.read || ready.read, write: before.write || ready.write };
        }
        watched.stage = Stage::Ready(ready);
        let id = watched.mailbox;
        if let Some(mailbox) = state.mailboxes.get_mut(&id) {
            mailbox.ready.push(event.key);
        }
        self.announce(state, id);
    }

    pub(super) fn is_own_thread(&self) -> bool {
        self.thread.get() == Some(&thread::current().id())
    }
}

impl State {
    pub(super) fn mailbox(&mut self, id: usize) -> Option<&mut Mailbox> {
        self.mailboxes.get_mut(&id)
    }

    fn source(&self, id: usize, what: &watches::Watched) -> Option<usize> {
        self.mailboxes.get(&id)?.sources.get(what).copied()
    }

    pub(super) fn set_sleeping(&mut self, id: usize, sleeping: bool) {
        if let Some(mailbox) = self.mailboxes.get_mut(&id) {
            mailbox.sleeping = sleeping;
        }
    }

    #[cfg(test)]
    pub(super) fn is_watched(&self, id: usize) -> bool {
        self.mailboxes.get(&id).is_some_and(|mailbox| !mailbox.watchers.is_empty())
    }

    #[cfg(test)]
    pub(super) fn is_slept_on(&self, id: usize) -> bool {
        self.mailboxes.get(&id).is_some_and(|mailbox| mailbox.sleeping)
    }

    pub(super) fn has_something(&self, id: usize) -> bool {
        let ready = |source| self.watched.get(source).is_some_and(|watched| matches!(watched.stage, Stage::Ready(_)));
        self.mailboxes.get(&id).is_some_and(|mailbox| mailbox.notified || mailbox.ready.iter().any(ready))
    }

    /// Empties the mailbox. False: there was nothing.
    pub(super) fn take(&mut self, id: usize, found: &mut Vec<(u64, Interest)>) -> bool {
        let Some(mailbox) = self.mailboxes.get_mut(&id) else { return false };
        // The system reports what is watched again behind what is new. The end of a connection has to come before what its
        // successor says.
        mailbox.ready.sort_unstable();
        for source in mailbox.ready.drain(..) {
            if let Some(watched) = self.watched.get_mut(&source)
                && let Stage::Ready(ready) = watched.stage
            {
                watched.stage = Stage::Taken;
                found.push((watched.key, ready));
                mailbox.taken.push(source);
            }
        }
        std::mem::take(&mut mailbox.notified) || !found.is_empty()
    }
}

impl Mailbox {
    pub(super) fn watch(&mut self, parking: &Arc<Parking>) {
        self.watchers.push(Arc::clone(parking));
    }

    pub(super) fn unwatch(&mut self, parking: &Arc<Parking>) {
        self.watchers.retain(|other| !Arc::ptr_eq(other, parking));
    }
}
