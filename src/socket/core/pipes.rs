//! The pipes of one socket, as its pattern uses them. Everything here happens under the socket's lock; what needs a
//! system call or another socket is written down in [`Effects`] and done when the lock is free.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;
use smallvec::SmallVec;

use super::batching::Batching;
use super::traffic::Traffic;
use super::waiters::Wakes;
use super::{Outside, Report};
use crate::codec::reference::Frame;
use crate::codec::{Framing, Prefix};
use crate::error::{Error, Result};
use crate::message::{Body, Message, Outgoing};
use crate::pattern;
use crate::peer::Peer;
use crate::pipe::{Inbox, Outbox, PipeId};
use crate::transport::inproc::{Link, Note, Post, Side};
use crate::transport::session::Heard;
use crate::transport::sharing::{Lending, Step};

/// What is left to do once the lock is free.
pub(in crate::socket) struct Effects<O: Outside> {
    /// Notes to other sockets, behind the first.
    pub posts: Vec<Post>,
    /// Threads to wake from their sleep.
    pub wakes: Wakes<O::Thread>,
    /// Pipes whose outbox this thread has undertaken to write.
    pub flushes: SmallVec<[PipeId; 1]>,
    /// The driver sleeps and has to look.
    pub notify: bool,
    /// What NN_SNDFD and NN_RCVFD say may have changed.
    pub readiness: bool,
    /// For stderr.
    pub reports: Vec<Report>,
    /// Something waits to be published (NN_MONITOR).
    pub events: bool,
    pub worker: WorkerRequests,
}

impl<O: Outside> Default for Effects<O> {
    fn default() -> Self {
        Self {
            posts: Vec::new(),
            wakes: Wakes::<O::Thread>::new(),
            flushes: SmallVec::new(),
            notify: false,
            readiness: false,
            reports: Vec::new(),
            events: false,
            worker: WorkerRequests::default(),
        }
    }
}

/// What the worker has to be told.
#[derive(Debug, Default)]
pub(in crate::socket) struct WorkerRequests {
    /// Watch the socket's poller again.
    pub arm: bool,
    /// Look at the socket on the next tick.
    pub report: bool,
    /// The same, soon: gathered output waits.
    pub gathering: bool,
    pub deadline: Option<Instant>,
}

/// How a write has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::socket) enum Wrote {
    All,
    /// The kernel takes no more for now.
    Part,
    /// With this error, if the system has told one.
    Failed(Option<i32>),
}

/// A message that its sender writes itself, from its own memory, once the lock is free.
pub(in crate::socket) struct Direct<S> {
    pub pipe: PipeId,
    pub channel: Arc<S>,
    pub prefix: Prefix,
    /// How far its write has come.
    pub wrote: Wrote,
    pub written: usize,
}

pub(in crate::socket) struct Pipe<S> {
    serial: u32,
    pub endpoint: i32,
    /// The pattern knows this pipe.
    pub attached: bool,
    /// It was usable at some time: both sides have accepted it.
    pub confirmed: bool,
    /// Its beginning was told, and its end was not.
    pub announced: bool,
    pub peer: Arc<Peer>,
    /// The pattern was told that this pipe takes nothing, and waits for the opposite.
    pub full: bool,
    pub end: PipeEnd<S>,
}

pub(in crate::socket) enum PipeEnd<S> {
    Stream(StreamEnd<S>),
    Inproc {
        link: Arc<Link>,
        side: Side,
        /// Messages taken over from the link and not received yet.
        taken: Inbox,
    },
    /// The peer has gone. What it sent waits to be received; nothing else is left of the connection.
    Orphaned(Inbox),
}

pub(in crate::socket) struct StreamEnd<S> {
    pub channel: Arc<S>,
    pub framing: Framing,
    /// Its session's key in the reactor's table.
    pub source: usize,
    pub inbox: Inbox,
    pub outbox: Outbox,
    pub writing: Writing,
    /// Why a write has failed.
    pub failed_with: Option<i32>,
    pub traffic: Traffic,
    /// Reading is suspended until the application has caught up.
    pub paused: bool,
    /// Large messages go by reference.
    pub lending: Option<Box<Lending>>,
}

