//! Bytes on their way between two ends. It keeps what TCP and Unix streams promise, and nothing that they do not: any number
//! of bytes may come at a time, a connect may take its time or fail, a connection may stall, end or be reset.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::io;

use super::scheduler::Rng;

/// What the network does to those who use it. Times in nanoseconds, chances out of a thousand.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    /// The longest time bytes usually take.
    pub latency: u64,
    /// Bytes that a direction of a connection holds, at least and at most.
    pub buffer: (usize, usize),
    /// Sends and receives that move only a part.
    pub pieces: u64,
    /// Deliveries that take much longer, and how long at most.
    pub stalls: u64,
    pub stall: u64,
    /// Connects that are refused though somebody listens.
    pub refusals: u64,
    /// Connections that are cut at some time within this.
    pub cuts: u64,
    pub cut_within: u64,
}

/// The greeting has to fit, as it does everywhere.
const SMALLEST_BUFFER: usize = 1024;

/// Peers that wait to be accepted.
const BACKLOG: usize = 64;

#[derive(Debug, Default)]
struct Listener {
    port: u16,
    local: bool,
    waiting: VecDeque<u64>,
}

/// One end of a connection.
#[derive(Debug)]
struct End {
    port: u16,
    /// As on a Unix stream: nothing takes time, and what is not read yet has not been delivered.
    local: bool,
    connecting: bool,
    /// Gone, if it is no end any more.
    peer: Option<u64>,
    arrived: VecDeque<u8>,
    /// The peer sends no more.
    finished: bool,
    /// No more is sent to the peer.
    shut: bool,
    broken: bool,
    /// Told to the next call.
    error: Option<i32>,
    /// Bytes sent that the peer does not have yet.
    pending: usize,
    /// How many bytes may be on their way to the peer or wait there.
    buffer: usize,
    /// When the last of what was sent arrives.
    last: u64,
    /// Closing aborts.
    aborts: bool,
    /// The way is cut: what is sent from now on is answered by a reset.
    severed: bool,
}

#[derive(Debug)]
enum Event {
    Connect { end: u64 },
    Arrive { from: u64, to: u64, bytes: Vec<u8> },
    Finish { from: u64, to: u64 },
    Reset { to: u64 },
    Cut { end: u64, abrupt: bool },
}

pub(super) struct Network {
    weather: Weather,
    /// Afterwards nothing goes wrong any more.
    until: u64,
    now: u64,
    listeners: BTreeMap<u64, Listener>,
    ends: BTreeMap<u64, End>,
    events: BTreeMap<(u64, u64), Event>,
    serial: u64,
    cuts: BTreeMap<u16, u64>,
}

