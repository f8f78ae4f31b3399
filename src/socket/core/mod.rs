//! The state of a socket under its lock: events go in, and what is to be done comes out.
//!
//! It reads no clock, makes no system call and holds no descriptor: time is an argument, and what belongs to the world
//! outside passes through it unseen ([`Outside`]). What has to be done without the lock is written down in
//! [`Effects`](pipes::After) and in the commands, and `StateGuard::release` carries it out.
#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods)]

mod batching;
mod driving;
mod endpoints;
mod events;
mod options;
mod peers;
mod pipes;
mod stats;
mod traffic;
mod waiters;
mod writing;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::message::Message;
use crate::pattern::{self, Pattern, Priorities, Protocol};
use crate::peer::Peer;
use crate::pipe::PipeId;
use crate::reactor::lease::Lease;
use crate::transport::inproc::{EndpointRef, Note, PipeEvents, Registry};
use crate::transport::session::Cause;
pub(in crate::socket) use endpoints::{Endpoint, Kind};
pub(crate) use events::{Event, Happening};
pub(in crate::socket) use events::{Journal, Subject};
pub(in crate::socket) use options::{IPC, NN_IPC_MODE, NN_OVERFLOW, Options, TLS, timeout};
pub(crate) use options::{OptionInput, Value};
pub(in crate::socket) use pipes::{Direct, Effects, PipeEnd, PipeTable, StreamEnd, WorkerRequests, Writing, Wrote};
pub(in crate::socket) use stats::Stats;
pub(in crate::socket) use traffic::Traffic;
pub(in crate::socket) use waiters::{WaitFor, Waiters};

/// What the world outside is made of. The core passes it on and never looks inside.
pub(in crate::socket) trait Outside: Sized {
    /// A connection's byte stream.
    type Stream;
    /// What a thread sleeps in.
    type Thread;
    /// What the driver needs to begin an endpoint.
    type Endpoint;
}

/// What callers ask the driver to do.
pub(in crate::socket) enum Command<O: Outside> {
    Begin(i32, O::Endpoint),
    /// The endpoint ends; its sessions write what they have accepted.
    Close(i32),
    /// A pipe's outbox waits for the kernel.
    AwaitRoom(usize, PipeId),
    /// A write has failed.
    Broken(usize, PipeId),
}

/// An endpoint's error, for a user who wants to see it.
pub(in crate::socket) struct Report {
    pub socket: Vec<u8>,
    pub address: Box<[u8]>,
    pub code: i32,
}

/// What a socket knows of itself and never changes.
pub(in crate::socket) struct Own {
    pub id: u64,
    /// As its peers within the process see it.
    pub socket: Weak<dyn PipeEvents>,
    pub protocol: Protocol,
    pub raw: bool,
    /// The names of inproc.
    pub names: Arc<Registry>,
    /// The errors of endpoints are printed (NN_PRINT_ERRORS).
    pub prints_errors: bool,
}

impl Own {
    /// One of our endpoints, as the registry of names knows it.
    pub(in crate::socket) fn party(&self, endpoint: i32) -> EndpointRef {
        let socket = Weak::clone(&self.socket);
        EndpointRef { socket, owner: self.id, endpoint, protocol: self.protocol, forwards: false }
    }
}

/// Where a socket is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::socket) enum Life {
    Open,
    /// Callers are sent away. A thread closes it, and NN_LINGER counts from then: nn_term closes all sockets within the time
    /// of one. `None`: that thread has panicked, and another may.
    Closing(Option<Instant>),
    /// The same after a panic in it, which nobody has to close.
    Broken(Option<Instant>),
}

impl Life {
    /// Since when a thread closes it.
    pub(in crate::socket) fn closed_since(self) -> Option<Instant> {
        match self {
            Self::Open => None,
            Self::Closing(since) | Self::Broken(since) => since,
        }
    }

    /// The same socket, closed since then; or by nobody any more.
    pub(in crate::socket) fn closed(self, since: Option<Instant>) -> Self {
        match self {
            Self::Open | Self::Closing(_) => Self::Closing(since),
            Self::Broken(_) => Self::Broken(since),
        }
    }
}