/// Who writes a pipe's outbox, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::socket) enum Writing {
    /// Nobody: nothing waits.
    Idle,
    /// Frames are gathered; the first was queued then.
    Gathering(Instant),
    /// A thread does, or has undertaken to; it takes along what is queued meanwhile.
    Busy,
    /// The kernel takes no more, and the driver waits for that to change. `patient`: so does the thread that writes.
    Blocked { patient: bool },
    /// A write has failed: nothing more goes out. What the peer has sent is read to its end.
    Failed,
}

/// Bytes gathered before their sender writes them itself. A sender of 64 B that is not held up gathers so many in half of GATHER_AGE.
/// With twice as many the worker came in between, and each of its looks cost both (ws: 7.2 instead of 8.6 million a second).
const GATHER: usize = 32 * 1024;

/// A sender that has sent nothing for so long has paused: the worker writes what it has gathered. It is eight batched messages to
/// eight pipes, as only every eighth is timed.
const QUIET: Duration = Duration::from_micros(20);

/// Of a sender that is still at it the worker writes what is older than this, or than writing will take, if that is longer: for
/// each pipe about so long, but this at most.
const GATHER_AGE: Duration = Duration::from_micros(80);
const WRITE: Duration = Duration::from_micros(5);
const GATHER_AGE_MAX: Duration = Duration::from_micros(500);

/// Messages above this size are never worth gathering.
const GATHER_MAX: usize = 8 * 1024;

/// Messages above this size are masked where they are gathered, and not on their way.
const MASKED_DIRECT: usize = 256;

/// What a peer that has gone counts for, besides the messages it has left.
const ORPHAN_COST: usize = 512;

/// How many times NN_RCVBUF peers that have gone may leave behind, together. What one leaves beyond that is dropped: it
/// must not keep others out, and memory is bounded. The last one kept may exceed this by what one peer can leave.
const ORPHANED_MAX: usize = 64;

pub(in crate::socket) struct PipeTable<O: Outside> {
    pub slots: Slab<Pipe<O::Stream>>,
    pub next_serial: u32,
    pub send_buffer: usize,
    pub recv_buffer: usize,
    /// The same for messages that lie in memory of a peer's, whose sender counts them too.
    pub recv_shared: usize,
    pub batching: Batching,
    /// Made when there is something to write down: most of the time there is not.
    pub effects: Option<Box<Effects<O>>>,
    /// The first note to another socket, and most of the time the only one: it needs no memory.
    pub first_post: Option<Post>,
    /// A pipe has begun to gather.
    pub gathering: bool,
    /// Filled only while the sender's memory is at hand (`direct_allowed`).
    pub direct: SmallVec<[Direct<O::Stream>; 1]>,
    pub direct_allowed: bool,
    /// Pipes take whatever they are given.
    pub limitless: bool,
    /// Pipes with gathered frames.
    pub gathered: Vec<PipeId>,
    /// Pipes whose outbox waits for the kernel.
    pub write_blocked: usize,
    /// Pipes that have ended and were read to the last message.
    pub drained: Vec<PipeId>,
    /// Bytes held for peers that have gone.
    pub orphaned_bytes: usize,
    /// Pipes whose reading can go on, and their sources.
    pub resumed: Vec<(usize, PipeId)>,
    /// Messages say which peer they came from (NN_RECV_PEER).
    pub tells_peers: bool,
    /// Masks for WebSocket frames.
    random: fn() -> [u8; 4],
}

impl<O: Outside> PipeTable<O> {
    pub(in crate::socket) fn new(now: Instant, random: fn() -> [u8; 4]) -> Self {
        Self {
            slots: Slab::new(),
            next_serial: 0,
            send_buffer: 0,
            recv_buffer: 0,
            recv_shared: 0,
            batching: Batching::new(now),
            effects: None,
            first_post: None,
            gathering: false,
            direct: SmallVec::new(),
            direct_allowed: false,
            limitless: false,
            gathered: Vec::new(),
            write_blocked: 0,
            drained: Vec::new(),
            orphaned_bytes: 0,
            resumed: Vec::new(),
            tells_peers: false,
            random,
        }
    }

    /// Where to write down what has to be done without the lock.
    pub(in crate::socket) fn effects(&mut self) -> &mut Effects<O> {
        self.effects.get_or_insert_default()
    }

    pub(in crate::socket) fn has_posts(&self) -> bool {
        self.first_post.is_some()
    }