fn os(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

impl End {
    fn new(port: u16, local: bool, buffer: usize) -> Self {
        Self {
            port,
            local,
            connecting: true,
            peer: None,
            arrived: VecDeque::new(),
            finished: false,
            shut: false,
            broken: false,
            error: None,
            pending: 0,
            buffer,
            last: 0,
            aborts: false,
            severed: false,
        }
    }

    fn is_readable(&self) -> bool {
        !self.arrived.is_empty() || self.finished || self.broken || self.error.is_some()
    }
}

impl Network {
    pub(super) fn new(weather: Weather, until: u64) -> Self {
        Self {
            weather,
            until,
            now: 0,
            listeners: BTreeMap::new(),
            ends: BTreeMap::new(),
            events: BTreeMap::new(),
            serial: 0,
            cuts: BTreeMap::new(),
        }
    }

    /// Streams that exist.
    pub(super) fn count(&self) -> usize {
        self.listeners.len() + self.ends.len()
    }

    pub(super) fn cuts(&self, port: u16) -> u64 {
        self.cuts.get(&port).copied().unwrap_or_default()
    }

    pub(super) fn next_time(&self) -> Option<u64> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    fn later(&mut self, at: u64, event: Event) {
        self.serial += 1;
        self.events.insert((at, self.serial), event);
    }

    fn is_fair(&self) -> bool {
        self.now >= self.until
    }

    fn chance(&self, rng: &mut Rng, per_mille: u64) -> bool {
        per_mille > 0 && !self.is_fair() && rng.per_mille(per_mille)
    }

    fn latency(&self, rng: &mut Rng, local: bool) -> u64 {
        if local {
            return 0;
        }
        let usual = rng.below(self.weather.latency + 1);
        if self.chance(rng, self.weather.stalls) { usual + rng.below(self.weather.stall + 1) } else { usual }
    }

    fn buffer(&self, rng: &mut Rng) -> usize {
        let (least, most) = self.weather.buffer;
        (least + rng.below((most - least + 1) as u64) as usize).max(SMALLEST_BUFFER)
    }

    pub(super) fn listen(&mut self, id: u64, port: u16, local: bool) -> io::Result<()> {
        if self.listeners.values().any(|listener| listener.port == port) {
            return Err(os(libc::EADDRINUSE));
        }
        self.listeners.insert(id, Listener { port, local, waiting: VecDeque::new() });
        Ok(())
    }

    pub(super) fn dial(&mut self, id: u64, port: u16, local: bool, rng: &mut Rng) {
        let buffer = self.buffer(rng);
        self.ends.insert(id, End::new(port, local, buffer));
        let at = self.now + self.latency(rng, local);
        self.later(at, Event::Connect { end: id });
    }

    pub(super) fn accept(&mut self, listener: u64, rng: &mut Rng, refused: bool) -> io::Result<u64> {
        let Some(listening) = self.listeners.get_mut(&listener) else { return Err(os(libc::EBADF)) };
        if listening.waiting.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if refused {
            return Err(os(rng.one_of(&[libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS])));
        }
        listening.waiting.pop_front().ok_or(io::ErrorKind::WouldBlock.into())
    }

    /// What has come due by now. True: something has.
    pub(super) fn advance(&mut self, now: u64, rng: &mut Rng, next_id: &mut u64) -> bool {
        let mut any = false;
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= now) {
            let (at, _) = *entry.key();
            self.now = self.now.max(at);
            let event = entry.remove();
            self.happen(event, rng, next_id);
            any = true;
        }
        self.now = now;
        any
    }

    fn happen(&mut self, event: Event, rng: &mut Rng, next_id: &mut u64) {
        match event {
            Event::Connect { end } => self.connect(end, rng, next_id),
            Event::Arrive { from, to, bytes } => {
                let count = bytes.len();
                let taken = match self.ends.get_mut(&to) {
                    Some(end) if !end.broken => {
                        end.arrived.extend(bytes);
                        true
                    }
                    _ => false,
                };
                if let Some(sender) = self.ends.get_mut(&from)
                    && (!sender.local || !taken)
                {
                    sender.pending -= count;
                }
                if !taken {
                    self.reset(from);
                }
            }
            Event::Finish { from, to } => {
                if let Some(sender) = self.ends.get_mut(&from) {
                    sender.pending -= 1;
                }
                if let Some(end) = self.ends.get_mut(&to) {
                    end.finished = true;
                }
            }
            Event::Reset { to } => self.reset(to),
            Event::Cut { end, abrupt } => self.cut(end, abrupt),
        }
    }

    fn connect(&mut self, end: u64, rng: &mut Rng, next_id: &mut u64) {
        let refused = self.chance(rng, self.weather.refusals);
        let Some(port) = self.ends.get(&end).map(|end| end.port) else { return };
        let found = self.listeners.iter().find(|(_, listener)| listener.port == port).map(|(id, _)| *id);
        let found = found.filter(|id| !refused && self.listeners[id].waiting.len() < BACKLOG);
        let buffer = self.buffer(rng);
        if let Some(end) = self.ends.get_mut(&end) {
            end.connecting = false;
            if found.is_none() {
                (end.broken, end.error) = (true, Some(libc::ECONNREFUSED));
            }
        }
        let Some(listener) = found.and_then(|id| self.listeners.get_mut(&id)) else { return };
        *next_id += 1;
        let other = *next_id;
        listener.waiting.push_back(other);
        let accepted = End { connecting: false, peer: Some(end), ..End::new(port, listener.local, buffer) };
        self.ends.insert(other, accepted);
        if let Some(end) = self.ends.get_mut(&end) {
            end.peer = Some(other);
        }
        if self.chance(rng, self.weather.cuts) {
            let at = self.now + rng.below(self.weather.cut_within + 1);
            let abrupt = rng.per_mille(500);
            self.later(at, Event::Cut { end, abrupt });
        }
    }

    fn reset(&mut self, id: u64) {
        if let Some(end) = self.ends.get_mut(&id)
            && !end.broken
        {
            (end.broken, end.error) = (true, Some(libc::ECONNRESET));
            end.pending = 0;
            let dropped: Vec<(u64, u64)> = self
                .events
                .iter()
                .filter(|(_, event)| match event {
                    Event::Arrive { from, to, .. } => *from == id || *to == id,
                    Event::Finish { from, to } => *from == id || *to == id,
                    _ => false,
                })
                .map(|(key, _)| *key)
                .collect();
            for key in dropped {
                match self.events.remove(&key) {
                    Some(Event::Arrive { from, bytes, .. }) if from != id => {
                        if let Some(sender) = self.ends.get_mut(&from) {
                            sender.pending = sender.pending.saturating_sub(bytes.len());
                        }
                        let at = self.now;
                        self.later(at, Event::Reset { to: from });
                    }
                    Some(Event::Finish { from, .. }) if from != id => {
                        if let Some(sender) = self.ends.get_mut(&from) {
                            sender.pending = sender.pending.saturating_sub(1);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Somebody between the two has had enough.
    fn cut(&mut self, id: u64, abrupt: bool) {
        let Some((port, peer)) = self.ends.get(&id).map(|end| (end.port, end.peer)) else { return };
        *self.cuts.entry(port).or_default() += 1;
        let both = [Some(id), peer];
        if abrupt {
            both.into_iter().flatten().for_each(|end| self.reset(end));
            return;
        }
        for (from, to) in [(Some(id), peer), (peer, Some(id))] {
            let (Some(from), Some(to)) = (from, to) else { continue };
            let Some(end) = self.ends.get_mut(&from) else { continue };
            end.severed = true;
            if !end.shut && !end.broken {
                end.pending += 1;
                let at = end.last.max(self.now);
                end.last = at;
                self.later(at, Event::Finish { from, to });
            }
        }
    }

    /// For poll: readable and writable, and whether the peer sends no more.
    pub(super) fn readiness(&self, id: u64) -> Option<(bool, bool, bool)> {
        if let Some(listener) = self.listeners.get(&id) {
            return Some((!listener.waiting.is_empty(), false, false));
        }
        let end = self.ends.get(&id)?;
        if end.connecting {
            return Some((false, false, false));
        }
        let over = end.broken || end.finished && end.shut;
        Some((end.is_readable() || over, self.is_writable(end) || over, end.finished || over))
    }

    /// Neither end of this one will ever say anything again: both directions are ready whatever is asked for.
    pub(super) fn is_over(&self, id: u64) -> bool {
        self.ends.get(&id).is_some_and(|end| end.broken || end.finished && end.shut)
    }

    /// As TCP has it: where at least a third of the buffer is free.
    fn is_writable(&self, end: &End) -> bool {
        end.broken || self.space(end) * 3 >= end.buffer
    }

    fn space(&self, end: &End) -> usize {
        let unread = match end.peer.and_then(|peer| self.ends.get(&peer)) {
            Some(peer) if !end.local => peer.arrived.len(),
            _ => 0,
        };
        end.buffer.saturating_sub(end.pending + unread)
    }

    pub(super) fn send(&mut self, id: u64, bytes: &[u8], rng: &mut Rng) -> io::Result<usize> {
        let Some(end) = self.ends.get(&id) else { return Err(os(libc::EBADF)) };
        if end.connecting {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if end.shut || end.broken {
            let error = self.ends.get_mut(&id).and_then(|end| end.error.take());
            return Err(os(error.unwrap_or(libc::EPIPE)));
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        let space = self.space(end);
        let free = space == end.buffer;
        if space == 0 || (!self.is_writable(end) && rng.per_mille(500)) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut count = space.min(bytes.len());
        if !free && rng.per_mille(self.weather.pieces) {
            count = 1 + rng.below(count as u64) as usize;
        }
        let (local, peer, severed) = (end.local, end.peer, end.severed);
        let latency = self.latency(rng, local);
        let (now, port) = (self.now, end.port);
        // A greeting that takes so long is none, and what was accepted meanwhile goes with its connection.
        if latency > 300_000_000 {
            *self.cuts.entry(port).or_default() += 1;
        }
        let Some(end) = self.ends.get_mut(&id) else { return Err(os(libc::EBADF)) };
        let at = end.last.max(now + latency);
        end.last = at;
        if severed {
            self.later(at, Event::Reset { to: id });
            return Ok(count);
        }
        let Some(to) = peer else { return Err(os(libc::EPIPE)) };
        end.pending += count;
        let event = Event::Arrive { from: id, to, bytes: bytes[..count].to_vec() };
        if local && self.ends.contains_key(&to) {
            let mut none = 0;
            self.happen(event, rng, &mut none);
        } else {
            self.later(at, event);
        }
        Ok(count)
    }

    pub(super) fn recv(&mut self, id: u64, most: usize, rng: &mut Rng) -> io::Result<Vec<u8>> {
        let pieces = self.weather.pieces;
        let Some(end) = self.ends.get_mut(&id) else { return Err(os(libc::EBADF)) };
        if end.arrived.is_empty() {
            return match end.error.take() {
                Some(error) => Err(os(error)),
                None if end.finished || end.broken => Ok(Vec::new()),
                None => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let mut count = most.min(end.arrived.len());
        if count > 1 && rng.per_mille(pieces) {
            count = 1 + rng.below(count as u64) as usize;
        }
        let bytes: Vec<u8> = end.arrived.drain(..count).collect();
        let (local, peer) = (end.local, end.peer);
        if let Some(sender) = peer.and_then(|peer| self.ends.get_mut(&peer))
            && local
        {
            sender.pending = sender.pending.saturating_sub(count);
        }
        Ok(bytes)
    }

    pub(super) fn pending_out(&self, id: u64) -> usize {
        self.ends.get(&id).map_or(0, |end| end.pending)
    }

    pub(super) fn take_error(&mut self, id: u64) -> Option<io::Error> {
        self.ends.get_mut(&id)?.error.take().map(os)
    }

    pub(super) fn is_local(&self, id: u64) -> bool {
        self.ends.get(&id).is_some_and(|end| end.local)
    }

    pub(super) fn abort_on_close(&mut self, id: u64) {
        if let Some(end) = self.ends.get_mut(&id) {
            end.aborts = true;
        }
    }

    /// No more is sent.
    pub(super) fn shut(&mut self, id: u64, rng: &mut Rng) {
        let Some(end) = self.ends.get(&id) else { return };
        let local = end.local;
        let latency = self.latency(rng, local);
        let now = self.now;
        let Some(end) = self.ends.get_mut(&id) else { return };
        if std::mem::replace(&mut end.shut, true) || end.broken || end.severed {
            return;
        }
        let Some(to) = end.peer else { return };
        let at = end.last.max(now + latency);
        end.last = at;
        end.pending += 1;
        let event = Event::Finish { from: id, to };
        if local {
            let mut none = 0;
            self.happen(event, rng, &mut none);
        } else {
            self.later(at, event);
        }
    }

    pub(super) fn close(&mut self, id: u64, rng: &mut Rng) {
        if let Some(listener) = self.listeners.remove(&id) {
            for end in listener.waiting {
                if let Some(end) = self.ends.get_mut(&end) {
                    end.aborts = true;
                }
                self.close(end, rng);
            }
            return;
        }
        let Some(end) = self.ends.get(&id) else { return };
        let resets = end.aborts || !end.arrived.is_empty();
        if !resets {
            self.shut(id, rng);
        }
        let Some(end) = self.ends.remove(&id) else { return };
        let Some(peer) = end.peer else { return };
        if resets && !end.broken {
            let at = end.last.max(self.now);
            self.later(at, Event::Reset { to: peer });
        }
    }
}
