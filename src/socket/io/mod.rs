//! A socket's descriptors: listeners, dialers and sessions, and what their readiness means. Used only by the holder of the
//! lease; it takes the socket's lock for a moment whenever something has to be told.
//!
//! This file has the table of descriptors and tells who serves which event; what is done then stands in a file for each
//! part of a connection's life.
#![forbid(unsafe_code)]

mod dialling;
mod lingering;
mod listening;
mod ping;
mod sessions;

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use slab::Slab;

use super::spin::SpinPolicy;
use super::{Command, State};
use super::{Socket, StateGuard};
use crate::pipe::{Inbox, PipeId};
use crate::reactor::timers::Timers;
use crate::sys::{self, Events, Interest, Poller, Stream};
use crate::transport::backoff::Backoff;
use crate::transport::session::Greeting;
use crate::transport::{Dialer, Listener, Settings, Side};
use dialling::DialPoint;
use sessions::{Connection, Stage};

/// How an endpoint begins.
pub(super) enum Beginning {
    Listen(Box<dyn Listener>),
    Dial(Box<dyn Dialer>, Backoff),
    /// The addresses of a dialler's name.
    Resolved(Vec<SocketAddr>),
    /// A connection that the program has made: there will be no other.
    #[cfg_attr(any(simulated, windows), allow(dead_code, reason = "all connections are made by the library"))]
    Have(Stream, Greeting, Side),
}

/// What a turn has to do first.
#[derive(Default)]
pub(super) struct Commands {
    pub commands: Vec<Command>,
    /// Pipes whose reading can go on, and their sources.
    pub resumed: Vec<(usize, PipeId)>,
}

#[derive(Default)]
pub(super) struct Io {
    sources: Slab<Source>,
    endpoints: HashMap<i32, EndpointIo>,
    timers: Timers<Timer>,
    events: Events,
    /// Memory for the frames of one read.
    frames: Inbox,
    outlook: SpinPolicy,
    /// Sources that are neither listeners nor open connections.
    in_transition: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Redial(i32),
    Accept(i32),
    Source(usize),
}

enum Source {
    Listener(i32),
    /// And when it has taken too long, if that was asked for.
    Connecting(i32, Stream, Option<Instant>),
    Session(Box<Connection>),
}

enum EndpointIo {
    Listener {
        listener: Box<dyn Listener>,
        source: Option<usize>,
        pause: Option<Instant>,
    },
    Dialer(Box<DialPoint>),
    /// Of one connection, which the program has made.
    Single(Side),
}

impl Commands {
    /// Whether what is to be waited for may be another once they are obeyed. The wait for room is one itself.
    pub(super) fn change_the_wait(&self) -> bool {
        !self.resumed.is_empty() || !self.commands.iter().all(|command| matches!(command, Command::AwaitRoom(..)))
    }
}

impl Io {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(super) fn in_transition(&self) -> usize {
        self.in_transition
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
        orders: Option<Commands>,
        timeout: Option<Duration>,
    ) -> std::io::Result<()> {
        if let Some(orders) = orders {
            self.apply(socket, poller, orders);
        }
        let mut events = std::mem::take(&mut self.events);
        let waited = self.wait(socket, poller, &mut events, timeout);
        if waited.is_err() {
            events = Events::default();
        }
        self.serve(socket, poller, events.iter());
        self.events = events;
        waited
    }

    /// Looks for a moment, and sleeps if that brings nothing.
    fn wait(
        &mut self,
        socket: &Socket,
        poller: &Poller,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> std::io::Result<()> {
        let found = timeout != Some(Duration::ZERO)
            && (self.outlook.comes_after_yield(|| any_of(poller, events))
                || self.outlook.comes_within_spin(timeout, socket.library.has_many_cpus(), || any_of(poller, events)));
        if found { Ok(()) } else { poller.wait(events, timeout).map(drop) }
    }

    /// What comes before the wait.
    pub(super) fn apply(&mut self, socket: &Socket, poller: &Poller, orders: Commands) {
        let mut driver = Driver { io: self, socket, poller, awake: false };
        for (source, pipe) in orders.resumed {
            driver.resume(source, pipe);
        }
        for command in orders.commands {
            driver.apply(command);
        }
    }

    /// What comes after it.
    pub(super) fn serve(&mut self, socket: &Socket, poller: &Poller, events: impl Iterator<Item = (u64, Interest)>) {
        let mut driver = Driver { io: self, socket, poller, awake: true };
        for (key, ready) in events {
            // It was made of one.
            driver.serve(key as usize, ready);
        }
        driver.expire();
    }
}

/// Whether anything is ready now.
fn any_of(poller: &Poller, events: &mut Events) -> bool {
    poller.wait(events, Some(Duration::ZERO)).is_ok_and(|any| any)
}

/// The table together with what it works on, for the length of one turn.
struct Driver<'a> {
    io: &'a mut Io,
    socket: &'a Socket,
    poller: &'a Poller,
    /// The wait is over.
    awake: bool,
}