pub(in crate::socket) struct State<O: Outside> {
    pub own: Own,
    pub pattern: Box<dyn Pattern>,
    /// Whether the pattern ever has a deadline: most do not, and are not asked.
    pub keeps_time: bool,
    pub pipes: PipeTable<O>,
    pub options: Options,
    pub stats: Stats,
    pub endpoints: BTreeMap<i32, Endpoint>,
    pub last_endpoint: i32,
    pub last_connection: u64,
    /// `None`: nobody watches.
    pub journal: Option<Journal>,
    pub lease: Lease,
    pub waiters: Waiters<O::Thread>,
    /// For whoever drives next.
    pub commands: Vec<Command<O>>,
    /// Endpoints that have, or will have, descriptors.
    pub network: usize,
    pub life: Life,
    /// Threads between two holds of the lock.
    pub active_calls: usize,
    pub closer: Option<Arc<O::Thread>>,
    /// The earliest timer of the reactor's table, as of the last turn.
    pub io_deadline: Option<Instant>,
    /// Connections being made or ended: they need attention even if no caller comes.
    pub in_transition: usize,
    /// When a driver that sleeps looks at the clock by itself.
    pub sleeps_until: Option<Instant>,
    /// The deadline the worker knows.
    pub known_deadline: Option<Instant>,
    /// The worker was asked to look after gathered output.
    pub gather_watched: bool,
    /// A thread posts what a neighbour's notes have led to, and looks into the mailbox when it has.
    pub answering: bool,
    /// When a sender last looked for what its peers say, and how often sockets of this process had subscribed by then.
    pub heard: Option<(Instant, u64)>,
    /// Turns that have ended, and threads that wait for the next one.
    pub turns: u64,
    pub turn_waiters: Vec<Arc<O::Thread>>,
    /// A dialer of ours has introduced itself, and the peer may agree: a place that others could take is kept for it.
    pub promised: bool,
    /// A thread that waits for several sockets has the lease, and may send meanwhile, as a device does.
    pub led_by_waits: bool,
    /// NN_SNDFD or NN_RCVFD was handed out.
    pub shows_readiness: bool,
}

impl<O: Outside> State<O> {
    pub(in crate::socket) fn new(
        pattern: Box<dyn Pattern>,
        options: Options,
        own: Own,
        now: Instant,
        random: fn() -> [u8; 4],
    ) -> Self {
        let mut pipes = PipeTable::new(now, random);
        pipes.send_buffer = options.send_buffer() as usize;
        pipes.recv_buffer = options.recv_buffer() as usize;
        pipes.recv_shared = options.recv_shared();
        Self {
            own,
            keeps_time: pattern.keeps_time(),
            pattern,
            pipes,
            options,
            stats: Stats::default(),
            endpoints: BTreeMap::new(),
            last_endpoint: 0,
            last_connection: 0,
            journal: None,
            lease: Lease::new(),
            waiters: Waiters::default(),
            commands: Vec::new(),
            network: 0,
            life: Life::Open,
            active_calls: 0,
            closer: None,
            io_deadline: None,
            in_transition: 0,
            sleeps_until: None,
            known_deadline: None,
            gather_watched: false,
            answering: false,
            heard: None,
            turns: 0,
            turn_waiters: Vec::new(),
            promised: false,
            led_by_waits: false,
            shows_readiness: false,
        }
    }

    #[inline]
    pub(in crate::socket) fn is_closing(&self) -> bool {
        self.life != Life::Open
    }

    pub(in crate::socket) fn is_broken(&self) -> bool {
        matches!(self.life, Life::Broken(_))
    }

    /// Whether there is anything to carry out once the lock is free.
    #[inline]
    pub(in crate::socket) fn has_effects(&self) -> bool {
        self.pipes.first_post.is_some() || self.pipes.effects.is_some() || self.needs_turn()
    }

    #[inline]
    pub(in crate::socket) fn needs_turn(&self) -> bool {
        !self.commands.is_empty() || !self.pipes.resumed.is_empty()
    }

