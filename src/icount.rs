//! Codecs and patterns for `make icount`, which runs each of these under callgrind and holds the instructions against
//! benches/icount.txt. They are ignored among the tests, because what is right is tested in the rooms.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

use crate::codec::Framing;
use crate::codec::length_prefix::LengthPrefix;
use crate::codec::ws_frame::{self, BINARY, LONGEST, Role};
use crate::error::Result;
use crate::message::{Message, Outgoing};
use crate::pattern::{self, Pattern, Pipes, Priorities, Protocol};
use crate::pipe::PipeId;
use crate::sys;

const BODY: [u8; 64] = [7; 64];

/// How often a path is taken; two counts of rounds make the cost of one.
fn rounds() -> usize {
    std::env::var("ICOUNT_ROUNDS").map_or(1, |rounds| rounds.parse().expect("a number"))
}

// ---- Codecs: a frame is written and read again ----

fn framed(framing: Framing, read: impl Fn(&mut [u8]) -> usize) {
    for _ in 0..rounds() {
        let mut frame = [0; LONGEST + BODY.len()];
        let prefix = framing.prefix(black_box(BODY.len()), BINARY, || [1, 2, 3, 4]);
        let head = prefix.as_slice().len();
        let frame = &mut frame[..head + BODY.len()];
        frame[..head].copy_from_slice(prefix.as_slice());
        frame[head..].copy_from_slice(&BODY);
        prefix.mask(frame);
        assert_eq!(read(black_box(frame)), head);
        assert_eq!(frame[head..], BODY);
    }
}

fn prefixed(prefix: LengthPrefix) {
    framed(Framing::Prefixed(prefix), |frame| prefix.decode(frame).unwrap().unwrap().head);
}

#[test]
#[ignore = "for make icount"]
fn frame_of_tcp() {
    prefixed(LengthPrefix::Plain);
}

#[test]
#[ignore = "for make icount"]
fn frame_of_ipc() {
    prefixed(LengthPrefix::Typed);
}

fn web_socket(sender: Role, receiver: Role) {
    framed(Framing::WebSocket(sender, BINARY), |frame| {
        let head = ws_frame::decode(frame, receiver).unwrap().unwrap();
        ws_frame::apply_mask(&mut frame[head.length..], head.mask, 0);
        head.length
    });
}

#[test]
#[ignore = "for make icount"]
fn frame_of_ws_masked() {
    web_socket(Role::Client, Role::Server);
}

#[test]
#[ignore = "for make icount"]
fn frame_of_ws_plain() {
    web_socket(Role::Server, Role::Client);
}

// ---- Patterns: one socket type sends, another receives, and no more than a queue is between them ----

const PIPE: PipeId = PipeId { slot: 0, serial: 1 };

#[derive(Default)]
struct Queues {
    out: VecDeque<Message>,
    incoming: VecDeque<Message>,
}

impl Pipes for Queues {
    fn send(&mut self, _pipe: PipeId, message: &mut Outgoing<'_>, last: bool) -> Result<bool> {
        self.out.push_back(Message { body: message.joined_body(last)?, ..Message::default() });
        Ok(true)
    }

    fn recv(&mut self, _pipe: PipeId, message: &mut Message) -> Option<bool> {
        *message = self.incoming.pop_front()?;
        Some(!self.incoming.is_empty())
    }
}

struct End {
    pattern: Box<dyn Pattern>,
    queues: Queues,
    now: Instant,
}

impl End {
    fn of(protocol: Protocol) -> Self {
        let mut pattern = pattern::open(protocol, false, 1, false).unwrap();
        let (mut queues, now) = (Queues::default(), sys::now());
        pattern.add(PIPE, Priorities { send: 8, recv: 8 }).unwrap();
        pattern.writable(PIPE, &mut queues, now);
        Self { pattern, queues, now }
    }

    fn send_to(&mut self, other: &mut Self) {
        self.pattern.send(&mut Outgoing::borrowed(black_box(&BODY)), &mut self.queues, self.now).unwrap();
        std::mem::swap(&mut self.queues.out, &mut other.queues.incoming);
        other.pattern.readable(PIPE, &mut other.queues, other.now);
        let mut message = Message::default();
        other.pattern.recv(&mut message, &mut other.queues, other.now).unwrap();
        assert_eq!(message.body.as_slice(), BODY);
    }
}

#[test]
#[ignore = "for make icount"]
fn pattern_pair() {
    let (mut a, mut b) = (End::of(pattern::PAIR), End::of(pattern::PAIR));
    (0..rounds()).for_each(|_| a.send_to(&mut b));
}

#[test]
#[ignore = "for make icount"]
fn pattern_pipeline() {
    let (mut push, mut pull) = (End::of(pattern::PUSH), End::of(pattern::PULL));
    (0..rounds()).for_each(|_| push.send_to(&mut pull));
}

#[test]
#[ignore = "for make icount"]
fn pattern_bus() {
    let (mut a, mut b) = (End::of(pattern::BUS), End::of(pattern::BUS));
    (0..rounds()).for_each(|_| a.send_to(&mut b));
}

/// With a thousand subscriptions, of which one is to what is published.
#[test]
#[ignore = "for make icount"]
fn pattern_pubsub() {
    const SUBSCRIBE: i32 = 1;
    let (mut publisher, mut subscriber) = (End::of(pattern::PUB), End::of(pattern::SUB));
    for topic in 0..1000 {
        subscriber.pattern.set_option(SUBSCRIBE, format!("topic {topic}").as_bytes()).unwrap();
    }
    subscriber.pattern.set_option(SUBSCRIBE, &BODY[..8]).unwrap();
    (0..rounds()).for_each(|_| publisher.send_to(&mut subscriber));
}

/// There and back.
#[test]
#[ignore = "for make icount"]
fn pattern_reqrep() {
    let (mut req, mut rep) = (End::of(pattern::REQ), End::of(pattern::REP));
    for _ in 0..rounds() {
        req.send_to(&mut rep);
        rep.send_to(&mut req);
    }
}

/// There and back.
#[test]
#[ignore = "for make icount"]
fn pattern_survey() {
    let (mut surveyor, mut respondent) = (End::of(pattern::SURVEYOR), End::of(pattern::RESPONDENT));
    for _ in 0..rounds() {
        surveyor.send_to(&mut respondent);
        respondent.send_to(&mut surveyor);
    }
}
