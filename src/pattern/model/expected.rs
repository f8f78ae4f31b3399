//! What each socket type does with its pipes, as the specification tells it (protocols, 2 to 7). Where that is silent the
//! original library was asked.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::{BUS, PAIR, PUB, PULL, PUSH, Priorities, Protocol, REP, REQ, RESPONDENT, SUB, SURVEYOR};
use super::world::World;
use super::{Message, millis, split};
use crate::error::{Error, Result};
use crate::pipe::PipeId;

const TOP: u32 = 1 << 31;

pub(super) struct Expected {
    protocol: Protocol,
    raw: bool,
    pub world: World,
    pub max_hops: usize,
    /// REQ, SURVEYOR: the last id. REP and RESPONDENT raw: the key of the next pipe.
    number: u32,
    /// REQ, SURVEYOR: the option in milliseconds.
    interval: i32,
    /// SUB.
    topics: Vec<Vec<u8>>,
    request: Request,
    question: Option<(PipeId, Vec<u8>)>,
    keys: BTreeMap<u32, PipeId>,
    survey: Survey,
}

/// REQ (4.1).
enum Request {
    Passive,
    Delayed(Vec<u8>),
    Active { body: Vec<u8>, carrier: PipeId, resend: Option<Instant> },
    Done { from: PipeId, reply: Vec<u8> },
}

/// SURVEYOR (6.1).
enum Survey {
    None,
    Active(Option<Instant>),
    Expired,
}

impl Expected {
    pub(super) fn new(protocol: Protocol, raw: bool, seed: u32) -> Self {
        Self {
            protocol,
            raw,
            world: World::new(),
            max_hops: 8,
            number: if matches!(protocol, REP | RESPONDENT) { seed & !TOP } else { seed },
            interval: if protocol == REQ { 60_000 } else { 1000 },
            topics: Vec::new(),
            request: Request::Passive,
            question: None,
            keys: BTreeMap::new(),
            survey: Survey::None,
        }
    }

    /// Whether nn_send and nn_recv exist.
    pub(super) fn can_ever(&self) -> (bool, bool) {
        (!matches!(self.protocol, SUB | PULL), !matches!(self.protocol, PUB | PUSH))
    }

    /// The id of what was asked last.
    pub(super) fn id(&self) -> u32 {
        self.number | TOP
    }

    pub(super) fn add(&mut self, pipe: PipeId, priorities: Priorities) -> bool {
        if self.protocol == PAIR && !self.world.peers.is_empty() {
            return false;
        }
        self.world.add(pipe, priorities);
        if self.is_raw_replier() {
            while self.keys.contains_key(&self.number) {
                self.number = (self.number + 1) & !TOP;
            }
            self.keys.insert(self.number, pipe);
            self.number = (self.number + 1) & !TOP;
        }
        true
    }

    fn is_raw_replier(&self) -> bool {
        self.raw && matches!(self.protocol, REP | RESPONDENT)
    }

    pub(super) fn remove(&mut self, pipe: PipeId) {
        self.world.remove(pipe);
        self.keys.retain(|_, other| *other != pipe);
        if matches!(self.request, Request::Active { carrier, .. } if carrier == pipe) {
            self.transmit();
        }
    }

    pub(super) fn writable(&mut self, pipe: PipeId) {
        self.world.writable(pipe);
        if matches!(self.request, Request::Delayed(_)) {
            self.transmit();
        }
    }

    pub(super) fn arrive(&mut self, pipe: PipeId, frame: Vec<u8>) {
        match (self.protocol, self.raw) {
            (PUB | PUSH, _) => {}
            (REQ, false) => {
                let waits = matches!(self.request, Request::Delayed(_) | Request::Active { .. });
                if waits && frame.starts_with(&self.id().to_be_bytes()) {
                    self.request = Request::Done { from: pipe, reply: frame[4..].to_vec() };
                }
            }
            _ => self.world.arrive(pipe, frame),
        }
    }

    /// Sends the request, for the first time or again.
    fn transmit(&mut self) {
        let request = std::mem::replace(&mut self.request, Request::Passive);
        let (Request::Delayed(body) | Request::Active { body, .. }) = request else {
            unreachable!("nothing was asked")
        };
        let frame = [&self.id().to_be_bytes()[..], &body].concat();
        self.request = match self.world.balance(&frame) {
            // An interval of nothing would be a flood.
            Some(carrier) => {
                let interval = if self.interval == 0 { 1 } else { self.interval };
                Request::Active { body, carrier, resend: self.after(interval) }
            }
            None => Request::Delayed(body),
        };
    }

    fn after(&self, millis: i32) -> Option<Instant> {
        u64::try_from(millis).ok().map(|millis| self.world.now + Duration::from_millis(millis))
    }

