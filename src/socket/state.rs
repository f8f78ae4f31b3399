//! What the socket's lock guards.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::endpoint::Endpoint;
use super::io::Command;
use super::options::Options;
use super::pipes::{PipeEnd, PipeTable};
use super::spin::Spin;
use super::stats::Stats;
use super::waiters::Waiters;
use crate::message::Message;
use crate::pattern::{Pattern, Priorities, Protocol};
use crate::pipe::PipeId;
use crate::reactor::lease::{Lease, Leave};
use crate::sys::Parker;
use crate::transport::inproc::{Note, Party, PipeEvents, Registry};

/// What a socket knows of itself and never changes.
pub(super) struct Own {
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
    pub(super) fn party(&self, endpoint: i32) -> Party {
        let socket = Weak::clone(&self.socket);
        Party { socket, owner: self.id, endpoint, protocol: self.protocol, forwards: false }
    }
}

pub(super) struct State {
    pub own: Own,
    pub pattern: Box<dyn Pattern>,
    /// Whether the pattern ever has a deadline: most do not, and are not asked.
    pub keeps_time: bool,
    pub pipes: PipeTable,
    pub options: Options,
    pub stats: Stats,
    pub endpoints: BTreeMap<i32, Endpoint>,
    pub last_endpoint: i32,
    pub lease: Lease,
    pub waiters: Waiters<Parker>,
    pub spin: Spin,
    /// For whoever drives next.
    pub commands: Vec<Command>,
    /// Endpoints that have, or will have, descriptors.
    pub network: usize,
    pub closing: bool,
    /// A panic has happened in it; `closing` is true as well.
    pub broken: bool,
    /// A thread closes the socket, and NN_LINGER counts from then: nn_term closes all sockets within the time of one.
    pub closing_since: Option<Instant>,
    /// Threads between two holds of the lock.
    pub inside: usize,
    pub closer: Option<Arc<Parker>>,
    /// The earliest timer of the reactor's table, as of the last turn.
    pub io_deadline: Option<Instant>,
    /// Connections being made or ended: they need attention even if no caller comes.
    pub unsettled: usize,
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
    pub turn_waiters: Vec<Arc<Parker>>,
    /// A dialer of ours has introduced itself, and the peer may agree: a place that others could take is kept for it.
    pub promised: bool,
    /// A thread that waits for several sockets has the lease, and may send meanwhile, as a device does.
    pub led_by_waits: bool,
    /// NN_SNDFD or NN_RCVFD was handed out.
    pub shows_readiness: bool,
}