fn lock(socket: &Socket, awake: bool) -> StateGuard<'_> {
    let mut held = socket.lock();
    if awake {
        // And looking: nobody needs to interrupt.
        held.lease.wake();
    }
    held
}

impl Driver<'_> {
    fn lock(&self) -> StateGuard<'_> {
        lock(self.socket, self.awake)
    }

    /// One look at the socket's state, or one change of it.
    fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        self.lock().finish(action)
    }

    fn settings(&self) -> Settings {
        self.with(|state| state.options.settings())
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Begin(endpoint, Beginning::Listen(listener)) => {
                let point = EndpointIo::Listener { listener, source: None, pause: None };
                self.io.endpoints.insert(endpoint, point);
                self.listen(endpoint);
            }
            Command::Begin(endpoint, Beginning::Dial(dialer, backoff)) => {
                self.io.endpoints.insert(endpoint, EndpointIo::Dialer(Box::new(DialPoint::new(dialer, backoff))));
                self.dial(endpoint);
            }
            Command::Begin(endpoint, Beginning::Resolved(addresses)) => self.resolved(endpoint, addresses),
            Command::Begin(endpoint, Beginning::Have(stream, greeting, side)) => {
                self.io.endpoints.insert(endpoint, EndpointIo::Single(side));
                match side {
                    Side::Accepts => self.accepted(endpoint, stream.into(), greeting),
                    Side::Dials => self.established(endpoint, stream.into(), greeting, lock(self.socket, self.awake)),
                }
            }
            Command::Close(endpoint) => self.close(endpoint),
            Command::AwaitRoom(source, pipe) => {
                if self.connection(source).is_some_and(|connection| connection.is(pipe)) {
                    self.set_interest(source, |interest| interest.write = true);
                }
            }
            Command::Broken(source, pipe) => {
                if let Some(connection) = self.connection(source).filter(|connection| connection.is(pipe)) {
                    let _ = connection.session.channel().stream().shutdown(Shutdown::Write);
                    self.set_interest(source, |interest| interest.write = false);
                }
            }
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
        let now = sys::now();
        while let Some(timer) = self.io.timers.pop_due(now) {
            match timer {
                Timer::Redial(endpoint) => {
                    if let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) {
                        point.redial = None;
                        self.dial(endpoint);
                    }
                }
                Timer::Accept(endpoint) => {
                    if let Some(EndpointIo::Listener { pause, .. }) = self.io.endpoints.get_mut(&endpoint) {
                        *pause = None;
                        self.listen(endpoint);
                    }
                }
                Timer::Source(source) => self.source_expired(source),
            }
        }
    }

    fn remove(&mut self, source: usize) -> Option<Source> {
        self.set_deadline(source, None);
        let removed = self.io.sources.try_remove(source)?;
        match &removed {
            Source::Session(connection) => {
                if connection.promised {
                    self.with(|state| state.promised = false);
                }
                if connection.interest.is_some() {
                    let _ = self.poller.remove(connection.session.channel().stream());
                }
                if !matches!(connection.stage, Stage::Open(_)) {
                    self.io.in_transition -= 1;
                }
            }
            Source::Connecting(_, stream, _) => {
                let _ = self.poller.remove(stream);
                self.io.in_transition -= 1;
                self.with(|state| state.stats.inprogress_connections -= 1);
            }
            Source::Listener(_) => {}
        }
        Some(removed)
    }
}