    /// A connection has passed its greeting, where it was agreed whether subscriptions travel. `None`: the pattern refuses
    /// it.
    pub(in crate::socket) fn add_pipe(
        &mut self,
        endpoint: i32,
        end: PipeEnd<O::Stream>,
        peer: Arc<Peer>,
        forwards: bool,
    ) -> Option<PipeId> {
        let priorities = self.endpoints.get(&endpoint)?.priorities;
        if self.is_closing() {
            return None;
        }
        let id = self.pipes.insert(endpoint, end, peer);
        if self.pattern.add(id, priorities).is_err() {
            self.pipes.remove(id);
            return None;
        }
        if let Some(pipe) = self.pipes.get(id) {
            pipe.attached = true;
        }
        if forwards {
            self.pattern.forward_on(id);
        }
        self.stats.current_connections += 1;
        Some(id)
    }

    /// Whether a connection that is agreed on now would be taken.
    pub(in crate::socket) fn has_room(&self) -> bool {
        !self.promised && self.pattern.has_room()
    }

    /// The pipe takes messages from now on.
    pub(in crate::socket) fn pipe_writable(&mut self, now: Instant, id: PipeId) {
        let Some(pipe) = self.pipes.get(id).filter(|pipe| pipe.attached && !pipe.has_ended()) else { return };
        pipe.full = false;
        if !std::mem::replace(&mut pipe.confirmed, true) {
            self.connected(id);
        }
        self.pattern.writable(id, &mut self.pipes, now);
        self.after_pattern_call(now);
        self.notify_waiters();
    }

    pub(in crate::socket) fn pipe_readable(&mut self, now: Instant, id: PipeId) {
        if self.pipes.get(id).is_none_or(|pipe| !pipe.attached) {
            return;
        }
        self.pattern.readable(id, &mut self.pipes, now);
        self.after_pattern_call(now);
        self.notify_waiters();
    }

    /// An option of the socket itself or of the transports.
    pub(in crate::socket) fn set_option(
        &mut self,
        now: Instant,
        level: i32,
        option: i32,
        given: OptionInput<'_>,
    ) -> Result<()> {
        self.options.set(level, option, given)?;
        let grows = self.options.send_buffer() as usize > self.pipes.send_buffer;
        self.pipes.send_buffer = self.options.send_buffer() as usize;
        self.pipes.recv_buffer = self.options.recv_buffer() as usize;
        self.pipes.recv_shared = self.options.recv_shared();
        self.pipes.tells_peers = self.options.recv_peer;
        let could = (self.pattern.can_send(), self.pattern.can_recv());
        self.options.tell(&mut *self.pattern, &mut self.pipes);
        if grows {
            self.look_for_room(now);
        }
        self.after_pattern_call(now);
        if (self.pattern.can_send(), self.pattern.can_recv()) != could {
            self.notify_waiters();
        }
        Ok(())
    }

    /// More may wait than before: pipes that were full may take messages again.
    fn look_for_room(&mut self, now: Instant) {
        for id in self.pipes.ids() {
            let full = self.pipes.get(id).is_some_and(|pipe| pipe.full && pipe.confirmed);
            if full && self.pipes.is_writable(id) {
                self.pipe_writable(now, id);
            }
        }
    }

    /// The peer has gone. What it sent can still be received, and holds no place: not the pattern's, not an endpoint's, not
    /// one in a statistic.
    pub(in crate::socket) fn end_pipe(&mut self, now: Instant, id: PipeId, cause: Cause) {
        self.disconnected(id, cause);
        let Some(pipe) = self.pipes.get(id).filter(|pipe| !pipe.has_ended()) else { return };
        let (endpoint, attached, confirmed) = (pipe.endpoint, pipe.attached, pipe.confirmed);
        let unread = self.pipes.end(id);
        self.wake_writer(id);
        self.stats.current_connections -= u64::from(attached);
        if unread && attached {
            self.pattern.orphaned(id);
            self.retry_neighbours(confirmed);
            self.unlink(endpoint);
        } else {
            self.remove_pipe(now, id);
            if attached {
                self.retry_neighbours(confirmed);
            }
            self.unlink(endpoint);
        }
        self.notify_waiters();
    }

