//! nn_poll: waiting for several sockets in one thread. nn_device waits in the same way.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::State;
use super::call_guard::panics_since;
use super::core::WaitFor;
use super::spin::SpinPolicy;
use super::turn::{READ_INTERVAL, wait_failed};
use super::wait::Timeout;
use super::{Socket, gathered, table};
use crate::error::{Error, Result};
use crate::panics::{self, FailPoint};
use crate::pattern::DeviceId;
use crate::sys::{self, HashMap, Parker, Tripwire, WaitSet, current_parker, forget_parker};

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
    let limit = timeout.map_or(Timeout::Infinite, |timeout| {
        if timeout.is_zero() { Timeout::Poll } else { Timeout::Until(sys::now() + timeout) }
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

    pub(super) fn socket(&self) -> &Arc<Socket> {
        &self.socket
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
fn wait(entries: &mut [Entry], limit: Timeout) -> Result<()> {
    if gathered::is_left() {
        gathered::write();
    }
    let Some(first) = entries.first() else {
        return Watches::new([].into_iter(), None)?.wait(entries, limit).map(drop);
    };
    let only = Arc::clone(&first.socket);
    if entries.iter().all(|entry| Arc::ptr_eq(&entry.socket, &only)) {
        return wait_one(&only, entries, limit);
    }
    let kept = KEPT.try_with(RefCell::take).ok().flatten();
    let mut watches = Watches::new(entries.iter().map(|entry| &entry.socket), kept)?;
    watches.wait(entries, limit)?;
    let kept = watches.end();
    // A thread that is ending keeps nothing.
    let _ = KEPT.try_with(|cell| cell.replace(Some(kept)));
    Ok(())
}

/// What all entries together want: a wakeup for anything else would be taken from somebody who can use it.
fn wanted<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<WaitFor> {
    let (recv, send) = entries.fold((false, false), |(recv, send), entry| (recv | entry.want.0, send | entry.want.1));
    match (recv, send) {
        (true, false) => Some(WaitFor::Recv),
        (false, true) => Some(WaitFor::Send),
        (true, true) => Some(WaitFor::Both),
        (false, false) => None,
    }
}

fn wait_one(socket: &Socket, entries: &mut [Entry], limit: Timeout) -> Result<()> {
    let want = wanted(entries.iter()).unwrap_or(WaitFor::Both);
    let mut look = |state: &mut State| {
        entries.iter_mut().for_each(|entry| entry.look(state));
        if entries.iter().any(Entry::is_ready) { Ok(()) } else { Err(Error::WouldBlock) }
    };
    let mut held = socket.enter()?;
    let mut result = look(&mut held);
    if result.is_err() {
        (held, result) = socket.wait_until(held, want, limit, look);
    }
    held.finish(|state| match result {
        Ok(()) | Err(Error::WouldBlock | Error::TimedOut) => Ok(()),
        Err(Error::BadSocket) if state.is_closing() => Ok(()),
        Err(error) => Err(error),
    })
}

thread_local! {
    /// From this thread's last nn_poll: most likely the next one waits for the same sockets.
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// The set of pollers that a thread waits for. The kernel keeps it, so that a wait costs what is ready and not what is
/// watched.
pub(super) struct Kept {
    generation: u32,
    set: WaitSet,
    parker: Arc<Parker>,
    /// The sockets whose pollers are in the set, by their ids.
    members: HashMap<u64, Weak<Socket>>,
    outlook: SpinPolicy,
}

impl Kept {
    fn new(tripwire: Option<Arc<Tripwire>>) -> Result<Self> {
        let parker = current_parker();
        let set = WaitSet::new(&parker, tripwire)?;
        Ok(Self {
            generation: sys::generation(),
            set,
            parker,
            members: HashMap::default(),
            outlook: SpinPolicy::default(),
        })
    }

    /// A parent's set is the parent's, and one whose descriptor the program has closed may be another file's.
    fn is_current(&self, tripwire: Option<&Arc<Tripwire>>) -> bool {
        self.generation == sys::generation() && self.set.has(tripwire) && Arc::ptr_eq(&self.parker, &current_parker())
    }

    /// Takes the sockets out that are not watched any more.
    fn retain(&mut self, known: &HashMap<u64, usize>) {
        let set = &self.set;
        self.members.retain(|id, socket| {
            let stays = known.contains_key(id);
            if !stays
                && let Some(socket) = socket.upgrade()
                && let Some(reactor) = socket.reactor.get()
            {
                set.remove(&reactor.poller);
            }
            stays
        });
    }

    /// What has its number now is left alone, and so is what has that of the parker's descriptor.
    fn abandon(self) {
        std::mem::forget(self);
        forget_parker();
    }
}

/// A socket that is waited for.
struct Watch {
    socket: Arc<Socket>,
    /// Those of its entries.
    entries: SmallVec<[usize; 2]>,
    /// We have its lease.
    leading: bool,
    /// Its poller is in the set.
    member: bool,
    /// Something may have happened to it.
    visit: bool,
    /// Its poller has something.
    turn: bool,
    ready: bool,
    /// When it has to be looked at by itself.
    deadline: Option<Instant>,
}

/// Several sockets that one thread waits for: it takes every lease that is free, waits for all their pollers at once, and
/// turns those that have something. The other sockets wake it through its parker. Until this is dropped the thread is
/// inside all of them.
pub(super) struct Watches {
    list: Vec<Watch>,
    /// Where each socket stands in the list.
    known: HashMap<u64, usize>,
    kept: Option<Kept>,
    parker: Arc<Parker>,
    /// The last wait has ended because something was ready.
    came: bool,
    /// The thread was unwinding already when it began.
    unwinding: bool,
}

impl Watches {
    pub(super) fn new<'a>(sockets: impl Iterator<Item = &'a Arc<Socket>>, kept: Option<Kept>) -> Result<Self> {
        let mut list: Vec<Watch> = Vec::new();
        let mut known = HashMap::default();
        for socket in sockets {
            known.entry(socket.id).or_insert_with(|| {
                list.push(Watch::new(socket));
                list.len() - 1
            });
        }
        let tripwire = list.first().and_then(|watch| watch.socket.library.tripwire());
        let mut kept = match kept {
            Some(kept) if kept.is_current(tripwire.as_ref()) => kept,
            other => {
                other.into_iter().for_each(Kept::abandon);
                Kept::new(tripwire)?
            }
        };
        kept.retain(&known);
        for watch in &mut list {
            watch.member = kept.members.contains_key(&watch.socket.id);
            watch.socket.with(|state| state.active_calls += 1);
        }
        let parker = Arc::clone(&kept.parker);
        Ok(Self { list, known, kept: Some(kept), parker, came: false, unwinding: std::thread::panicking() })
    }

    /// The thread goes on using the sockets: nobody needs to interrupt it.
    pub(super) fn wake(&self) {
        for watch in &self.list {
            watch.socket.with(|state| {
                state.waiters.remove(&self.parker);
                if watch.leading {
                    state.lease.wake();
                }
            });
        }
    }

    /// Lets the sockets go, and returns what the next wait can use.
    fn end(mut self) -> Kept {
        self.kept.take().expect("taken only here")
    }

    /// Waits until an entry is ready or the time is over. False: one of the sockets is closing, and has to be let go.
    pub(super) fn wait(&mut self, entries: &mut [Entry], limit: Timeout) -> Result<bool> {
        for watch in &mut self.list {
            watch.entries.clear();
            watch.visit = true;
            watch.turn = !watch.member;
        }
        for (at, entry) in entries.iter().enumerate() {
            if let Some(&watch) = self.known.get(&entry.socket.id) {
                self.list[watch].entries.push(at);
            }
        }
        let waited = self.wait_for(entries, limit);
        self.came = entries.iter().any(Entry::is_ready);
        if waited == Err(Error::BadSocket) {
            // The program has closed our descriptors, maybe the one that wakes this thread.
            self.kept.take().into_iter().for_each(Kept::abandon);
        }
        waited
    }

    fn wait_for(&mut self, entries: &mut [Entry], limit: Timeout) -> Result<bool> {
        let Self { list, known, kept, parker, .. } = self;
        let Some(kept) = kept else { return Err(Error::BadSocket) };
        let mut found: Vec<u64> = Vec::new();
        // What the kernel has already is seen by the first look.
        kept.set.look(parker, &mut found).map_err(|error| wait_failed(&error))?;
        loop {
            for id in found.drain(..) {
                if let Some(&at) = known.get(&id) {
                    (list[at].visit, list[at].turn) = (true, true);
                }
            }
            if parker.prepare() {
                list.iter_mut().for_each(|watch| watch.visit = true);
            }
            for watch in list.iter_mut().filter(|watch| watch.visit) {
                watch.visit = false;
                if !watch.visit(entries, limit, kept, parker)? {
                    return Ok(false);
                }
            }
            if limit == Timeout::Poll || limit.is_over() || list.iter().any(|watch| watch.ready) {
                return Ok(true);
            }
            let next = list.iter().filter_map(|watch| watch.deadline).chain(limit.deadline()).min();
            let timeout = next.map(|next| next.saturating_duration_since(sys::now()));
            let many_cpus = list.first().is_some_and(|watch| watch.socket.library.has_many_cpus());
            let Kept { set, outlook, .. } = kept;
            let mut look = || parker.is_woken() || (set.look(parker, &mut found).is_ok() && !found.is_empty());
            if !(timeout != Some(Duration::ZERO)
                && (outlook.comes_after_yield(&mut look) || outlook.comes_within_spin(timeout, many_cpus, look)))
            {
                set.wait(parker, &mut found, timeout).map_err(|error| wait_failed(&error))?;
            }
            let now = next.map(|_| sys::now());
            for watch in list.iter_mut().filter(|watch| watch.deadline.is_some_and(|at| now >= Some(at))) {
                (watch.visit, watch.turn) = (true, true);
            }
        }
    }
}

impl Watch {
    fn new(socket: &Arc<Socket>) -> Self {
        Self {
            socket: Arc::clone(socket),
            entries: SmallVec::new(),
            leading: false,
            member: false,
            visit: true,
            turn: true,
            ready: false,
            deadline: None,
        }
    }

    /// Does what there is to do, looks at the entries, and goes to sleep. False: the socket is closing.
    fn visit(&mut self, entries: &mut [Entry], limit: Timeout, kept: &mut Kept, parker: &Arc<Parker>) -> Result<bool> {
        let socket = &self.socket;
        let mut held = socket.lock();
        held.waiters.remove(parker);
        if held.is_closing() {
            return held.finish(|state| watched_ends(state));
        }
        panics::fail_point(FailPoint::Poll);
        if limit == Timeout::Poll && held.lease.is_workers() && !held.lease.is_owned() {
            held = socket.wait_for_turns(held, sys::now() + READ_INTERVAL);
        }
        self.leading |= held.drives() && held.lease.take();
        if self.leading {
            held.lease.wake();
            held.led_by_waits = true;
            held.pipes.flush_gathered(None);
            while std::mem::take(&mut self.turn) || held.needs_turn() {
                let turned;
                (held, turned) = socket.turn(held, Some(Duration::ZERO));
                if turned == Err(Error::BadSocket) {
                    return held.finish(|_| Err(Error::BadSocket));
                }
            }
            // It may have come during the turn, when this thread was no waiter.
            if held.is_closing() {
                return held.finish(|state| watched_ends(state));
            }
        }
        held.expire(sys::now);
        self.ready = false;
        for &at in &self.entries {
            entries[at].look(&held);
            self.ready |= entries[at].is_ready();
        }
        let own = || self.entries.iter().map(|&at| &entries[at]);
        held.waiters.add(parker, wanted(own()).unwrap_or(WaitFor::End));
        for device in own().filter_map(|entry| entry.want_changes) {
            held.waiters.add(parker, WaitFor::Demand(device));
        }
        self.deadline = held.pattern_deadline();
        if self.leading {
            held.lease.sleep();
            held.sleeps_until = held.next_deadline();
            self.deadline = [self.deadline, held.sleeps_until].into_iter().flatten().min();
        }
        held.release();
        if !self.member
            && let Some(reactor) = socket.reactor.get()
        {
            kept.set.add(&reactor.poller, socket.id)?;
            kept.members.insert(socket.id, Weak::clone(&socket.me));
            self.member = true;
        }
        Ok(true)
    }
}

/// That a socket is closed is for the next call to say.
fn watched_ends(state: &State) -> Result<bool> {
    if state.is_broken() { Err(Error::Poisoned) } else { Ok(false) }
}

impl Drop for Watches {
    fn drop(&mut self) {
        for watch in &self.list {
            panics::in_destructor(|| {
                watch.socket.with(|state| {
                    if panics_since(self.unwinding) {
                        // In which of them, nobody knows.
                        state.poison();
                    }
                    state.waiters.remove(&self.parker);
                    state.active_calls -= 1;
                    if watch.leading {
                        state.led_by_waits = false;
                        // Whoever polls most likely comes again at once, whichever of them was ready.
                        state.leave_lease(self.came);
                    }
                    state.hand_over_driver();
                });
            });
        }
    }
}