    pub(in crate::socket) fn post(&mut self, post: Option<Post>) {
        let Some(post) = post else { return };
        if self.first_post.is_none() {
            self.first_post = Some(post);
        } else {
            self.effects().posts.push(post);
        }
    }

    pub(in crate::socket) fn post_all(&mut self, posts: Vec<Post>) {
        for post in posts {
            self.post(Some(post));
        }
    }

    pub(in crate::socket) fn insert(&mut self, endpoint: i32, end: PipeEnd<O::Stream>, peer: Arc<Peer>) -> PipeId {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        let pipe =
            Pipe { serial, endpoint, attached: false, confirmed: false, announced: false, peer, full: true, end };
        PipeId { slot: self.slots.insert(pipe) as u32, serial }
    }

    pub(in crate::socket) fn get(&mut self, id: PipeId) -> Option<&mut Pipe<O::Stream>> {
        self.slots.get_mut(id.slot as usize).filter(|pipe| pipe.serial == id.serial)
    }

    pub(in crate::socket) fn stream(&mut self, id: PipeId) -> Option<&mut StreamEnd<O::Stream>> {
        match &mut self.get(id)?.end {
            PipeEnd::Stream(stream) => Some(stream),
            PipeEnd::Inproc { .. } | PipeEnd::Orphaned(_) => None,
        }
    }

    pub(in crate::socket) fn remove(&mut self, id: PipeId) -> Option<Pipe<O::Stream>> {
        self.write_unblocked(id);
        self.get(id)?;
        let pipe = self.slots.remove(id.slot as usize);
        if let PipeEnd::Orphaned(inbox) = &pipe.end {
            self.orphaned_bytes -= ORPHAN_COST + inbox.weight();
        }
        Some(pipe)
    }

    /// The peer of a pipe has gone: everything but its unread messages is given back. False: there are none.
    pub(in crate::socket) fn end(&mut self, id: PipeId) -> bool {
        self.write_unblocked(id);
        let Some(pipe) = self.get(id) else { return false };
        let mut inbox = match std::mem::replace(&mut pipe.end, PipeEnd::Orphaned(Inbox::default())) {
            PipeEnd::Stream(stream) => stream.inbox,
            PipeEnd::Inproc { link, side, mut taken } => {
                link.take_over(side, &mut taken);
                link.close(side);
                let post = link.about_peer(side, Note::Gone);
                self.post(post);
                taken
            }
            PipeEnd::Orphaned(_) => return true,
        };
        if self.orphaned_bytes >= ORPHANED_MAX.saturating_mul(self.recv_buffer.max(ORPHAN_COST)) {
            inbox = Inbox::default();
        }
        inbox.shrink_to_fit();
        let unread = !inbox.is_empty();
        self.orphaned_bytes += ORPHAN_COST + inbox.weight();
        if let Some(pipe) = self.get(id) {
            pipe.end = PipeEnd::Orphaned(inbox);
        }
        unread
    }

    /// The kernel takes bytes again.
    pub(in crate::socket) fn write_unblocked(&mut self, id: PipeId) {
        if let Some(stream) = self.stream(id)
            && let Writing::Blocked { patient } = stream.writing
        {
            stream.writing = if patient { Writing::Busy } else { Writing::Idle };
            self.write_blocked -= 1;
        }
    }

    pub(in crate::socket) fn ids(&self) -> Vec<PipeId> {
        self.slots.iter().map(|(slot, pipe)| PipeId { slot: slot as u32, serial: pipe.serial }).collect()
    }

    pub(in crate::socket) fn of_endpoint(&self, endpoint: i32) -> Vec<PipeId> {
        let pipes = self.slots.iter().filter(|(_, pipe)| pipe.endpoint == endpoint);
        pipes.map(|(slot, pipe)| PipeId { slot: slot as u32, serial: pipe.serial }).collect()
    }

    /// Undertakes to write what waits in a pipe's outbox, unless somebody does so already or the kernel is full.
    pub(in crate::socket) fn start_flush(&mut self, id: PipeId) {
        let Some(stream) = self.stream(id) else { return };
        if matches!(stream.writing, Writing::Idle | Writing::Gathering(_)) && !stream.outbox.is_empty() {
            stream.writing = Writing::Busy;
            self.effects().flushes.push(id);
        }
    }