    /// Who waits for room in this pipe has it, or will never have.
    pub(in crate::socket) fn wake_writer(&mut self, id: PipeId) {
        if !self.waiters.is_empty() {
            self.waiters.wake_writer(id, &mut self.pipes.effects().wakes);
        }
    }

    /// The pipe will be ended by us: what waits for it is among what it has accepted.
    pub(in crate::socket) fn hand_over(&mut self, id: PipeId) {
        if self.pipes.get(id).is_some_and(|pipe| pipe.attached && !pipe.has_ended()) {
            self.pipes.limitless = true;
            self.pattern.hand_over(id, &mut self.pipes);
            self.pipes.limitless = false;
        }
    }

    /// Takes the pipe away from the pattern; it may live on to write what was accepted.
    pub(in crate::socket) fn detach_pipe(&mut self, now: Instant, id: PipeId) {
        let Some(pipe) = self.pipes.get(id) else { return };
        if std::mem::take(&mut pipe.attached) {
            let (confirmed, ended) = (pipe.confirmed, pipe.has_ended());
            self.pattern.remove(id, &mut self.pipes, now);
            self.follow_deadline();
            // One that has ended gave its place back then.
            if !ended {
                self.stats.current_connections -= 1;
                self.retry_neighbours(confirmed);
            }
        }
    }

    pub(in crate::socket) fn remove_pipe(&mut self, now: Instant, id: PipeId) {
        self.detach_pipe(now, id);
        self.disconnected(id, Cause::Shutdown);
        let Some(pipe) = self.pipes.remove(id) else { return };
        self.wake_writer(id);
        match pipe.end {
            PipeEnd::Inproc { link, side, .. } => {
                link.close(side);
                self.pipes.post(link.about_peer(side, Note::Gone));
                self.unlink(pipe.endpoint);
            }
            PipeEnd::Stream(_) | PipeEnd::Orphaned(_) => {}
        }
    }

    /// Tells publishers what has changed about what we want.
    pub(in crate::socket) fn forward(&mut self, now: Instant) {
        self.pattern.forward(&mut self.pipes, now);
        self.after_pattern_call(now);
    }

    /// After each operation of the pattern: removes the pipes it has read empty, and sees to it that what it has left for
    /// later happens.
    #[inline]
    pub(in crate::socket) fn after_pattern_call(&mut self, now: Instant) {
        let conflates = self.options.conflate;
        if self.keeps_time
            || self.shows_readiness
            || self.pipes.gathering
            || !self.pipes.drained.is_empty()
            || conflates
        {
            self.after_all_pattern_calls(now);
        }
    }

    fn after_all_pattern_calls(&mut self, now: Instant) {
        while let Some(id) = self.pipes.drained.pop() {
            self.remove_pipe(now, id);
        }
        if self.options.conflate
            && let Some(id) = self.pattern.unread()
        {
            // When others have had the lock.
            let socket = self.own.socket.upgrade();
            self.pipes.post(socket.map(|socket| (socket, Note::Readable(id))));
        }
        self.follow_deadline();
        self.show_readiness();
        if std::mem::take(&mut self.pipes.gathering) && !std::mem::replace(&mut self.gather_watched, true) {
            self.pipes.effects().worker.gathering = true;
            self.lease.start_ticking();
        }
    }

    #[inline]
    fn show_readiness(&mut self) {
        if self.shows_readiness && !self.lease.shows_when_left() {
            self.pipes.effects().readiness = true;
        }
    }

    pub(in crate::socket) fn note_received(&mut self, message: &Message) {
        self.stats.messages_received += 1;
        self.stats.bytes_received += message.body.len() as u64;
        self.pipes.batching.received();
    }

    /// Something happened that blocked callers may have waited for.
    #[inline]
    pub(in crate::socket) fn notify_waiters(&mut self) {
        self.show_readiness();
        self.wake_ready();
        self.interrupt();
    }

    /// Wakes one waiter for each direction that is ready: it wakes the next if something is left.
    #[inline]
    pub(in crate::socket) fn wake_ready(&mut self) {
        if !self.waiters.is_empty() {
            self.wake_waiters();
        }
    }

