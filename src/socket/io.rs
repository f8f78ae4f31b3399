//! A socket's descriptors: listeners, dialers and sessions, and what their readiness means. Used only by the holder of the
//! lease; it takes the socket's lock for a moment whenever something has to be told.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use slab::Slab;
use socket2::{Domain, SockAddr, Socket as Stream};

use super::pipes::{PipeEnd, StreamEnd};
use super::{Held, Socket};
use crate::codec::Framing;
use crate::pattern;
use crate::pipe::{Inbox, Outbox, PipeId};
use crate::reactor::timers::Timers;
use crate::sys::{self, Events, Interest, Poller};
use crate::transport::backoff::Backoff;
use crate::transport::session::{Progress, SCRATCH, Session};
use crate::transport::{Dialer, Listener, Settings, Target, concerns_only_the_peer, is_exhausted};

/// What callers ask the driver to do.
pub(super) enum Command {
    Listen(i32, Box<dyn Listener>),
    Dial(i32, Box<dyn Dialer>, Backoff),
    Resolved(i32, Vec<SocketAddr>),
    /// The endpoint ends; its sessions write what they have accepted.
    Close(i32),
    /// A pipe's outbox waits for the kernel.
    AwaitRoom(usize, PipeId),
    /// A write has failed.
    Broken(usize, PipeId),
}

/// Time for the whole greeting.
const GREETING: Duration = Duration::from_secs(1);

/// Peers taken from one listener before others have their turn.
const ACCEPTS: usize = 64;

/// Pause of a listener when descriptors or memory have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// First and longest pause between two looks at a connection that is being ended.
const ENDING: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));

thread_local! {
    /// What one read can bring. It belongs to the thread, so that idle connections need no buffer.
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[derive(Default)]
pub(super) struct Io {
    sources: Slab<Source>,
    endpoints: HashMap<i32, Point>,
    timers: Timers<Timer>,
    events: Events,
    /// Memory for the frames of one read.
    frames: Inbox,
    /// Sources that are neither listeners nor open connections.
    unsettled: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Redial(i32),
    Accept(i32),
    Source(usize),
}

enum Source {
    Listener(i32),
    Connecting(i32, Stream),
    Session(Box<Connection>),
}

struct Connection {
    session: Session,
    endpoint: i32,
    stage: Stage,
    /// When the stage's time is over.
    deadline: Option<Instant>,
    interest: Option<Interest>,
    since: Instant,
}

enum Stage {
    Greeting,
    Open(PipeId),
    /// No longer the pattern's. The peer gets what was accepted, and is given time to read it.
    Ending {
        pipe: PipeId,
        give_up: Option<Instant>,
        pause: Duration,
        shut: bool,
    },
}

enum Point {
    Listener { listener: Box<dyn Listener>, source: Option<usize>, pause: Option<Instant> },
    Dialer(DialPoint),
}

struct DialPoint {
    dialer: Box<dyn Dialer>,
    backoff: Backoff,
    /// Addresses of the name that were not tried yet.
    addresses: VecDeque<SockAddr>,
    redial: Option<Instant>,
}

impl Io {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(super) fn unsettled(&self) -> usize {
        self.unsettled
    }

    /// Nothing is listening, dialling, open or ending.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.endpoints.is_empty()
    }

    /// Obeys commands, waits once, and serves what is ready or due. An error is a signal that ended the wait, or a poller
    /// that is gone.
    pub(super) fn run(
        &mut self,
        socket: &Socket,
        poller: &Poller,
        commands: Vec<Command>,
        resumed: Vec<(usize, PipeId)>,
        timeout: Option<Duration>,
    ) -> std::io::Result<()> {
        let mut driver = Driver { io: self, socket, poller, awake: false };
        for (source, pipe) in resumed {
            driver.resume(source, pipe);
        }
        for command in commands {
            driver.obey(command);
        }
        let mut events = std::mem::take(&mut driver.io.events);
        let waited = poller.wait(&mut events, timeout);
        driver.awake = true;
        if waited.is_ok() {
            for (source, ready) in events.iter() {
                driver.serve(source, ready);
            }
        }
        driver.io.events = events;
        driver.expire();
        waited.map(drop)
    }
}

