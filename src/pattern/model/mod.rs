//! What the specification says of each socket type, written down as plainly as possible, and a game: the same events,
//! made of any bytes, happen to that and to the pattern, and both have to answer alike.
#![forbid(unsafe_code)]

mod expected;
mod world;

use std::collections::HashMap;

use expected::Expected;

use super::harness::Harness;
use super::{
    BUS, PAIR, PUB, PULL, PUSH, Pattern, Priorities, Protocol, REP, REQ, RESPONDENT, SUB, SURVEYOR, bus, pair,
    pipeline, pubsub, replying, reqrep, survey,
};
use crate::error::{Error, Result};
use crate::pipe::PipeId;

/// Pipes at a time.
const SLOTS: usize = 5;

/// The answers of a receive: header and body.
type Received = Result<(Vec<u8>, Vec<u8>)>;

/// Plays the events in `bytes` to a socket type: the first byte says whether it is raw, the next four are its seed.
pub(crate) fn play(protocol: Protocol, bytes: &[u8]) {
    let Some((&[mode, ref seed @ ..], events)) = bytes.split_first_chunk::<5>() else { return };
    let (raw, seed) = (mode & 1 == 1, u32::from_le_bytes(*seed));
    let expected = Expected::new(protocol, raw, seed);
    match (protocol, raw) {
        (PAIR, _) => Game::of(pair::Pair::default(), expected).run(events),
        (PUB, _) => Game::of(pubsub::Pub::new(false), expected).run(events),
        (SUB, _) => Game::of(pubsub::Sub::new(false), expected).run(events),
        (REQ, false) => Game::of(reqrep::Req::new(seed), expected).run(events),
        (REQ, true) => Game::of(reqrep::XReq::default(), expected).run(events),
        (REP | RESPONDENT, false) => Game::of(replying::Replier::default(), expected).run(events),
        (REP | RESPONDENT, true) => Game::of(replying::XReplier::new(seed), expected).run(events),
        (PUSH, _) => Game::of(pipeline::Push::default(), expected).run(events),
        (PULL, _) => Game::of(pipeline::Pull::default(), expected).run(events),
        (SURVEYOR, false) => Game::of(survey::Surveyor::new(seed), expected).run(events),
        (SURVEYOR, true) => Game::of(survey::XSurveyor::default(), expected).run(events),
        (BUS, false) => Game::of(bus::Bus::cooked(), expected).run(events),
        (BUS, true) => Game::of(bus::Bus::raw(u64::from(seed) << 32 | 0x5EED), expected).run(events),
        _ => unreachable!("not a socket type: {protocol}"),
    }
}

struct Game<P> {
    stage: Harness<P>,
    expected: Expected,
    /// Serials of pipes, and marks of messages.
    count: u32,
    /// The header of what was received last.
    last_header: Vec<u8>,
    /// How a raw BUS has named its pipes.
    names: HashMap<PipeId, Vec<u8>>,
}

/// The events, byte by byte.
struct Events<'a>(&'a [u8]);

impl Events<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn choose<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let byte = self.byte()?;
        from.get(usize::from(byte) % from.len().max(1)).copied()
    }
}

impl<P: Pattern> Game<P> {
    fn of(pattern: P, expected: Expected) -> Self {
        let mut game =
            Self { stage: Harness::of(pattern), expected, count: 0, last_header: Vec::new(), names: HashMap::new() };
        game.expected.world.now = game.stage.now;
        game.stage.pattern.set_max_hops(8);
        assert_eq!((game.stage.pattern.sends(), game.stage.pattern.receives()), game.expected.can_ever());
        game
    }

    fn run(mut self, events: &[u8]) {
        let mut events = Events(events);
        while self.step(&mut events).is_some() {
            let sent = std::mem::take(&mut self.expected.world.sent);
            // In which order a message goes to all is nobody's business.
            assert_eq!(sorted(std::mem::take(&mut self.stage.desk.sent)), sorted(sent), "who was sent what");
            let pattern = &self.stage.pattern;
            assert_eq!(pattern.can_send(), self.expected.can_send(), "NN_SNDFD");
            assert_eq!(pattern.can_recv(), self.expected.can_recv(), "NN_RCVFD");
            assert_eq!(pattern.deadline(), self.expected.deadline(), "when it wants to be called");
        }
    }

    /// One event. `None`: there are no more.
    fn step(&mut self, events: &mut Events<'_>) -> Option<()> {
        let pipes: Vec<PipeId> = self.expected.world.ids();
        match events.byte()? % 20 {
            0 | 1 => self.connect(events)?,
            2 => {
                if let Some(pipe) = events.choose(&pipes) {
                    self.expected.remove(pipe);
                    self.stage.remove(pipe);
                }
            }
            3..=7 => {
                if let Some(pipe) = events.choose(&pipes) {
                    let frame = self.frame(events)?;
                    self.expected.arrive(pipe, frame.clone());
                    self.stage.arrive(pipe, &frame);
                }
            }
            8 | 9 => {
                if let Some(pipe) = events.choose(&pipes) {
                    let peer = self.expected.world.peer(pipe);
                    let (room, idle) = (peer.room + usize::from(events.byte()? % 4), peer.idle);
                    self.set_room(pipe, room);
                    if room > 0 && !idle {
                        self.expected.writable(pipe);
                        self.stage.writable(pipe);
                    }
                }
            }
            10 => {
                // The connection is stuck. The pattern is told, or finds out.
                if let Some(pipe) = events.choose(&pipes) {
                    self.set_room(pipe, 0);
                    if events.byte()? & 1 == 1 {
                        self.expected.world.blocked(pipe);
                        self.stage.pattern.blocked(pipe);
                    }
                }
            }
            11..=13 => {
                let (header, body) = (self.header(events)?, self.mark());
                let except = self.names.iter().find(|(_, name)| **name == header).map(|(&pipe, _)| pipe);
                let expected = self.expected.send(&header, &body, except);
                assert_eq!(self.stage.send_with(&header, &body), expected, "nn_send");
            }
            14..=16 => self.receive(),
            17 => self.set_option(events)?,
            18 => {
                let hops = 1 + events.byte()? % 15;
                self.expected.max_hops = usize::from(hops);
                self.stage.pattern.set_max_hops(hops);
            }
            _ => {
                let millis = 10 * u64::from(events.byte()?);
                self.stage.pass(millis);
                self.expected.pass(self.stage.now);
            }
        }
        Some(())
    }