impl State {
    pub(super) fn new(pattern: Box<dyn Pattern>, options: Options, own: Own) -> Self {
        let pipes = PipeTable {
            send_buffer: options.send_buffer as usize,
            recv_buffer: options.recv_buffer as usize,
            ..PipeTable::default()
        };
        Self {
            own,
            keeps_time: pattern.keeps_time(),
            pattern,
            pipes,
            options,
            stats: Stats::default(),
            endpoints: BTreeMap::new(),
            last_endpoint: 0,
            lease: Lease::new(),
            waiters: Waiters::default(),
            spin: Spin::default(),
            commands: Vec::new(),
            network: 0,
            closing: false,
            broken: false,
            closing_since: None,
            inside: 0,
            closer: None,
            io_deadline: None,
            unsettled: 0,
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

    /// Whether callers wait in the poller rather than on their own.
    pub(super) fn drives(&self) -> bool {
        self.network > 0
    }

    /// Whether there is anything to carry out once the lock is free.
    #[inline]
    pub(super) fn has_effects(&self) -> bool {
        self.pipes.first_post.is_some() || self.pipes.after.is_some() || self.needs_turn()
    }

    #[inline]
    pub(super) fn needs_turn(&self) -> bool {
        !self.commands.is_empty() || !self.pipes.resumed.is_empty()
    }

    /// Nobody drives, and a caller may.
    pub(super) fn needs_driver(&self) -> bool {
        self.drives() && self.lease.is_free() && !self.lease.is_owned()
    }

    /// Makes a sleeping driver look, or the worker, if there is something to do that only it does.
    pub(super) fn interrupt(&mut self) {
        if self.lease.interrupt() || (self.lease.is_owned() && self.needs_turn()) {
            self.pipes.after().notify = true;
        }
    }

    /// A connection has passed its greeting, where it was agreed whether subscriptions travel. `None`: the pattern refuses
    /// it.
    pub(super) fn add_pipe(&mut self, endpoint: i32, end: PipeEnd, forwards: bool) -> Option<PipeId> {
        let priorities = self.endpoints.get(&endpoint)?.priorities;
        if self.closing {
            return None;
        }
        let id = self.pipes.insert(endpoint, end);
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
    pub(super) fn has_room(&self) -> bool {
        !self.promised && self.pattern.has_room()
    }

    /// The pipe takes messages from now on.
    pub(super) fn pipe_writable(&mut self, now: Instant, id: PipeId) {
        let Some(pipe) = self.pipes.get(id).filter(|pipe| pipe.attached && !pipe.has_ended()) else { return };
        pipe.full = false;
        pipe.confirmed = true;
        self.pattern.writable(id, &mut self.pipes, now);
        self.settle(now);
        self.changed();
    }

    pub(super) fn pipe_readable(&mut self, now: Instant, id: PipeId) {
        if self.pipes.get(id).is_none_or(|pipe| !pipe.attached) {
            return;
        }
        self.pattern.readable(id, &mut self.pipes, now);
        self.settle(now);
        self.changed();
    }

    /// The peer has gone. What it sent can still be received, and holds no place: not the pattern's, not an endpoint's, not
    /// one in a statistic.
    pub(super) fn end_pipe(&mut self, now: Instant, id: PipeId) {
        let Some(pipe) = self.pipes.get(id).filter(|pipe| !pipe.has_ended()) else { return };
        let (endpoint, attached, confirmed) = (pipe.endpoint, pipe.attached, pipe.confirmed);
        let unread = self.pipes.end(id);
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
        self.changed();
    }

    /// Takes the pipe away from the pattern; it may live on to write what was accepted.
    pub(super) fn detach_pipe(&mut self, now: Instant, id: PipeId) {
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

    pub(super) fn remove_pipe(&mut self, now: Instant, id: PipeId) {
        self.detach_pipe(now, id);
        let Some(pipe) = self.pipes.remove(id) else { return };
        match pipe.end {
            PipeEnd::Inproc { link, side, .. } => {
                link.close(side);
                self.pipes.post(link.about_peer(side, Note::Gone));
                self.unlink(pipe.endpoint);
            }
            PipeEnd::Stream(_) | PipeEnd::Remains(_) => {}
        }
    }

    /// Tells publishers what has changed about what we want.
    pub(super) fn forward(&mut self, now: Instant) {
        self.pattern.forward(&mut self.pipes);
        self.settle(now);
    }

    /// After each operation of the pattern: removes the pipes it has read empty, and sees to it that what it has left for
    /// later happens.
    #[inline]
    pub(super) fn settle(&mut self, now: Instant) {
        if self.keeps_time || self.shows_readiness || self.pipes.gathering || !self.pipes.drained.is_empty() {
            self.settle_all(now);
        }
    }

    fn settle_all(&mut self, now: Instant) {
        while let Some(id) = self.pipes.drained.pop() {
            self.remove_pipe(now, id);
        }
        self.follow_deadline();
        self.show_readiness();
        if std::mem::take(&mut self.pipes.gathering) && !std::mem::replace(&mut self.gather_watched, true) {
            self.pipes.after().worker.gathering = true;
            self.lease.start_ticking();
        }
    }

    #[inline]
    fn show_readiness(&mut self) {
        if self.shows_readiness {
            self.pipes.after().readiness = true;
        }
    }

    pub(super) fn note_received(&mut self, message: &Message) {
        self.stats.messages_received += 1;
        self.stats.bytes_received += message.body.len() as u64;
        self.pipes.batching.received();
    }

    /// Something happened that blocked callers may have waited for.
    #[inline]
    pub(super) fn changed(&mut self) {
        self.show_readiness();
        self.wake_ready();
        self.interrupt();
    }

    /// Wakes one waiter for each direction that is ready: it wakes the next if something is left.
    #[inline]
    pub(super) fn wake_ready(&mut self) {
        if !self.waiters.is_empty() {
            self.wake_waiters();
        }
    }

    fn wake_waiters(&mut self) {
        if self.pattern.can_recv() {
            self.waiters.wake_receiver(&mut self.pipes.after().wakes);
        }
        if self.pattern.can_send() {
            self.waiters.wake_sender(&mut self.pipes.after().wakes);
        }
        if self.waiters.has_devices() {
            let pattern = &self.pattern;
            self.waiters.wake_devices(|device| pattern.demand_changed(device), &mut self.pipes.after().wakes);
        }
    }

    /// A thread has left the lock for good, or has given back the lease.
    #[inline]
    pub(super) fn wake_closer(&mut self) {
        if let Some(closer) = &self.closer {
            self.pipes.after().wakes.push(Arc::clone(closer));
        }
    }

    /// When the pattern wants to look at the clock.
    #[inline]
    pub(super) fn pattern_deadline(&self) -> Option<Instant> {
        if self.keeps_time { self.pattern.deadline() } else { None }
    }

    /// The next time something has to happen by itself.
    #[inline]
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match (self.io_deadline, self.pattern_deadline()) {
            (Some(io), Some(pattern)) => Some(io.min(pattern)),
            (one, other) => one.or(other),
        }
    }

    /// A caller gives the lease back. `came`: it has got what it waited for, and most likely comes again at once. Otherwise
    /// the next event is the worker's.
    pub(super) fn leave_lease(&mut self, came: bool) {
        let urgent = !came || self.unsettled > 0 || self.pipes.stuck > 0;
        match self.lease.leave(urgent) {
            Leave::Nothing => {}
            Leave::Arm => self.pipes.after().worker.arm = true,
            Leave::Report => self.pipes.after().worker.report = true,
        }
        self.tell_deadline();
        self.wake_turn_waiters();
        self.wake_closer();
    }

    /// The pattern may have set its clock: whoever drives, or the worker, has to look at it in time.
    #[inline]
    fn follow_deadline(&mut self) {
        let Some(deadline) = self.pattern_deadline() else { return };
        if self.lease.is_free() {
            if self.known_deadline.is_none_or(|known| deadline < known) {
                self.tell_deadline();
            }
        } else if self.sleeps_until.is_none_or(|until| deadline < until) {
            self.interrupt();
        }
    }

    /// Lets the worker know of a deadline that is earlier than what it knows.
    #[inline]
    pub(super) fn tell_deadline(&mut self) {
        if let Some(next) = self.next_deadline()
            && self.known_deadline.is_none_or(|known| next < known)
        {
            self.known_deadline = Some(next);
            self.pipes.after().worker.deadline = Some(next);
        }
    }

    /// Remembers an endpoint's error; the first of its kind in a row is printed if the user wants that.
    pub(super) fn endpoint_error(&mut self, id: i32, code: i32) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else { return };
        let before = endpoint.last_error.replace(code);
        if before.is_none() {
            self.stats.current_endpoint_errors += 1;
        }
        if before != Some(code) && self.own.prints_errors {
            let name = String::from_utf8_lossy(&self.options.name);
            let address = String::from_utf8_lossy(&endpoint.address);
            let text = std::io::Error::from_raw_os_error(code).to_string();
            let text = text.split(" (os error").next().unwrap_or(&text);
            self.pipes.after().lines.push(format!("nanomsg: socket.{name}[{address}]: Error: {text}"));
        }
    }

    pub(super) fn endpoint_works(&mut self, id: i32) {
        if let Some(endpoint) = self.endpoints.get_mut(&id)
            && endpoint.last_error.take().is_some()
        {
            self.stats.current_endpoint_errors -= 1;
        }
    }

    pub(super) fn priorities(&self) -> Priorities {
        Priorities { send: self.options.send_priority as u8, recv: self.options.recv_priority as u8 }
    }
}