    fn wake_waiters(&mut self) {
        if self.pattern.can_recv() {
            self.waiters.wake_receiver(&mut self.pipes.effects().wakes);
        }
        if self.pattern.can_send() {
            self.waiters.wake_sender(&mut self.pipes.effects().wakes);
        } else if self.pattern.can_send_some() {
            self.waiters.wake_senders(&mut self.pipes.effects().wakes);
        }
        if self.waiters.has_devices() {
            let pattern = &self.pattern;
            self.waiters.wake_devices(|device| pattern.demand_changed(device), &mut self.pipes.effects().wakes);
        }
    }

    /// A thread has left the lock for good, or has given back the lease.
    #[inline]
    pub(in crate::socket) fn wake_closer(&mut self) {
        if let Some(closer) = &self.closer {
            self.pipes.effects().wakes.push(Arc::clone(closer));
        }
    }

    /// Remembers an endpoint's error; the first of its kind in a row is printed if the user wants that.
    pub(in crate::socket) fn endpoint_error(&mut self, id: i32, code: i32) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else { return };
        let before = endpoint.last_error.replace(code);
        if before.is_none() {
            self.stats.current_endpoint_errors += 1;
        }
        if before != Some(code) && self.own.prints_errors {
            let report = Report { socket: self.options.name.clone(), address: endpoint.address.clone(), code };
            self.pipes.effects().reports.push(report);
        }
    }

    pub(in crate::socket) fn endpoint_works(&mut self, id: i32) {
        if let Some(endpoint) = self.endpoints.get_mut(&id)
            && endpoint.last_error.take().is_some()
        {
            self.stats.current_endpoint_errors -= 1;
        }
    }

    pub(in crate::socket) fn priorities(&self) -> Priorities {
        Priorities { send: self.options.send_priority as u8, recv: self.options.recv_priority as u8 }
    }

    /// Nothing of this socket is used again.
    pub(in crate::socket) fn poison(&mut self) {
        self.life = Life::Broken(self.life.closed_since());
        // One that knows no pipes. The old one may be half way through anything.
        if let Some(pattern) = pattern::open(self.own.protocol, self.own.raw, 0, false) {
            self.pattern = pattern;
        }
        for id in self.pipes.ids() {
            if let Some(pipe) = self.pipes.get(id) {
                pipe.attached = false;
            }
        }
        self.commands.clear();
        self.pipes.resumed.clear();
        self.pipes.drained.clear();
        let after = self.pipes.effects();
        after.flushes.clear();
        after.readiness = self.shows_readiness;
        self.waiters.wake_all(&mut after.wakes);
        self.interrupt();
        self.wake_closer();
    }

    /// Why callers of a socket that is closing are sent away.
    pub(in crate::socket) fn close_error(&self) -> Error {
        if self.is_broken() { Error::Poisoned } else { Error::BadSocket }
    }

    /// Gives back what a broken socket has, as it is.
    pub(in crate::socket) fn give_up(&mut self, now: Instant) {
        for endpoint in self.endpoints.keys().copied().collect::<Vec<_>>() {
            // Present: the list was just made, under the same lock.
            let _ = self.remove_endpoint(now, endpoint);
        }
        for id in self.pipes.ids() {
            self.remove_pipe(now, id);
        }
        // There is nobody to carry them out.
        self.commands.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// What only the world outside has: clocks, system calls, descriptors, threads. The clock is in clippy.toml as well.
    const OUTSIDE: [&str; 12] = [
        "crate::sys",
        "sys::",
        "::now()",
        "libc",
        "socket2",
        "polling",
        "std::fs",
        "io::Error",
        "std::net",
        "std::os",
        "std::thread",
        "impl Drop",
    ];

    #[test]
    fn the_core_knows_nothing_of_the_world_outside() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let core = fs::read_dir(root.join("src/socket/core")).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<_> = core.chain([root.join("src/reactor/lease.rs"), root.join("src/pipe.rs")]).collect();
        assert!(files.len() > 9);
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let named: Vec<&str> = lines.filter(|line| OUTSIDE.iter().any(|name| line.contains(name))).collect();
            assert!(named.is_empty(), "{}: {named:?}", file.display());
        }
    }
}