    fn connect(&mut self, events: &mut Events<'_>) -> Option<()> {
        let priorities = Priorities { send: 1 + events.byte()? % 3, recv: 1 + events.byte()? % 3 };
        let room = usize::from(events.byte()? % 6);
        let taken = self.expected.world.ids();
        let slot = (0..SLOTS as u32).find(|&slot| taken.iter().all(|pipe| pipe.slot != slot))?;
        self.count += 1;
        let pipe = PipeId { slot, serial: self.count };
        let accepted = self.expected.add(pipe, priorities);
        assert_eq!(self.stage.pattern.add(pipe, priorities).is_ok(), accepted, "whether one more may come");
        if accepted {
            self.set_room(pipe, room);
            if room > 0 {
                self.expected.writable(pipe);
                self.stage.writable(pipe);
            }
        }
        Some(())
    }

    fn set_room(&mut self, pipe: PipeId, room: usize) {
        self.expected.world.peer(pipe).room = room;
        self.stage.desk.room.insert(pipe, room);
    }

    fn receive(&mut self) {
        let (expected, got) = (self.expected.recv(), self.stage.recv());
        let expected: Received = match expected {
            Ok(message) => {
                // What a raw BUS calls a pipe is its own business, but always the same, and never another one's name.
                let header = message.header.unwrap_or_else(|| {
                    let given = got.as_ref().map(|(header, _)| header.clone()).unwrap_or_default();
                    assert_eq!(given.len(), 8);
                    assert!(self.names.iter().all(|(&pipe, name)| (pipe == message.from) == (*name == given)));
                    self.names.insert(message.from, given.clone());
                    given
                });
                Ok((header, message.body))
            }
            Err(error) => Err(error),
        };
        if let Ok((header, _)) = &got {
            self.last_header.clone_from(header);
        }
        assert_eq!(got, expected, "nn_recv");
    }

    fn set_option(&mut self, events: &mut Events<'_>) -> Option<()> {
        let option = i32::from(events.byte()? % 3);
        let value = match events.byte()? {
            topic @ 0..=127 => TOPICS[usize::from(topic) % TOPICS.len()].to_vec(),
            millis => (10 * i32::from(millis) - 1300).to_ne_bytes().to_vec(),
        };
        let expected = self.expected.set_option(option, &value);
        assert_eq!(self.stage.pattern.set_option(option, &value), expected, "nn_setsockopt");
        Some(())
    }

    /// Unlike every other message of the game.
    fn mark(&mut self) -> Vec<u8> {
        self.count += 1;
        self.count.to_le_bytes()[..3].to_vec()
    }

    /// A message from a peer: what it should send, what it may send, and what it never would.
    fn frame(&mut self, events: &mut Events<'_>) -> Option<Vec<u8>> {
        let id = self.expected.id();
        let hop = || vec![0, 0, 0, 9];
        let head = match events.byte()? {
            0 => return Some(Vec::new()),
            1 => return Some(vec![0x80, 0, 0]),
            2 => id.wrapping_sub(1).to_be_bytes().to_vec(),
            3 => (id & !(1 << 31)).to_be_bytes().to_vec(),
            4 => id.wrapping_add(1).to_be_bytes().to_vec(),
            kind @ 5..=24 => [hop().repeat(usize::from(kind) - 5), id.to_be_bytes().to_vec()].concat(),
            kind @ 25..=29 => hop().repeat(usize::from(kind) - 24),
            kind @ 30..=99 => TOPICS[usize::from(kind) % TOPICS.len()].to_vec(),
            _ => id.to_be_bytes().to_vec(),
        };
        Some([head, self.mark()].concat())
    }

    fn header(&mut self, events: &mut Events<'_>) -> Option<Vec<u8>> {
        Some(match events.byte()? {
            0..=99 => Vec::new(),
            100..=199 => self.last_header.clone(),
            length => vec![length; usize::from(length % 13)],
        })
    }
}

const TOPICS: [&[u8]; 9] = [b"", b"a", b"ab", b"abc", b"abd", b"abcd", b"b", b"\0", b"a\0"];

fn sorted(mut sent: Vec<(PipeId, Vec<u8>)>) -> Vec<(PipeId, Vec<u8>)> {
    sent.sort();
    sent
}

/// What is expected of a receive.
struct Message {
    from: PipeId,
    /// `None`: the pattern's own name for the pipe.
    header: Option<Vec<u8>>,
    body: Vec<u8>,
}

fn split(mut bytes: Vec<u8>, at: usize) -> (Vec<u8>, Vec<u8>) {
    let body = bytes.split_off(at);
    (bytes, body)
}

fn millis(value: &[u8]) -> Result<i32> {
    value.try_into().map(i32::from_ne_bytes).map_err(|_| Error::Invalid)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn every_type_does_what_the_specification_says(events in vec(any::<u8>(), 5..600)) {
            for protocol in [PAIR, PUB, SUB, REQ, REP, PUSH, PULL, SURVEYOR, RESPONDENT, BUS] {
                play(protocol, &events);
            }
        }
    }
}