/// The table together with what it works on, for the length of one turn.
struct Driver<'a> {
    io: &'a mut Io,
    socket: &'a Socket,
    poller: &'a Poller,
    /// The wait is over.
    awake: bool,
}

impl Driver<'_> {
    fn lock(&self) -> Held<'_> {
        let mut held = self.socket.lock();
        if self.awake {
            // And looking: nobody needs to interrupt.
            held.lease.wake();
        }
        held
    }

    fn settings(&self) -> Settings {
        self.lock().options.settings()
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Listen(endpoint, listener) => {
                let point = Point::Listener { listener, source: None, pause: None };
                self.io.endpoints.insert(endpoint, point);
                self.listen(endpoint);
            }
            Command::Dial(endpoint, dialer, backoff) => {
                let point = DialPoint { dialer, backoff, addresses: VecDeque::new(), redial: None };
                self.io.endpoints.insert(endpoint, Point::Dialer(point));
                self.dial(endpoint);
            }
            Command::Resolved(endpoint, addresses) => self.resolved(endpoint, addresses),
            Command::Close(endpoint) => self.close(endpoint),
            Command::AwaitRoom(source, pipe) => {
                if self.connection(source).is_some_and(|connection| connection.is(pipe)) {
                    self.set_interest(source, |interest| interest.write = true);
                }
            }
            Command::Broken(source, pipe) => {
                if let Some(connection) = self.connection(source).filter(|connection| connection.is(pipe)) {
                    let _ = connection.session.stream().shutdown(Shutdown::Write);
                    self.set_interest(source, |interest| interest.write = false);
                }
            }
        }
    }

    fn connection(&mut self, source: usize) -> Option<&mut Connection> {
        match self.io.sources.get_mut(source) {
            Some(Source::Session(connection)) => Some(connection),
            _ => None,
        }
    }

    /// Changes what a connection waits for. One that waits for nothing leaves the set: the kernel would report its errors
    /// for ever.
    fn set_interest(&mut self, source: usize, change: impl FnOnce(&mut Interest)) {
        let poller = self.poller;
        let Some(connection) = self.connection(source) else { return };
        let old = connection.interest;
        let mut new = old.unwrap_or(Interest { read: false, write: false });
        change(&mut new);
        let new = Some(new).filter(|new| new.read || new.write);
        if old == new {
            return;
        }
        connection.interest = new;
        let stream = connection.session.stream();
        let result = match (old, new) {
            (Some(_), None) => poller.remove(&**stream),
            (None, Some(new)) => poller.add(&**stream, new, source),
            (_, Some(new)) => poller.modify(&**stream, new, source),
            (None, None) => Ok(()),
        };
        if result.is_err() {
            // No memory in the kernel for the registration: a connection nobody watches is a broken one.
            self.end(source);
        }
    }

    fn resume(&mut self, source: usize, pipe: PipeId) {
        if self.connection(source).is_some_and(|connection| connection.is(pipe)) {
            self.set_interest(source, |interest| interest.read = true);
        }
    }

    fn serve(&mut self, source: usize, ready: Interest) {
        match self.io.sources.get(source) {
            Some(Source::Listener(endpoint)) => self.accept(*endpoint),
            Some(Source::Connecting(..)) => self.connected(source),
            Some(Source::Session(_)) => {
                if ready.write {
                    self.write(source);
                }
                if ready.read {
                    self.read(source);
                }
            }
            None => {}
        }
    }

    fn expire(&mut self) {
        if self.io.timers.next().is_none() {
            return;
        }
        let now = Instant::now();
        while let Some(timer) = self.io.timers.pop_due(now) {
            match timer {
                Timer::Redial(endpoint) => {
                    if let Some(Point::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) {
                        point.redial = None;
                        self.dial(endpoint);
                    }
                }
                Timer::Accept(endpoint) => {
                    if let Some(Point::Listener { pause, .. }) = self.io.endpoints.get_mut(&endpoint) {
                        *pause = None;
                        self.listen(endpoint);
                    }
                }
                Timer::Source(source) => self.source_expired(source),
            }
        }
    }

    fn source_expired(&mut self, source: usize) {
        let Some(connection) = self.connection(source) else { return };
        connection.deadline = None;
        match connection.stage {
            Stage::Greeting => self.end(source),
            Stage::Open(_) => {}
            Stage::Ending { .. } => self.go_on_ending(source),
        }
    }

    fn set_deadline(&mut self, source: usize, at: Option<Instant>) {
        let Some(connection) = self.connection(source) else { return };
        let old = std::mem::replace(&mut connection.deadline, at);
        if let Some(old) = old {
            self.io.timers.stop(old, Timer::Source(source));
        }
        if let Some(at) = at {
            self.io.timers.start(at, Timer::Source(source));
        }
    }

    // Listening

    fn listen(&mut self, endpoint: i32) {
        let Some(Point::Listener { listener, source, .. }) = self.io.endpoints.get_mut(&endpoint) else { return };
        let key = *source.get_or_insert_with(|| self.io.sources.insert(Source::Listener(endpoint)));
        if self.poller.add(listener.source(), Interest::READ, key).is_err() {
            self.pause_accepting(endpoint);
        }
    }

    fn accept(&mut self, endpoint: i32) {
        let settings = self.settings();
        for _ in 0..ACCEPTS {
            let Some(Point::Listener { listener, .. }) = self.io.endpoints.get(&endpoint) else { return };
            let framing = listener.framing();
            match listener.accept(settings) {
                Ok(stream) => {
                    let mut held = self.lock();
                    held.stats.accepted_connections += 1;
                    held.endpoint_works(endpoint);
                    drop(held);
                    self.start(endpoint, stream, framing);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    let mut held = self.lock();
                    if error.kind() != std::io::ErrorKind::ConnectionAborted {
                        held.stats.accept_errors += 1;
                    }
                    if is_exhausted(&error) {
                        held.endpoint_error(self.socket, endpoint, error.raw_os_error().unwrap_or(libc::EMFILE));
                    }
                    drop(held);
                    if !concerns_only_the_peer(&error) {
                        let Some(Point::Listener { listener, .. }) = self.io.endpoints.get(&endpoint) else { return };
                        let _ = self.poller.remove(listener.source());
                        self.pause_accepting(endpoint);
                        return;
                    }
                }
            }
        }
    }

    fn pause_accepting(&mut self, endpoint: i32) {
        let Some(Point::Listener { pause, .. }) = self.io.endpoints.get_mut(&endpoint) else { return };
        let at = Instant::now() + ACCEPT_PAUSE;
        *pause = Some(at);
        self.io.timers.start(at, Timer::Accept(endpoint));
    }

    // Dialling

    fn dial(&mut self, endpoint: i32) {
        let Some(Point::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
        match point.dialer.target() {
            Target::Known(addresses) => {
                point.addresses = addresses.into();
                self.dial_next(endpoint);
            }
            Target::Name(host, port) => {
                let ipv4_only = self.settings().ipv4_only;
                let me = self.socket.me.clone();
                let answer = move |addresses| {
                    if let Some(socket) = me.upgrade() {
                        let mut held = socket.lock();
                        if !held.closing {
                            held.commands.push(Command::Resolved(endpoint, addresses));
                        }
                    }
                };
                self.socket.library.resolver.look_up(host, port, ipv4_only, Box::new(answer));
            }
        }
    }

    fn resolved(&mut self, endpoint: i32, addresses: Vec<SocketAddr>) {
        let Some(Point::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
        point.addresses = addresses.into_iter().map(Into::into).collect();
        self.dial_next(endpoint);
    }

    /// Tries the next address, or waits before starting over.
    fn dial_next(&mut self, endpoint: i32) {
        let settings = self.settings();
        loop {
            let Some(Point::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
            let Some(address) = point.addresses.pop_front() else { return self.redial_later(endpoint) };
            match point.dialer.dial(&address, settings) {
                Ok(stream) => {
                    let source = self.io.sources.vacant_entry().key();
                    match self.poller.add(&stream, Interest::WRITE, source) {
                        Ok(()) => {
                            self.io.sources.insert(Source::Connecting(endpoint, stream));
                            self.io.unsettled += 1;
                            self.lock().stats.inprogress_connections += 1;
                            return;
                        }
                        Err(error) => self.connect_failed(endpoint, &error),
                    }
                }
                Err(error) => self.connect_failed(endpoint, &error),
            }
        }
    }

    fn connect_failed(&self, endpoint: i32, error: &std::io::Error) {
        let mut held = self.lock();
        held.stats.connect_errors += 1;
        held.endpoint_error(self.socket, endpoint, error.raw_os_error().unwrap_or(libc::ECONNREFUSED));
    }

    fn redial_later(&mut self, endpoint: i32) {
        let Some(Point::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
        let at = Instant::now() + point.backoff.next_delay();
        if let Some(old) = point.redial.replace(at) {
            self.io.timers.stop(old, Timer::Redial(endpoint));
        }
        self.io.timers.start(at, Timer::Redial(endpoint));
    }

    /// A connect has succeeded or failed.
    fn connected(&mut self, source: usize) {
        let Some(Source::Connecting(endpoint, stream)) = self.io.sources.try_remove(source) else { return };
        self.io.unsettled -= 1;
        let _ = self.poller.remove(&stream);
        let failed = stream.take_error().unwrap_or_else(Some);
        let mut held = self.lock();
        held.stats.inprogress_connections -= 1;
        match failed {
            Some(error) => {
                drop(held);
                drop(stream);
                self.connect_failed(endpoint, &error);
                self.dial_next(endpoint);
            }
            None => {
                held.stats.established_connections += 1;
                held.endpoint_works(endpoint);
                drop(held);
                let Some(Point::Dialer(point)) = self.io.endpoints.get(&endpoint) else { return };
                let framing = point.dialer.framing();
                self.start(endpoint, stream, framing);
            }
        }
    }

    // Connections

    fn start(&mut self, endpoint: i32, stream: Stream, framing: Framing) {
        let now = Instant::now();
        let Ok(session) = Session::start(stream, framing, self.socket.protocol) else {
            return self.lost(endpoint, now);
        };
        let connection =
            Connection { session, endpoint, stage: Stage::Greeting, deadline: None, interest: None, since: now };
        let source = self.io.sources.insert(Source::Session(Box::new(connection)));
        self.io.unsettled += 1;
        self.set_deadline(source, Some(now + GREETING));
        self.set_interest(source, |interest| interest.read = true);
    }

    /// The connection is over. A dialer tries again.
    fn end(&mut self, source: usize) {
        let Some(Source::Session(connection)) = self.remove(source) else { return };
        match connection.stage {
            Stage::Greeting => self.lost(connection.endpoint, connection.since),
            Stage::Open(pipe) => {
                let mut held = self.lock();
                held.end_pipe(self.socket, pipe);
                drop(held);
                self.lost(connection.endpoint, connection.since);
            }
            Stage::Ending { pipe, .. } => {
                self.lock().remove_pipe(self.socket, pipe);
            }
        }
    }

    fn remove(&mut self, source: usize) -> Option<Source> {
        self.set_deadline(source, None);
        let removed = self.io.sources.try_remove(source)?;
        match &removed {
            Source::Session(connection) => {
                if connection.interest.is_some() {
                    let _ = self.poller.remove(&**connection.session.stream());
                }
                if !matches!(connection.stage, Stage::Open(_)) {
                    self.io.unsettled -= 1;
                }
            }
            Source::Connecting(_, stream) => {
                let _ = self.poller.remove(stream);
                self.io.unsettled -= 1;
                self.lock().stats.inprogress_connections -= 1;
            }
            Source::Listener(_) => {}
        }
        Some(removed)
    }

    /// A connection of this endpoint has ended other than by us.
    fn lost(&mut self, endpoint: i32, since: Instant) {
        self.lock().stats.broken_connections += 1;
        if let Some(Point::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) {
            point.backoff.connected_for(since.elapsed());
            point.addresses.clear();
            self.redial_later(endpoint);
        }
    }

    fn read(&mut self, source: usize) {
        let limit = u64::try_from(self.socket.recv_max.load(Ordering::Relaxed)).ok();
        let Some(connection) = self.connection(source) else { return };
        if matches!(connection.stage, Stage::Ending { .. }) {
            return self.read_to_nothing(source);
        }
        let mut frames = std::mem::take(&mut self.io.frames);
        let Some(connection) = self.connection(source) else { return };
        let Progress { greeted, end } = with_scratch(|scratch| connection.session.read(scratch, limit, &mut frames));
        if greeted.is_some_and(|peer| !self.open(source, peer)) {
            return;
        }
        if !frames.is_empty() {
            self.deliver(source, &mut frames);
        }
        // What nobody took must not reach another connection.
        frames.clear();
        self.io.frames = frames;
        if end.is_some() {
            self.end(source);
        }
    }

    /// The peer has told its type: the pattern decides.
    fn open(&mut self, source: usize, peer: u16) -> bool {
        self.set_deadline(source, None);
        let fits = pattern::compatible(self.socket.protocol, peer);
        let Some(connection) = self.connection(source) else { return false };
        let end = StreamEnd {
            stream: Arc::clone(connection.session.stream()),
            framing: connection.session.framing(),
            source,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            flushing: false,
            stuck: false,
            deaf: false,
            paused: false,
            gathered: None,
        };
        let endpoint = connection.endpoint;
        let mut held = self.lock();
        let pipe = fits.then(|| held.add_pipe(endpoint, PipeEnd::Stream(end))).flatten();
        if let Some(pipe) = pipe {
            held.pipe_writable(self.socket, pipe);
        }
        drop(held);
        let Some(pipe) = pipe else {
            self.end(source);
            return false;
        };
        if let Some(connection) = self.connection(source) {
            connection.stage = Stage::Open(pipe);
            self.io.unsettled -= 1;
        }
        true
    }

    fn deliver(&mut self, source: usize, frames: &mut Inbox) {
        let Some(connection) = self.connection(source) else { return };
        let Stage::Open(pipe) = connection.stage else { return };
        let mut held = self.lock();
        let full = held.pipes.recv_buffer;
        let Some(stream) = held.pipes.stream(pipe) else { return };
        let was_empty = stream.inbox.is_empty();
        stream.inbox.append(frames);
        let pause = !stream.paused && stream.inbox.weight() >= full;
        stream.paused |= pause;
        if was_empty {
            held.pipe_readable(self.socket, pipe);
        }
        drop(held);
        if pause {
            self.set_interest(source, |interest| interest.read = false);
        }
    }

    /// The kernel takes bytes again.
    fn write(&mut self, source: usize) {
        let Some(connection) = self.connection(source) else { return };
        let (Stage::Open(pipe) | Stage::Ending { pipe, .. }) = connection.stage else { return };
        let mut held = self.lock();
        held.pipes.unstick(pipe);
        let idle = held.pipes.stream(pipe).is_none_or(|stream| stream.outbox.is_empty() && !stream.flushing);
        if !idle {
            held.pipes.start_flush(pipe);
        }
        drop(held);
        if idle {
            self.set_interest(source, |interest| interest.write = false);
        }
        self.go_on_ending(source);
    }

    // Ending

    /// The endpoint is gone for the application; its connections may linger.
    fn close(&mut self, endpoint: i32) {
        match self.io.endpoints.remove(&endpoint) {
            Some(Point::Listener { listener, source, pause }) => {
                let _ = self.poller.remove(listener.source());
                if let Some(pause) = pause {
                    self.io.timers.stop(pause, Timer::Accept(endpoint));
                }
                if let Some(source) = source {
                    self.remove(source);
                }
            }
            Some(Point::Dialer(point)) => {
                if let Some(redial) = point.redial {
                    self.io.timers.stop(redial, Timer::Redial(endpoint));
                }
            }
            None => {}
        }
        let mut held = self.lock();
        held.network -= 1;
        let linger = held.options.linger();
        let since = held.closing_since.unwrap_or_else(Instant::now);
        drop(held);
        let give_up = linger.map(|linger| since + linger);
        let mine = |source: &Source| match source {
            Source::Connecting(owner, _) => *owner == endpoint,
            Source::Session(connection) => connection.endpoint == endpoint,
            Source::Listener(_) => false,
        };
        let sources: Vec<usize> =
            self.io.sources.iter().filter(|(_, source)| mine(source)).map(|(key, _)| key).collect();
        for source in sources {
            self.begin_ending(source, give_up);
        }
    }

    fn begin_ending(&mut self, source: usize, give_up: Option<Instant>) {
        let Some(connection) = self.connection(source) else {
            self.remove(source);
            return;
        };
        match connection.stage {
            Stage::Open(pipe) => {
                connection.stage = Stage::Ending { pipe, give_up, pause: ENDING.0, shut: false };
                self.io.unsettled += 1;
                self.lock().stats.dropped_connections += 1;
                self.go_on_ending(source);
                // From here on reading only tells when the peer has finished.
                self.set_interest(source, |interest| interest.read = true);
            }
            Stage::Greeting => {
                self.lock().stats.dropped_connections += 1;
                self.remove(source);
            }
            Stage::Ending { .. } => {}
        }
    }

    /// One look at a connection that is being ended: everything written? everything read by the peer? time over?
    fn go_on_ending(&mut self, source: usize) {
        let Some(connection) = self.connection(source) else { return };
        let Stage::Ending { pipe, give_up, pause, shut } = connection.stage else { return };
        let stream = Arc::clone(connection.session.stream());
        let mut held = self.lock();
        held.pipes.start_flush(pipe);
        let written = held.pipes.stream(pipe).is_none_or(|stream| stream.outbox.is_empty() && !stream.flushing);
        drop(held);
        // On tcp the end of our side makes the peer's kernel acknowledge at once. On ipc it waits until the peer has read
        // everything: libnanomsg drops what it has not fetched when it sees the end.
        let unread = sys::unsent(&stream);
        let ipc = stream.domain().is_ok_and(|domain| domain == Domain::UNIX);
        if written && !shut && !(ipc && unread > 0) {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let now = Instant::now();
        if (written && sys::unsent(&stream) == 0) || give_up.is_some_and(|at| at <= now) {
            return self.end(source);
        }
        let next = give_up.map_or(now + pause, |at| at.min(now + pause));
        let Some(connection) = self.connection(source) else { return };
        let pause = (pause * 2).min(ENDING.1);
        connection.stage = Stage::Ending { pipe, give_up, pause, shut: shut || (written && !ipc) };
        self.set_deadline(source, Some(next));
    }

    /// What a peer still sends to an ending connection is of no use; its end is.
    fn read_to_nothing(&mut self, source: usize) {
        let Some(connection) = self.connection(source) else { return };
        let stream = Arc::clone(connection.session.stream());
        let outcome = with_scratch(|scratch| sys::recv(&stream, scratch));
        match outcome {
            Ok(0) => self.end(source),
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => self.end(source),
            _ => {}
        }
    }
}

impl Connection {
    fn is(&self, pipe: PipeId) -> bool {
        match self.stage {
            Stage::Open(own) | Stage::Ending { pipe: own, .. } => own == pipe,
            Stage::Greeting => false,
        }
    }
}

fn with_scratch<T>(action: impl FnOnce(&mut [u8]) -> T) -> T {
    // At the end of the process the thread may have lost its buffer already.
    let kept = SCRATCH_BUFFER.try_with(RefCell::take);
    let mut buffer = kept.unwrap_or_default();
    if buffer.is_empty() {
        buffer.resize(SCRATCH, 0);
    }
    let result = action(&mut buffer);
    let _ = SCRATCH_BUFFER.try_with(|kept| kept.replace(buffer));
    result
}
