//! nn_poll: waiting for several sockets in one thread. nn_device waits in the same way.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::presence::panics_since;
use super::state::State;
use super::turn::{HEARING_TIME, wait_failed};
use super::wait::{Limit, Want};
use super::{Socket, gathered, table};
use crate::error::{Error, Result};
use crate::panics::{self, Place};
use crate::pattern::DeviceId;
use crate::sys::{Parker, Polled, current_parker, forget_parker, poll_readable};

/// One entry of nn_poll.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub handle: i32,
    pub want_recv: bool,
    pub want_send: bool,
    pub can_recv: bool,
    pub can_send: bool,
}

/// Waits until an entry is ready (or the time is over, `None` for no limit) and returns how many are. An entry that wants
/// nothing is not looked at.
pub(crate) fn poll(items: &mut [Item], timeout: Option<Duration>) -> Result<usize> {
    let limit = timeout.map_or(Limit::Never, |timeout| {
        if timeout.is_zero() { Limit::Once } else { Limit::Until(Instant::now() + timeout) }
    });
    let mut entries = Vec::new();
    for item in &mut *items {
        (item.can_recv, item.can_send) = (false, false);
        if !item.want_recv && !item.want_send {
            continue;
        }
        let socket = table::find(item.handle)?;
        if (item.want_recv && !socket.receives) || (item.want_send && !socket.sends) {
            return Err(Error::NoSuchOption);
        }
        entries.push(Entry { want: (item.want_recv, item.want_send), ..Entry::idle(&socket) });
    }
    wait(&mut entries, limit)?;
    let wanting = items.iter_mut().filter(|item| item.want_recv || item.want_send);
    for (item, entry) in wanting.zip(&entries) {
        (item.can_recv, item.can_send) = entry.can;
    }
    Ok(entries.iter().filter(|entry| entry.is_ready()).count())
}

/// A socket, and whether one wants to receive or to send (in this order), and can.
pub(super) struct Entry {
    socket: Arc<Socket>,
    want: (bool, bool),
    can: (bool, bool),
    /// For a device: one wants to know when what subscribers want changes, and it has.
    want_changes: Option<DeviceId>,
    changed: bool,
}

impl Entry {
    pub(super) fn receivable(socket: &Arc<Socket>) -> Self {
        Self { want: (true, false), ..Self::idle(socket) }
    }

    /// Ready when what its subscribers want has changed.
    pub(super) fn changing(socket: &Arc<Socket>, device: DeviceId) -> Self {
        Self { want_changes: Some(device), ..Self::idle(socket) }
    }

    fn idle(socket: &Arc<Socket>) -> Self {
        Self {
            socket: Arc::clone(socket),
            want: (false, false),
            can: (false, false),
            want_changes: None,
            changed: false,
        }
    }

    pub(super) fn sendable(socket: &Arc<Socket>) -> Self {
        Self { want: (false, true), ..Self::idle(socket) }
    }

    fn is_ready(&self) -> bool {
        self.can.0 || self.can.1 || self.changed
    }

    fn look(&mut self, state: &State) {
        self.can = (self.want.0 && state.pattern.can_recv(), self.want.1 && state.pattern.can_send());
        self.changed = self.want_changes.is_some_and(|device| state.pattern.demand_changed(device));
    }
}

/// Waits until an entry is ready, the time is over, or one of the sockets is closed.
pub(super) fn wait(entries: &mut [Entry], limit: Limit) -> Result<()> {
    if gathered::is_left() {
        gathered::write();
    }
    let mut watches: Vec<Watch> = Vec::new();
    let mut known: HashMap<u64, usize> = HashMap::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let watch = *known.entry(entry.socket.id).or_insert_with(|| {
            watches.push(Watch::new(&entry.socket));
            watches.len() - 1
        });
        watches[watch].entries.push(at);
    }
    match &watches[..] {
        [only] => wait_one(&only.socket, entries, limit),
        _ => wait_many(&mut watches, entries, limit),
    }
}

/// What all entries together want: a wakeup for anything else would be taken from somebody who can use it.
fn wanted<'a>(entries: impl Iterator<Item = &'a Entry>) -> Want {
    let (recv, send) = entries.fold((false, false), |(recv, send), entry| (recv | entry.want.0, send | entry.want.1));
    match (recv, send) {
        (true, false) => Want::Recv,
        (false, true) => Want::Send,
        _ => Want::Both,
    }
}

fn wait_one(socket: &Socket, entries: &mut [Entry], limit: Limit) -> Result<()> {
    let want = wanted(entries.iter());
    let mut look = |state: &mut State| {
        entries.iter_mut().for_each(|entry| entry.look(state));
        if entries.iter().any(Entry::is_ready) { Ok(()) } else { Err(Error::WouldBlock) }
    };
    let mut held = socket.enter()?;
    let mut result = look(&mut held);
    if result.is_err() {
        (held, result) = socket.wait_until(held, want, limit, look);
    }
    match result {
        Ok(()) | Err(Error::WouldBlock | Error::TimedOut) => Ok(()),
        Err(Error::BadSocket) if held.closing => Ok(()),
        Err(error) => Err(error),
    }
}