    /// Takes back the undertaking to write a pipe's outbox, if there is one.
    pub(in crate::socket) fn take_flush(&mut self, id: PipeId) -> bool {
        let Some(after) = &mut self.effects else { return false };
        let before = after.flushes.len();
        after.flushes.retain(|flush| *flush != id);
        after.flushes.len() < before
    }

    /// Gives back the buffers of pipes that have nothing to write.
    pub(in crate::socket) fn rest(&mut self) {
        for (_, pipe) in &mut self.slots {
            if let PipeEnd::Stream(stream) = &mut pipe.end {
                stream.outbox.rest();
            }
        }
    }

    /// Whether a thread writes a pipe in which more has been queued since.
    pub(in crate::socket) fn are_written_to(&self) -> bool {
        self.slots.iter().any(|(_, pipe)| match &pipe.end {
            PipeEnd::Stream(stream) => stream.writing == Writing::Busy && !stream.outbox.is_empty(),
            PipeEnd::Inproc { .. } | PipeEnd::Orphaned(_) => false,
        })
    }

    /// How old gathered output may become.
    pub(in crate::socket) fn gather_age(&self, now: Instant) -> Duration {
        if !self.batching.batches_since(now.checked_sub(QUIET)) {
            return Duration::ZERO;
        }
        (WRITE * self.gathered.len() as u32).clamp(GATHER_AGE, GATHER_AGE_MAX)
    }

    /// Undertakes to write all gathered output that is older than `before` (all of it, if `None`). False: some is left.
    pub(in crate::socket) fn flush_gathered(&mut self, before: Option<Instant>) -> bool {
        let mut kept = Vec::new();
        for id in std::mem::take(&mut self.gathered) {
            let Some(Writing::Gathering(gathered)) = self.stream(id).map(|stream| stream.writing) else { continue };
            if before.is_none_or(|before| gathered <= before) {
                self.start_flush(id);
            } else {
                kept.push(id);
            }
        }
        self.gathered = kept;
        self.gathered.is_empty()
    }

    fn send_stream(&mut self, id: PipeId, message: &mut Outgoing<'_>, last: bool) -> Result<bool> {
        let (gather, now) = (self.batching.batches(), self.batching.now());
        let send_buffer = if self.limitless { usize::MAX } else { self.send_buffer };
        let (direct_allowed, random) = (self.direct_allowed, self.random);
        let Some(mut stream) = self.stream(id) else { return Err(Error::WouldBlock) };
        if !stream.has_room(send_buffer) {
            return Err(Error::WouldBlock);
        }
        let size = message.size();
        if let Some(lending) = &stream.lending
            && size >= lending.min()
        {
            if let Some(has_room) = self.lend(id, message, send_buffer) {
                return Ok(has_room);
            }
            stream = self.stream(id).ok_or(Error::WouldBlock)?;
        }
        let gather = gather && size <= GATHER_MAX;
        let prefix = stream.framing.prefix(size, message.opcode, random);
        let as_it_is = !stream.framing.masks() || size <= MASKED_DIRECT;
        if direct_allowed && as_it_is && !gather && stream.writing == Writing::Idle {
            stream.writing = Writing::Busy;
            stream.traffic.sent(size);
            let direct =
                Direct { pipe: id, channel: Arc::clone(&stream.channel), prefix, wrote: Wrote::Part, written: 0 };
            self.direct.push(direct);
            return Ok(true);
        }
        if Outbox::copies(message.body().len()) || stream.framing.masks() {
            let frame = stream.outbox.push_bytes([prefix.as_slice(), &message.header, message.body()]);
            prefix.mask(frame);
        } else {
            let body = if last { message.take_body() } else { message.share_body() };
            let body = body?;
            stream.outbox.push_bytes([prefix.as_slice(), &message.header, &[]]);
            stream.outbox.push_body(body, 0);
        }
        stream.traffic.sent(size);
        let has_room = stream.has_room(send_buffer);
        match stream.writing {
            Writing::Idle if gather && stream.outbox.bytes() < GATHER => {
                stream.writing = Writing::Gathering(now);
                self.gathered.push(id);
                self.gathering = true;
            }
            Writing::Gathering(_) if gather && stream.outbox.bytes() < GATHER => {}
            _ => self.start_flush(id),
        }
        Ok(has_room)
    }