    pub(super) fn send(&mut self, header: &[u8], body: &[u8], except: Option<PipeId>) -> Result<()> {
        let whole = [header, body].concat();
        match (self.protocol, self.raw) {
            (SUB | PULL, _) => return Err(Error::NotSupported),
            (PAIR | PUSH, _) | (REQ, true) => {
                self.world.balance(&whole).ok_or(Error::WouldBlock)?;
            }
            (PUB, _) | (SURVEYOR, true) => self.world.spread(&whole, None),
            (BUS, raw) => {
                if !header.is_empty() && (!raw || header.len() != 8) {
                    return Err(Error::Invalid);
                }
                self.world.spread(body, except);
            }
            (REP | RESPONDENT, false) => {
                let (pipe, way_back) = self.question.as_ref().ok_or(Error::WrongState)?;
                if !header.is_empty() {
                    return Err(Error::Invalid);
                }
                let (pipe, answer) = (*pipe, [way_back, body].concat());
                self.question = None;
                self.world.put(pipe, &answer);
            }
            (REP | RESPONDENT, true) => {
                let key = header.first_chunk().map(|key| u32::from_be_bytes(*key));
                if let Some(&pipe) = key.and_then(|key| self.keys.get(&key)) {
                    self.world.put(pipe, &whole[4..]);
                }
            }
            _ if !header.is_empty() => return Err(Error::Invalid),
            (REQ, false) => {
                self.number = self.number.wrapping_add(1);
                self.request = Request::Delayed(body.to_vec());
                self.transmit();
            }
            (SURVEYOR, false) => {
                self.number = self.number.wrapping_add(1) | TOP;
                self.world.spread(&[&self.number.to_be_bytes()[..], body].concat(), None);
                self.survey = Survey::Active(self.after(self.interval));
            }
            (other, _) => unreachable!("{other}"),
        }
        Ok(())
    }

    pub(super) fn recv(&mut self) -> Result<Message> {
        if self.protocol == SURVEYOR {
            self.pass(self.world.now);
        }
        match (self.protocol, self.raw) {
            (PUB | PUSH, _) => return Err(Error::NotSupported),
            (REQ, false) => {
                return match std::mem::replace(&mut self.request, Request::Passive) {
                    Request::Passive => Err(Error::WrongState),
                    Request::Done { from, reply } => Ok(Message { from, header: Some(Vec::new()), body: reply }),
                    waits => {
                        self.request = waits;
                        Err(Error::WouldBlock)
                    }
                };
            }
            (REP | RESPONDENT, false) => self.question = None,
            (SURVEYOR, false) => match self.survey {
                Survey::None => return Err(Error::WrongState),
                Survey::Active(_) => {}
                Survey::Expired => {
                    self.survey = Survey::None;
                    return Err(Error::TimedOut);
                }
            },
            _ => {}
        }
        while let Some((from, frame)) = self.world.take() {
            if let Some((header, body)) = self.accept(from, frame) {
                return Ok(Message { from, header, body });
            }
        }
        Err(Error::WouldBlock)
    }

    /// Header and body of a message, or `None` if it is dropped.
    fn accept(&mut self, from: PipeId, frame: Vec<u8>) -> Option<(Option<Vec<u8>>, Vec<u8>)> {
        let no_header = Some(Vec::new());
        match (self.protocol, self.raw) {
            (PAIR | PULL, _) | (BUS, false) => Some((no_header, frame)),
            (BUS, true) => Some((None, frame)),
            (SUB, _) => self.topics.iter().any(|topic| frame.starts_with(topic)).then_some((no_header, frame)),
            (REQ | SURVEYOR, true) => {
                if frame.len() < 4 {
                    return None;
                }
                let (header, body) = split(frame, 4);
                Some((Some(header), body))
            }
            (SURVEYOR, false) => frame.starts_with(&self.id().to_be_bytes()).then(|| (no_header, frame[4..].to_vec())),
            (REP | RESPONDENT, raw) => {
                let words = 1 + frame.chunks_exact(4).position(|word| word[0] & 0x80 != 0)?;
                if words > self.max_hops {
                    return None;
                }
                let (way_back, body) = split(frame, 4 * words);
                if !raw {
                    self.question = Some((from, way_back));
                    return Some((no_header, body));
                }
                let key = self.keys.iter().find(|(_, pipe)| **pipe == from)?.0;
                Some((Some([&key.to_be_bytes()[..], &way_back].concat()), body))
            }
            (other, _) => unreachable!("{other}"),
        }
    }

    pub(super) fn can_send(&self) -> bool {
        match (self.protocol, self.raw) {
            (SUB | PULL, _) => false,
            (PAIR | PUSH, _) | (REQ, true) => !self.world.sending.is_empty(),
            (REP | RESPONDENT, false) => self.question.is_some(),
            _ => true,
        }
    }

    pub(super) fn can_recv(&self) -> bool {
        match (self.protocol, self.raw) {
            (PUB | PUSH, _) => false,
            (REQ, false) => matches!(self.request, Request::Done { .. }),
            // Also where it fails at once.
            (SURVEYOR, false) if !matches!(self.survey, Survey::Active(_)) => true,
            _ => !self.world.receiving.is_empty(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match (&self.request, &self.survey) {
            (Request::Active { resend, .. }, _) => *resend,
            (_, Survey::Active(until)) => *until,
            _ => None,
        }
    }

    pub(super) fn pass(&mut self, now: Instant) {
        self.world.now = now;
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            match self.request {
                Request::Active { .. } => self.transmit(),
                _ => self.survey = Survey::Expired,
            }
        }
    }

    pub(super) fn set_option(&mut self, option: i32, value: &[u8]) -> Result<()> {
        match (self.protocol, self.raw, option) {
            (REQ | SURVEYOR, false, 1) => self.interval = millis(value)?,
            (SUB, _, 1) => self.topics.push(value.to_vec()),
            (SUB, _, 2) => {
                let at = self.topics.iter().position(|topic| topic == value).ok_or(Error::Invalid)?;
                self.topics.remove(at);
            }
            _ => return Err(Error::NoSuchOption),
        }
        Ok(())
    }
}