/// A socket under nn_poll.
struct Watch {
    socket: Arc<Socket>,
    /// Those of its entries.
    entries: SmallVec<[usize; 2]>,
    /// We have its lease.
    leading: bool,
    /// One of its entries is ready.
    ready: bool,
}

impl Watch {
    fn new(socket: &Arc<Socket>) -> Self {
        Self { socket: Arc::clone(socket), entries: SmallVec::new(), leading: false, ready: false }
    }
}

/// Several sockets: takes every lease that is free, waits for all their pollers at once, and turns those that are ready.
/// The other sockets wake this thread through its parker.
fn wait_many(watches: &mut [Watch], entries: &mut [Entry], limit: Limit) -> Result<()> {
    let parker = current_parker();
    for watch in &*watches {
        watch.socket.lock().inside += 1;
    }
    let staying = Staying { watches, parker: &parker, unwinding: std::thread::panicking() };
    watch_all(staying.watches, entries, limit, &parker)
}

/// The calling thread is inside all of them, until this is dropped.
struct Staying<'a> {
    watches: &'a mut [Watch],
    parker: &'a Arc<Parker>,
    /// Already before.
    unwinding: bool,
}

impl Drop for Staying<'_> {
    fn drop(&mut self) {
        for watch in &*self.watches {
            panics::in_destructor(|| {
                let mut held = watch.socket.lock();
                if panics_since(self.unwinding) {
                    // In which of them, nobody knows.
                    held.break_off(&watch.socket);
                }
                held.waiters.remove(self.parker);
                held.inside -= 1;
                if watch.leading {
                    held.leave_lease(watch.ready);
                }
                held.pass_on();
            });
        }
    }
}

/// That a socket is closed is for the next call to say.
fn watched_ends(state: &State) -> Result<()> {
    if state.broken { Err(Error::Broken) } else { Ok(()) }
}

fn watch_all(watches: &mut [Watch], entries: &mut [Entry], limit: Limit, parker: &Arc<Parker>) -> Result<()> {
    let mut turning = vec![true; watches.len()];
    let tripwire = watches.first().and_then(|watch| watch.socket.library.tripwire());
    loop {
        parker.prepare();
        let mut next: Option<Instant> = limit.deadline();
        let mut ready = limit == Limit::Once;
        for (watch, turning) in watches.iter_mut().zip(&mut turning) {
            let mut held = watch.socket.lock();
            held.waiters.remove(parker);
            if held.closing {
                return watched_ends(&held);
            }
            panics::possible_at(Place::Poll);
            if limit == Limit::Once && held.lease.is_workers() {
                held = watch.socket.wait_for_turns(held, Instant::now() + HEARING_TIME);
            }
            watch.leading |= held.drives() && held.lease.take();
            if watch.leading {
                held.lease.wake();
                held.pipes.flush_gathered(None);
                while std::mem::take(turning) || held.needs_turn() {
                    let turned;
                    (held, turned) = watch.socket.turn(held, Some(Duration::ZERO));
                    if turned == Err(Error::BadSocket) {
                        return turned;
                    }
                }
                // It may have come during the turn, when this thread was no waiter.
                if held.closing {
                    return watched_ends(&held);
                }
            }
            held.expire(&watch.socket);
            watch.ready = false;
            for &at in &watch.entries {
                entries[at].look(&held);
                watch.ready |= entries[at].is_ready();
            }
            ready |= watch.ready;
            next = [next, held.pattern_deadline()].into_iter().flatten().min();
            let want = wanted(watch.entries.iter().map(|&at| &entries[at]));
            held.waiters.add(parker, want);
            if watch.leading {
                held.lease.sleep();
                held.sleeps_until = held.next_deadline();
                next = [next, held.sleeps_until].into_iter().flatten().min();
            }
        }
        if ready || limit.is_over() {
            return Ok(());
        }
        let event = parker.event()?;
        if !parker.begin_polling() {
            continue;
        }
        let led: Vec<usize> = (0..watches.len()).filter(|&at| watches[at].leading).collect();
        let pollers = led.iter().filter_map(|&at| watches[at].socket.reactor.get());
        let sources = std::iter::once(event.as_fd())
            .chain(pollers.map(|reactor| reactor.poller.as_fd()))
            .chain(tripwire.as_ref().map(|tripwire| tripwire.source()));
        let mut fds: Vec<Polled> = sources.map(Polled::new).collect();
        let timeout = next.map(|next| next.saturating_duration_since(Instant::now()));
        let polled = poll_readable(&mut fds, timeout, tripwire.is_some());
        parker.end_polling();
        let polled = polled.map_err(|error| wait_failed(&error));
        if polled == Err(Error::BadSocket) {
            // The program has closed our descriptors, maybe the one that wakes this thread.
            forget_parker();
        }
        polled?;
        if fds[0].is_ready() {
            event.clear();
        }
        let due = next.is_some_and(|next| next <= Instant::now());
        for (&at, polled) in led.iter().zip(&fds[1..]) {
            turning[at] = polled.is_ready() || due;
        }
    }
}