    /// Sends a reference to a large message in its place, and says whether there is room for more. `None`: it has to go as it is,
    /// behind what prepares for later ones.
    fn lend(&mut self, id: PipeId, message: &Outgoing<'_>, send_buffer: usize) -> Option<bool> {
        let stream = self.stream(id)?;
        let step = stream.lending.as_mut()?.step(message.block(), &message.header);
        let lent = match step {
            Step::Copy => return None,
            Step::Tell(frame) => {
                stream.outbox.push_bytes([frame.as_slice(), &[], &[]]);
                None
            }
            Step::Hand(frame, handed) => {
                stream.outbox.push_handing(frame.as_slice(), handed);
                None
            }
            Step::Lend(frame) => {
                stream.outbox.push_bytes([frame.as_slice(), &message.header, &[]]);
                stream.traffic.sent(message.size());
                Some(stream.has_room(send_buffer))
            }
        };
        self.start_flush(id);
        lent
    }

    /// Bytes from which a message had better lie in shared memory.
    pub(in crate::socket) fn shares_from(&self) -> usize {
        let lending = self.slots.iter().filter_map(|(_, pipe)| match &pipe.end {
            PipeEnd::Stream(stream) => stream.lending.as_ref(),
            PipeEnd::Inproc { .. } | PipeEnd::Orphaned(_) => None,
        });
        lending.filter(|lending| lending.is_open()).map(|lending| lending.min()).min().unwrap_or(usize::MAX)
    }

    /// The peer has said something of memory that we share with it. True: it may have made room.
    pub(in crate::socket) fn hear(&mut self, id: PipeId, heard: Heard) -> Option<bool> {
        let lending = self.stream(id)?.lending.as_mut()?;
        Some(match heard {
            Heard::Ready => lending.hear_ready(),
            Heard::Mapped { number, done } => lending.hear_mapped(number, done),
            Heard::Taken => {
                lending.hear_taken();
                true
            }
        })
    }

    /// Sends frames about that memory, behind what waits already. False: the peer has not read the ones before.
    pub(in crate::socket) fn tell(&mut self, id: PipeId, frames: &[u8]) -> bool {
        let Some(stream) = self.stream(id) else { return true };
        let (quiet, failed) = (stream.outbox.is_empty(), stream.writing == Writing::Failed);
        let Some(lending) = &mut stream.lending else { return true };
        if !lending.may_tell(quiet) {
            return false;
        }
        if !failed {
            stream.outbox.push_bytes([frames, &[], &[]]);
            self.start_flush(id);
        }
        true
    }

    /// Whether the pipe would take another message. If not, the pattern is told when it does.
    pub(in crate::socket) fn is_writable(&mut self, id: PipeId) -> bool {
        let send_buffer = self.send_buffer;
        let Some(pipe) = self.get(id) else { return false };
        let writable = match &pipe.end {
            PipeEnd::Stream(stream) => stream.has_room(send_buffer),
            PipeEnd::Inproc { link, side, .. } => link.is_writable(*side),
            PipeEnd::Orphaned(_) => return false,
        };
        pipe.full = !writable;
        writable
    }
}

impl<S> Pipe<S> {
    /// The peer has gone; the pipe lives on while unread messages wait.
    pub(in crate::socket) fn has_ended(&self) -> bool {
        matches!(self.end, PipeEnd::Orphaned(_))
    }
}

impl<S> StreamEnd<S> {
    /// A pipe takes a message while less than NN_SNDBUF bytes wait in it.
    fn has_room(&self, send_buffer: usize) -> bool {
        self.writing != Writing::Failed
            && (self.outbox.is_empty() || self.outbox.bytes() < send_buffer)
            // What the peer says of its progress is not read while it sends more than we receive.
            && (self.paused || !self.lending.as_ref().is_some_and(|lending| lending.is_full()))
    }

    pub(in crate::socket) fn is_blocked(&self) -> bool {
        matches!(self.writing, Writing::Blocked { .. })
    }

    /// Everything was given to the kernel.
    pub(in crate::socket) fn is_written(&self) -> bool {
        let writes = matches!(self.writing, Writing::Busy | Writing::Blocked { patient: true });
        !writes && self.outbox.is_empty()
    }

    /// The thread that wrote does so no more.
    pub(in crate::socket) fn stop_writing(&mut self) {
        self.writing = match self.writing {
            Writing::Busy => Writing::Idle,
            Writing::Blocked { .. } => Writing::Blocked { patient: false },
            other => other,
        };
    }
}

