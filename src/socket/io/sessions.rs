//! Connections: greeted, open, and what comes in and goes out on them.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::ping::Ping;
use super::{Driver, EndpointIo, Io, Source, Timer};
use crate::pattern;
use crate::peer::Peer;
use crate::pipe::{Inbox, Outbox, PipeId};
use crate::scratch;
use crate::socket::core::{Happening, PipeEnd, StreamEnd, Traffic, Writing};
use crate::sys::{self, Interest, shared_memory};
use crate::transport::Side;
use crate::transport::channel::Channel;
use crate::transport::session::{
    Cause, End, Forwarding, Greeting, Heard, Introduction, Progress, Protocols, SCRATCH, Session,
};

/// How long a peer that we part with may take to read why.
const PARTING: Duration = Duration::from_secs(1);

thread_local! {
    /// What one read can bring.
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub(super) struct Connection {
    pub session: Session,
    pub endpoint: i32,
    pub stage: Stage,
    /// When the stage's time is over.
    pub deadline: Option<Instant>,
    /// `None`: not in the poller's set yet.
    pub interest: Option<Interest>,
    pub since: Instant,
    /// The pattern's place is kept for it while it greets.
    pub promised: bool,
    pub peer: Arc<Peer>,
    pub ping: Option<Ping>,
    /// Large messages may go by reference, if the peer likes that too.
    pub shares: bool,
}

pub(super) enum Stage {
    Greeting,
    Open(PipeId),
    /// No longer the pattern's. The peer gets what was accepted, and is given time to read it.
    Lingering {
        pipe: PipeId,
        give_up: Option<Instant>,
        pause: Duration,
        shut: bool,
    },
    /// The peer was told why we part, and is given time to read it. No pipe belongs to it any more.
    Rejecting,
}

impl Driver<'_> {
    pub(super) fn connection(&mut self, source: usize) -> Option<&mut Connection> {
        match self.io.sources.get_mut(source) {
            Some(Source::Session(connection)) => Some(connection),
            _ => None,
        }
    }

    /// Changes what a connection waits for. One that waits for nothing still hears of its end.
    pub(super) fn set_interest(&mut self, source: usize, change: impl FnOnce(&mut Interest)) {
        let poller = self.poller;
        let Some(connection) = self.connection(source) else { return };
        let old = connection.interest;
        let mut new = old.unwrap_or(Interest { read: false, write: false });
        change(&mut new);
        if old == Some(new) {
            return;
        }
        connection.interest = Some(new);
        let stream = connection.session.channel().stream();
        let result = match old {
            None => poller.add(stream, new, source as u64),
            Some(_) => poller.modify(stream, new, source as u64),
        };
        if let Err(error) = result {
            // No memory in the kernel for the registration: a connection nobody watches is a broken one.
            self.end(source, failed(&error));
        }
    }

    pub(super) fn resume(&mut self, source: usize, pipe: PipeId) {
        if self.connection(source).is_some_and(|connection| connection.is(pipe)) {
            self.set_interest(source, |interest| interest.read = true);
        }
    }

    /// `promised`: the pattern's place is kept for this connection.
    pub(super) fn start(&mut self, endpoint: i32, channel: Channel, greeting: Greeting, promised: bool) {
        let now = sys::now();
        let ends = sys::ends_of(channel.stream());
        let user = ends.process.map(|process| process.uid);
        let shares =
            channel.can_share() && self.with(|state| state.options.shares_with(user, shared_memory::own_user()));
        let protocols = Protocols { shares, ..self.protocols(endpoint) };
        let accepted = matches!(
            self.io.endpoints.get(&endpoint),
            Some(EndpointIo::Listener { .. } | EndpointIo::Single(Side::Accepts))
        );
        let peer = self.with(|state| {
            let peer = Arc::new(Peer { pipe: state.number_connection(), ends, ..Peer::default() });
            if accepted {
                state.happened(endpoint, Some(&peer), Happening::Accepted);
            }
            peer
        });
        let session = match Session::start(channel, greeting, protocols) {
            Ok(session) => session,
            Err(end) => {
                self.with(|state| {
                    state.promised &= !promised;
                    state.handshake_failed(endpoint, Some(&peer), end.cause());
                });
                return self.lost(endpoint, now);
            }
        };
        let greeting_time = session.greeting_time();
        let connection = Connection {
            session,
            endpoint,
            stage: Stage::Greeting,
            deadline: None,
            interest: None,
            since: now,
            promised,
            peer,
            ping: None,
            shares,
        };
        let source = self.io.sources.insert(Source::Session(Box::new(connection)));
        self.io.in_transition += 1;
        self.set_deadline(source, Some(now + greeting_time));
        self.set_interest(source, |interest| interest.read = true);
    }

    /// How we introduce ourselves on a connection of this endpoint, and to whom.
    fn protocols(&self, endpoint: i32) -> Protocols {
        let own = self.socket.protocol;
        let peer = pattern::peer_of(own);
        let offers = match self.io.endpoints.get(&endpoint) {
            Some(EndpointIo::Dialer(point)) => point.offers_forwarding(),
            // Of a peer that declines there is no other connection on which to do without. One that dials us may offer.
            Some(EndpointIo::Single(Side::Dials)) => false,
            _ => true,
        };
        let forwarding = match (pattern::forwarding(own), pattern::forwarding(peer)) {
            (Some(own), Some(peer)) if offers && self.with(|state| state.pattern.offers_forwarding()) => {
                Some(Forwarding { own, peer })
            }
            _ => None,
        };
        Protocols { own, peer, forwarding, limited: pattern::is_limited(own), shares: false }
    }

    /// The connection is over. A dialer tries again.
    pub(super) fn end(&mut self, source: usize, cause: Cause) {
        let _whole = sys::CancelGuard::new();
        let Some(Source::Session(connection)) = self.remove(source) else { return };
        match connection.stage {
            Stage::Greeting => {
                self.with(|state| state.handshake_failed(connection.endpoint, Some(&connection.peer), cause));
                if connection.promised
                    && let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get_mut(&connection.endpoint)
                {
                    point.contended = true;
                }
                self.lost(connection.endpoint, connection.since);
            }
            Stage::Open(pipe) => {
                self.with(|state| {
                    // What the system has told to who wrote it does not tell again.
                    let failed = state.pipes.stream(pipe).and_then(|stream| stream.failed_with);
                    let cause = failed.map_or(cause, Cause::Failed);
                    state.end_pipe(sys::now(), pipe, cause);
                });
                self.lost(connection.endpoint, connection.since);
            }
            Stage::Lingering { pipe, .. } => {
                self.with(|state| state.remove_pipe(sys::now(), pipe));
            }
            Stage::Rejecting => {}
        }
    }

    /// The connection is over for us, and the peer shall know why. A dialer tries again.
    fn reject(&mut self, source: usize, farewell: &[u8], cause: Cause) {
        let _whole = sys::CancelGuard::new();
        let Some(connection) = self.connection(source) else { return };
        let (stage, endpoint, since) = (&connection.stage, connection.endpoint, connection.since);
        let pipe = if let Stage::Open(pipe) = stage { Some(*pipe) } else { None };
        if std::mem::take(&mut connection.promised) {
            self.with(|state| state.promised = false);
        }
        let Some(connection) = self.connection(source) else { return };
        let channel = Arc::clone(connection.session.channel());
        let peer = Arc::clone(&connection.peer);
        let mut quiet = true;
        if pipe.is_none() {
            self.with(|state| state.handshake_failed(endpoint, Some(&peer), cause));
        }
        if let Some(pipe) = pipe {
            self.with(|state| {
                // In the middle of another frame it would not be understood.
                quiet = state.pipes.stream(pipe).is_none_or(|stream| stream.is_written());
                state.end_pipe(sys::now(), pipe, cause);
            });
        }
        if !farewell.is_empty() && (!quiet || channel.send(farewell).is_err()) {
            // Not `end`: it has no pipe any more.
            self.remove(source);
            return self.lost(endpoint, since);
        }
        let _ = channel.finish();
        if let Some(connection) = self.connection(source) {
            connection.stage = Stage::Rejecting;
        }
        self.io.in_transition += usize::from(pipe.is_some());
        self.set_deadline(source, Some(sys::now() + PARTING));
        self.set_interest(source, |interest| *interest = Interest { read: true, write: channel.wants_write() });
        self.lost(endpoint, since);
    }

    pub(super) fn source_expired(&mut self, source: usize) {
        if matches!(self.io.sources.get(source), Some(Source::Connecting(..))) {
            return self.connect_expired(source);
        }
        let Some(connection) = self.connection(source) else { return };
        connection.deadline = None;
        match connection.stage {
            Stage::Greeting => {
                // It may be us who are late, on a busy machine: what has come in time counts.
                self.read(source);
                let Some(connection) = self.connection(source) else { return };
                // Whose handshake was over has its time for the greeting.
                if matches!(connection.stage, Stage::Greeting) && connection.deadline.is_none() {
                    let more = if self.with(|state| state.has_room()) { self.go_on(source) } else { None };
                    match more {
                        Some(time) => self.set_deadline(source, Some(sys::now() + time)),
                        None => self.end(source, Cause::Timeout),
                    }
                }
            }
            Stage::Rejecting => self.end(source, Cause::Timeout),
            Stage::Open(pipe) => {
                // Likewise: of many answers that came while we were stopped one wait has found some.
                if connection.ping.is_some_and(|ping| ping.is_unanswered()) {
                    self.read(source);
                }
                if self.connection(source).is_some_and(|connection| connection.is(pipe)) {
                    self.look_for_life(source, pipe);
                }
            }
            Stage::Lingering { .. } => self.continue_linger(source),
        }
    }

    fn go_on(&mut self, source: usize) -> Option<Duration> {
        self.connection(source)?.session.go_on()
    }

    pub(super) fn set_deadline(&mut self, source: usize, at: Option<Instant>) {
        let deadline = match self.io.sources.get_mut(source) {
            Some(Source::Session(connection)) => &mut connection.deadline,
            Some(Source::Connecting(.., deadline)) => deadline,
            Some(Source::Listener(_)) | None => return,
        };
        let old = std::mem::replace(deadline, at);
        if let Some(old) = old {
            self.io.timers.stop(old, Timer::Source(source));
        }
        if let Some(at) = at {
            self.io.timers.start(at, Timer::Source(source));
        }
    }

    /// A connection of this endpoint has ended other than by us.
    pub(super) fn lost(&mut self, endpoint: i32, since: Instant) {
        let closing = self.with(|state| {
            state.stats.broken_connections += 1;
            state.is_closing()
        });
        if closing {
            return;
        }
        if let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) {
            point.backoff.connected_for(sys::now().saturating_duration_since(since));
            point.addresses.clear();
            let pause = self.redial_later(endpoint);
            self.with(|state| state.happened(endpoint, None, Happening::Retrying(pause)));
        }
    }

    /// Reads once, and hands on what came.
    pub(super) fn read(&mut self, source: usize) {
        let limit = u64::try_from(self.socket.recv_max.load(Ordering::Relaxed)).ok();
        let Io { sources, frames, .. } = &mut *self.io;
        let Some(Source::Session(connection)) = sources.get_mut(source) else { return };
        if matches!(connection.stage, Stage::Lingering { .. } | Stage::Rejecting) {
            return self.read_to_nothing(source);
        }
        let Progress { came, secured, greeted, replies, answers, heard, end } =
            with_scratch(|scratch| connection.session.read(scratch, limit, frames));
        if came && let Some(ping) = &mut connection.ping {
            ping.heard();
        }
        if let Some(time) = secured {
            self.secured(source, time);
        }
        let fits = greeted.is_none_or(|peer| self.open(source, &peer));
        if fits {
            self.deliver(source);
        }
        // What nobody took must not reach another connection.
        self.io.frames.clear();
        if !fits {
            return;
        }
        if !replies.is_empty() {
            self.reply(source, &replies);
        }
        let shared = !answers.is_empty() || !heard.is_empty();
        if shared && !self.share(source, &answers, &heard) {
            return self.end(source, Cause::Violation("It does not read what it has asked for."));
        }
        match end {
            None => self.await_room(source),
            Some(End::Declined) => self.declined(source),
            Some(End::Rejected(farewell, cause)) => self.reject(source, &farewell, cause),
            Some(end) => self.end(source, end.cause()),
        }
    }

    /// What was said of shared memory, on both sides. False: the peer asks and does not read.
    #[cold]
    fn share(&mut self, source: usize, answers: &[u8], heard: &[Heard]) -> bool {
        let Some(connection) = self.connection(source) else { return true };
        let Stage::Open(pipe) = connection.stage else { return true };
        let mut held = self.lock();
        let fits = heard.iter().all(|&heard| held.pipes.hear(pipe, heard).unwrap_or(true));
        let told = answers.is_empty() || held.pipes.tell(pipe, answers);
        let now = sys::now();
        held.room_changed(now, pipe);
        let from = held.pipes.shares_from();
        held.release();
        self.socket.shares_from.store(from, Ordering::Relaxed);
        fits && told
    }

    /// The handshake of TLS is over.
    fn secured(&mut self, source: usize, time: Duration) {
        let Some(connection) = self.connection(source) else { return };
        if matches!(connection.stage, Stage::Greeting) {
            self.set_deadline(source, Some(sys::now() + time));
        }
    }

    /// What TLS has to say of its own accord may have found the kernel full.
    fn await_room(&mut self, source: usize) {
        if self.connection(source).is_some_and(|connection| connection.session.channel().wants_write()) {
            self.set_interest(source, |interest| interest.write = true);
        }
    }

    /// Control frames go out behind what waits already. To a peer that does not read they do not.
    pub(super) fn reply(&mut self, source: usize, frames: &[u8]) {
        let Some(connection) = self.connection(source) else { return };
        let Stage::Open(pipe) = connection.stage else { return };
        self.with(|state| {
            let limit = state.pipes.send_buffer;
            let Some(stream) = state.pipes.stream(pipe) else { return };
            if stream.writing != Writing::Failed && stream.outbox.bytes() < limit {
                stream.outbox.push_bytes([frames, &[], &[]]);
                state.pipes.start_flush(pipe);
            }
        });
    }

    /// The peer has told its type, and whether subscriptions travel: the pattern decides. Only then does a peer that has
    /// dialled hear that we agree, and what it sends from then on is not lost.
    fn open(&mut self, source: usize, peer: &Introduction) -> bool {
        self.set_deadline(source, None);
        let fits = pattern::compatible(self.socket.protocol, peer.protocol);
        let Some(connection) = self.connection(source) else { return false };
        let promised = std::mem::take(&mut connection.promised);
        let certificate = connection.session.channel().certificate();
        let introduced = Peer { protocol: Some(peer.protocol), certificate, ..(*connection.peer).clone() };
        connection.peer = Arc::new(introduced);
        let known = Arc::clone(&connection.peer);
        let channel = Arc::clone(connection.session.channel());
        let shares = connection.shares;
        let mut end = StreamEnd {
            channel: Arc::clone(&channel),
            framing: connection.session.framing(),
            source,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            writing: Writing::Idle,
            failed_with: None,
            traffic: Traffic::default(),
            paused: false,
            lending: None,
        };
        let endpoint = connection.endpoint;
        let mut held = self.lock();
        if peer.shares {
            end.lending = Some(Box::new(held.options.lending()));
        }
        held.promised &= !promised;
        if channel.is_tls() {
            // Not before: a client's handshake is over before its server has looked at the certificate (RFC 8446, section 2).
            held.endpoint_works(endpoint);
        }
        let taken = fits && held.has_room();
        let pipe = taken.then(|| held.add_pipe(endpoint, PipeEnd::Stream(end), known, peer.forwards)).flatten();
        // One of another type learns ours. One that there is no room for does not: it dials again. Under the lock, because
        // nobody may find a pipe that takes no messages yet, and nothing may go out before this.
        let answered = (!fits || pipe.is_some()) && answer(&channel, &peer.answer, shares);
        if let Some(pipe) = pipe.filter(|_| answered) {
            held.pipe_writable(sys::now(), pipe);
        }
        held.release();
        let Some(pipe) = pipe else {
            let cause = match fits {
                _ if self.with(|state| state.is_closing()) => Cause::Shutdown,
                true => Cause::Refused,
                false => Cause::Type,
            };
            if fits && !peer.refusal.is_empty() {
                self.reject(source, peer.refusal, cause);
            } else {
                self.end(source, cause);
            }
            return false;
        };
        if let Some(connection) = self.connection(source) {
            connection.stage = Stage::Open(pipe);
            self.io.in_transition -= 1;
        }
        if !answered {
            let peer = self.connection(source).map(|connection| Arc::clone(&connection.peer));
            let cause = Cause::Closed;
            self.with(|state| state.handshake_failed(endpoint, peer.as_ref(), cause));
            self.end(source, cause);
            return false;
        }
        self.expect_life(source);
        if let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) {
            point.opened();
        }
        true
    }

    /// Hands what was read to the pattern.
    fn deliver(&mut self, source: usize) {
        let Io { sources, frames, .. } = &mut *self.io;
        if frames.is_empty() {
            return;
        }
        let Some(Source::Session(connection)) = sources.get_mut(source) else { return };
        let Stage::Open(pipe) = connection.stage else { return };
        let mut held = super::lock(self.socket, self.awake);
        let (full, shared_full) = (held.pipes.recv_buffer, held.pipes.recv_shared);
        let Some(stream) = held.pipes.stream(pipe) else { return held.release() };
        let was_empty = stream.inbox.is_empty();
        stream.inbox.append(frames);
        let inbox = &stream.inbox;
        let pause = !stream.paused && (inbox.own_weight() >= full || inbox.weight() >= shared_full);
        stream.paused |= pause;
        let waits = pause && stream.lending.as_ref().is_some_and(|lending| lending.is_full());
        if was_empty {
            let now = held.pipes.batching.now();
            held.pipe_readable(now, pipe);
        }
        if waits {
            // What it waits for is not read any more.
            held.room_changed(sys::now(), pipe);
        }
        held.release();
        if pause {
            self.set_interest(source, |interest| interest.read = false);
        }
    }

    /// The kernel takes bytes again.
    pub(super) fn write(&mut self, source: usize) {
        let Some(connection) = self.connection(source) else { return };
        let channel = Arc::clone(connection.session.channel());
        let (Stage::Open(pipe) | Stage::Lingering { pipe, .. }) = connection.stage else {
            // The next read reports a write that has failed.
            let written = if matches!(connection.stage, Stage::Rejecting) { channel.finish() } else { channel.flush() };
            if written.unwrap_or(true) {
                self.set_interest(source, |interest| interest.write = false);
            }
            return;
        };
        let _ = channel.flush();
        let mut held = self.lock();
        held.pipes.write_unblocked(pipe);
        held.wake_writer(pipe);
        held.pipes.start_flush(pipe);
        held.release();
        // What waited is written now, or its writer was woken. A pipe that is full again has asked for room again.
        let write_blocked = self.with(|state| state.pipes.stream(pipe).is_some_and(|stream| stream.is_blocked()));
        if !write_blocked && !channel.wants_write() {
            self.set_interest(source, |interest| interest.write = false);
        }
        self.continue_linger(source);
    }
}

