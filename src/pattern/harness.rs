//! Where patterns are tested: pipes that write down what they are given, and a clock that is set by hand.
#![forbid(unsafe_code)]
#![cfg_attr(fuzzing, allow(dead_code))]

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::{Demand, DeviceId, Pattern, Pipes, Priorities, Refused};
use crate::error::{Error, Result};
use crate::message::{Body, Message, Outgoing};
use crate::pipe::PipeId;
use crate::sys;

/// Where there is only one.
pub(super) const DEVICE: DeviceId = 0;

pub(super) const A: PipeId = PipeId { slot: 0, serial: 10 };
pub(super) const B: PipeId = PipeId { slot: 1, serial: 11 };
pub(super) const C: PipeId = PipeId { slot: 2, serial: 12 };

/// The pipes. One without an entry in `room` takes everything.
#[derive(Debug, Default)]
pub(super) struct FakePipes {
    pub sent: Vec<(PipeId, Vec<u8>)>,
    /// Whether the body could have been taken, for each of them.
    pub taken: Vec<bool>,
    pub incoming: HashMap<PipeId, VecDeque<Vec<u8>>>,
    pub room: HashMap<PipeId, usize>,
    pub gone: Vec<PipeId>,
    /// Whoever sends hears that there is no memory.
    pub exhausted: bool,
}

impl Pipes for FakePipes {
    fn send(&mut self, pipe: PipeId, message: &mut Outgoing<'_>, last: bool) -> Result<bool> {
        if self.gone.contains(&pipe) {
            return Err(Error::WouldBlock);
        }
        if self.exhausted {
            return Err(Error::NoMemory);
        }
        let room = self.room.entry(pipe).or_insert(usize::MAX);
        *room = room.checked_sub(1).ok_or(Error::WouldBlock)?;
        let more = *room > 0;
        self.taken.push(last);
        self.sent.push((pipe, [&message.header[..], message.body()].concat()));
        Ok(more)
    }

    fn recv(&mut self, pipe: PipeId, message: &mut Message) -> Option<bool> {
        let queue = self.incoming.get_mut(&pipe)?;
        let body = queue.pop_front()?;
        message.header.clear();
        message.body = Body::copy_of(&body).unwrap();
        Some(!queue.is_empty())
    }
}

pub(super) struct Harness<P> {
    pub pattern: P,
    pub desk: FakePipes,
    pub now: Instant,
}

/// The same in both directions.
pub(super) fn with_priority(priority: u8) -> Priorities {
    Priorities { send: priority, recv: priority }
}

impl<P: Pattern> Harness<P> {
    pub(super) fn of(pattern: P) -> Self {
        Self { pattern, desk: FakePipes::default(), now: sys::now() }
    }

    pub(super) fn add(&mut self, pipe: PipeId) -> std::result::Result<(), Refused> {
        self.pattern.add(pipe, with_priority(8))
    }

    /// Adds a pipe that takes messages.
    pub(super) fn connect(&mut self, pipe: PipeId) {
        self.connect_as(pipe, with_priority(8));
    }

    pub(super) fn connect_all(&mut self, pipes: &[PipeId]) {
        for &pipe in pipes {
            self.connect(pipe);
        }
    }

    pub(super) fn connect_as(&mut self, pipe: PipeId, priorities: Priorities) {
        self.desk.gone.retain(|&gone| gone != pipe);
        self.pattern.add(pipe, priorities).unwrap();
        self.writable(pipe);
    }

    /// Adds a pipe that takes messages and carries subscriptions.
    pub(super) fn connect_forwarding(&mut self, pipe: PipeId) {
        self.desk.gone.retain(|&gone| gone != pipe);
        self.add(pipe).unwrap();
        self.pattern.forward_on(pipe);
        self.writable(pipe);
    }

    /// Sets an option of the socket type, as the socket would.
    pub(super) fn set_option(&mut self, option: i32, value: &[u8]) -> Result<()> {
        self.pattern.set_option(option, value)?;
        self.pattern.forward(&mut self.desk, self.now);
        Ok(())
    }

    /// What a device has heard at its other end.
    pub(super) fn set_demand(&mut self, demand: Option<Demand>) {
        self.set_demand_of(DEVICE, demand);
    }

    pub(super) fn set_demand_of(&mut self, device: DeviceId, demand: Option<Demand>) {
        self.pattern.set_demand(device, demand);
        self.pattern.forward(&mut self.desk, self.now);
    }

    pub(super) fn writable(&mut self, pipe: PipeId) {
        self.pattern.writable(pipe, &mut self.desk, self.now);
    }

    /// The connection ends, with everything in it.
    pub(super) fn remove(&mut self, pipe: PipeId) {
        self.desk.gone.push(pipe);
        self.desk.incoming.remove(&pipe);
        self.pattern.remove(pipe, &mut self.desk, self.now);
    }

    /// A message comes in.
    pub(super) fn arrive(&mut self, pipe: PipeId, message: &[u8]) {
        let queue = self.desk.incoming.entry(pipe).or_default();
        queue.push_back(message.to_vec());
        if queue.len() == 1 {
            self.pattern.readable(pipe, &mut self.desk, self.now);
        }
    }

    pub(super) fn send(&mut self, body: &[u8]) -> Result<()> {
        self.send_with(b"", body)
    }

    pub(super) fn send_with(&mut self, header: &[u8], body: &[u8]) -> Result<()> {
        let mut message = Outgoing::borrowed(body);
        message.header.extend_from_slice(header);
        self.pattern.send(&mut message, &mut self.desk, self.now)
    }

    /// Header and body of the next message.
    pub(super) fn recv(&mut self) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut message = Message::default();
        self.pattern.recv(&mut message, &mut self.desk, self.now)?;
        Ok((message.header.to_vec(), message.body.as_slice().to_vec()))
    }

    /// The next message, which must be there and have no header.
    pub(super) fn body(&mut self) -> Vec<u8> {
        let (header, body) = self.recv().unwrap();
        assert_eq!(header, b"");
        body
    }

    pub(super) fn sent_to(&self, pipe: PipeId) -> Vec<Vec<u8>> {
        let sent = self.desk.sent.iter().filter(|(to, _)| *to == pipe);
        sent.map(|(_, message)| message.clone()).collect()
    }

    /// What was sent last, and where.
    pub(super) fn last(&self) -> (PipeId, Vec<u8>) {
        self.desk.sent.last().unwrap().clone()
    }

    /// Lets time pass, and the pattern's deadline with it, as the reactor would.
    pub(super) fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        if self.pattern.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.pattern.expire(&mut self.desk, self.now);
        }
    }

    /// Milliseconds until the deadline.
    pub(super) fn left(&self) -> Option<u128> {
        self.pattern.deadline().map(|deadline| deadline.saturating_duration_since(self.now).as_millis())
    }
}