impl<O: Outside> pattern::Pipes for PipeTable<O> {
    fn send(&mut self, id: PipeId, message: &mut Outgoing<'_>, last: bool) -> Result<bool> {
        // Whoever is written to directly needs the body until then.
        let (last, limitless) = (last && self.direct.is_empty(), self.limitless);
        let Some(pipe) = self.get(id) else { return Err(Error::WouldBlock) };
        let sent = match &pipe.end {
            PipeEnd::Orphaned(_) => return Err(Error::WouldBlock),
            PipeEnd::Stream(_) => self.send_stream(id, message, last),
            PipeEnd::Inproc { link, side, .. } => match link.send(*side, message, last, limitless) {
                Ok(sent) => {
                    if sent.announce {
                        let post = link.about_peer(*side, Note::Readable);
                        self.post(post);
                    }
                    Ok(sent.writable)
                }
                Err(error) => Err(error),
            },
        };
        if matches!(sent, Ok(false) | Err(Error::WouldBlock))
            && let Some(pipe) = self.get(id)
        {
            pipe.full = true;
        }
        sent
    }

    fn recv(&mut self, id: PipeId, message: &mut Message) -> Option<bool> {
        if self.tells_peers { self.recv_named(id, message) } else { self.recv_from(id, message) }
    }
}

impl<O: Outside> PipeTable<O> {
    /// The message says whom it came from.
    #[cold]
    fn recv_named(&mut self, id: PipeId, message: &mut Message) -> Option<bool> {
        let peer = self.get(id).map(|pipe| Arc::clone(&pipe.peer));
        let more = self.recv_from(id, message)?;
        message.peer = peer;
        Some(more)
    }

    #[inline]
    fn recv_from(&mut self, id: PipeId, message: &mut Message) -> Option<bool> {
        let (resume_below, shared_below) = (self.recv_buffer / 2, self.recv_shared / 2);
        let pipe = self.get(id)?;
        match &mut pipe.end {
            PipeEnd::Stream(stream) => {
                if !stream.inbox.pop(message) {
                    return None;
                }
                stream.traffic.received(message.body.len());
                let more = !stream.inbox.is_empty();
                let due = matches!(&message.body, Body::Block(block) if block.is_taken());
                if stream.paused && stream.inbox.own_weight() <= resume_below && stream.inbox.weight() <= shared_below {
                    stream.paused = false;
                    let source = stream.source;
                    self.resumed.push((source, id));
                }
                if due {
                    self.tell(id, Frame::taken().as_slice());
                }
                Some(more)
            }
            PipeEnd::Inproc { link, side, taken } => {
                let received = link.recv(*side, taken, message)?;
                if received.wake_sender {
                    let post = link.about_peer(*side, Note::Writable);
                    self.post(post);
                }
                Some(received.more)
            }
            PipeEnd::Orphaned(inbox) => {
                let before = inbox.weight();
                if !inbox.pop(message) {
                    return None;
                }
                let (left, more) = (inbox.weight(), !inbox.is_empty());
                self.orphaned_bytes -= before - left;
                if !more {
                    self.drained.push(id);
                }
                Some(more)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a beginning")]
mod tests {
    use super::*;

    enum Nothing {}

    impl Outside for Nothing {
        type Stream = ();
        type Thread = ();
        type Endpoint = ();
    }

    #[test]
    fn who_sends_to_many_is_left_alone_for_as_long_as_writing_takes() {
        let start = Instant::now();
        let mut pipes = PipeTable::<Nothing>::new(start, || [0; 4]);
        let ages = |pipes: &mut PipeTable<Nothing>, now| {
            [1, 16, 20, 50, 100, 1000].map(|count| {
                pipes.gathered = vec![PipeId { slot: 0, serial: 0 }; count];
                pipes.gather_age(now).as_micros()
            })
        };
        assert_eq!(ages(&mut pipes, start), [0; 6], "nobody sends");
        let later = start + Duration::from_millis(1);
        (0..20).for_each(|_| {
            pipes.batching.send_begins(start);
            pipes.batching.wrote(1, || later);
            pipes.batching.send_resumes(start);
        });
        assert!(pipes.batching.batches());
        assert_eq!(ages(&mut pipes, start + QUIET), [80, 80, 100, 250, 500, 500]);
        assert_eq!(ages(&mut pipes, start + QUIET * 2), [0; 6], "the sender has fallen quiet");
    }
}