impl Connection {
    pub(super) fn is(&self, pipe: PipeId) -> bool {
        match self.stage {
            Stage::Open(own) | Stage::Lingering { pipe: own, .. } => own == pipe,
            Stage::Greeting | Stage::Rejecting => false,
        }
    }
}

/// A connection that the system has given up.
pub(super) fn failed(error: &std::io::Error) -> Cause {
    Cause::Failed(sys::code_of(error, &sys::reset()))
}

/// A connection that is greeted has room for the answer.
fn answer(channel: &Channel, bytes: &[u8], shares: bool) -> bool {
    bytes.is_empty() || channel.greet(bytes, shares).is_ok_and(|sent| sent == bytes.len())
}

pub(super) fn with_scratch<T>(action: impl FnOnce(&mut [u8]) -> T) -> T {
    scratch::with(&SCRATCH_BUFFER, SCRATCH, |buffer| action(buffer))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::message::Message;
    use crate::socket::Socket;
    #[cfg(any(tls, ws))]
    use crate::socket::core::OptionInput;
    use crate::socket::library::Library;
    use crate::sys::{self, Poller};

    /// From now on nobody drives but this test.
    fn alone<'a>(socket: &'a Socket, action: impl FnOnce(&mut Io, &Poller) + 'a) {
        let mut held = socket.lock();
        while !held.lease.take() {
            held.release();
            std::thread::yield_now();
            held = socket.lock();
        }
        let (presence, held) = held.begin_call(true);
        held.release();
        let reactor = socket.reactor.get().unwrap();
        let mut io = reactor.io.lock();
        action(&mut io, &reactor.poller);
        drop(io);
        let mut held = socket.lock();
        presence.end(&mut held);
        held.leave_lease(true);
        held.release();
    }

    fn pass(until: Instant) {
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What was there before the time was over is taken, even if nobody has looked so far: the peer has done its part, and
    /// may have sent and closed already.
    #[test]
    fn a_greeting_that_came_in_time_counts_though_we_are_late() {
        let library = Arc::new(Library::new(sys::generation(), Arc::default()));
        let pull = Socket::new(library, sys::generation(), pattern::PULL, false, "late".to_owned()).unwrap();
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        pull.bind(format!("tcp://{at}").as_bytes()).unwrap();
        let mut push = TcpStream::connect(at).unwrap();
        let mut greeting = [0; 8];
        push.read_exact(&mut greeting).unwrap();

        alone(&pull, |io, poller| {
            let deadline = io.next_deadline().expect("a greeting has some time");
            push.write_all(b"\0SP\0\0\x50\0\0\0\0\0\0\0\0\0\x01x").unwrap();
            drop(push);
            pass(deadline);
            io.serve(&pull, poller, std::iter::empty());
        });

        let mut message = Message::default();
        pull.recv(&mut message, true).unwrap();
        assert_eq!(message.body.as_slice(), b"x");
        pull.close(Instant::now()).unwrap();
    }

    #[cfg(all(tls, unix))]
    #[test]
    fn a_handshake_that_came_in_time_counts_though_we_are_late() {
        use crate::transport::tls::fuzzing;
        let library = Arc::new(Library::new(sys::generation(), Arc::default()));
        let pull = Socket::new(library, sys::generation(), pattern::PULL, false, "late".to_owned()).unwrap();
        pull.set_option(0, 5, OptionInput { bytes: &5000_i32.to_ne_bytes(), address: 0 }).unwrap();
        pull.set_option(-1002, 1002, OptionInput { bytes: &fuzzing::certificate_and_key(), address: 0 }).unwrap();
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        pull.bind(format!("tls+tcp://{at}").as_bytes()).unwrap();
        let mut push = TcpStream::connect(at).unwrap();
        let mut tls = fuzzing::connection(false);
        tls.write_tls(&mut push).unwrap();
        while tls.is_handshaking() {
            tls.read_tls(&mut push).unwrap();
            tls.process_new_packets().unwrap();
        }

        alone(&pull, |io, poller| {
            let deadline = io.next_deadline().expect("a handshake has some time");
            tls.complete_io(&mut push).unwrap();
            pass(deadline);
            io.serve(&pull, poller, std::iter::empty());
        });

        tls.writer().write_all(b"\0SP\0\0\x50\0\0\0\0\0\0\0\0\0\x01x").unwrap();
        tls.complete_io(&mut push).unwrap();
        let mut message = Message::default();
        pull.recv(&mut message, false).unwrap();
        assert_eq!(message.body.as_slice(), b"x");
        pull.close(Instant::now()).unwrap();
    }

    /// Of many answers one wait finds some, and the time of the others may be over as well.
    #[test]
    #[cfg(ws)]
    fn an_answer_that_came_in_time_is_a_sign_of_life_though_we_are_late() {
        let library = Arc::new(Library::new(sys::generation(), Arc::default()));
        let pull = Socket::new(library, sys::generation(), pattern::PULL, false, "late".to_owned()).unwrap();
        pull.set_option(-4, 1001, OptionInput { bytes: &100_i32.to_ne_bytes(), address: 0 }).unwrap();
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        pull.bind(format!("ws://{at}").as_bytes()).unwrap();
        let mut peer = TcpStream::connect(at).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: pull.sp.nanomsg.org\r\n\r\n";
        peer.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        peer.set_nonblocking(true).unwrap();

        let connections = || pull.with(|state| state.stats.current_connections);
        alone(&pull, |io, poller| {
            let look = |io: &mut Io| {
                pass(io.next_deadline().expect("there is a look to come"));
                io.serve(&pull, poller, std::iter::empty());
            };
            let mut ping = [0; 2];
            while peer.read_exact(&mut ping).is_err() {
                look(io);
            }
            assert_eq!(ping, *b"\x89\0");
            peer.write_all(b"\x8a\x80\0\0\0\0").unwrap();
            look(io);
            assert_eq!(connections(), 1, "it has answered");
            look(io);
            look(io);
            assert_eq!(connections(), 0, "it was asked again, and has not");
        });
        pull.close(Instant::now()).unwrap();
    }
}
