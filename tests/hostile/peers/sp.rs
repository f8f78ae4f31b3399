//! Peers over tcp and ipc: the greeting, and frames behind a length.

use std::ops::{Deref, DerefMut};

use socket2::SockAddr;

use super::{Bare, Server};
use crate::ours::{BUS, CURRENT, Ours, Over, PAIR, PUB, PULL, PUSH, REP, REQ, RESPONDENT, SUB, SURVEYOR, eventually};

/// Every socket type, and the one it talks to.
pub(crate) const TYPES: [(i32, i32); 10] = [
    (PAIR, PAIR),
    (PUB, SUB),
    (SUB, PUB),
    (REQ, REP),
    (REP, REQ),
    (PUSH, PULL),
    (PULL, PUSH),
    (SURVEYOR, RESPONDENT),
    (RESPONDENT, SURVEYOR),
    (BUS, BUS),
];

pub(crate) fn peer_of(protocol: i32) -> i32 {
    TYPES.iter().find(|(own, _)| *own == protocol).expect("a type").1
}

/// The first eight bytes of a connection.
pub(crate) fn greeting(protocol: i32) -> [u8; 8] {
    let [high, low] = (protocol as u16).to_be_bytes();
    [0, b'S', b'P', 0, high, low, 0, 0]
}

/// A message as it goes over the wire.
pub(crate) fn frame(over: Over, parts: [&[u8]; 2]) -> Vec<u8> {
    let body = parts.concat();
    [&head(over, body.len() as u64)[..], &body].concat()
}

/// What announces a message of that length.
pub(crate) fn head(over: Over, length: u64) -> Vec<u8> {
    let kind: &[u8] = if over == Over::Ipc { &[1] } else { &[] };
    [kind, &length.to_be_bytes()].concat()
}

pub(crate) struct Peer {
    bare: Bare,
    over: Over,
    /// Says its messages one byte at a time.
    pub(crate) drips: bool,
}

impl Deref for Peer {
    type Target = Bare;

    fn deref(&self) -> &Bare {
        &self.bare
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut Bare {
        &mut self.bare
    }
}

impl Peer {
    pub(crate) fn to(over: Over, at: &SockAddr) -> Self {
        Self { bare: Bare::to(at), over, drips: false }
    }

    pub(crate) fn accepted(over: Over, server: &Server) -> Self {
        Self { bare: server.accept(), over, drips: false }
    }

    pub(crate) fn greet(&mut self, protocol: i32) {
        self.say(&greeting(peer_of(protocol)));
        assert_eq!(self.read(8).expect("a greeting"), greeting(protocol));
    }

    pub(crate) fn send(&mut self, header: &[u8], body: &[u8]) {
        let frame = frame(self.over, [header, body]);
        let piece = if self.drips { 1 } else { frame.len() };
        self.say_in_pieces(&frame, piece);
    }

    pub(crate) fn recv(&mut self) -> Vec<u8> {
        let size = head(self.over, 0).len();
        let head = self.read(size).expect("a frame");
        let length = head[head.len() - 8..].iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        self.read(length).expect("a body")
    }

    pub(crate) fn vanish(self, reset: bool) {
        self.bare.vanish(reset);
    }

    /// What a socket of this type is for, both ways, with a peer that knows how. What else there is to receive is passed
    /// over.
    pub(crate) fn exchange(&mut self, ours: &Ours, what: &str) {
        let what = what.as_bytes();
        let id = [0x80, 0x12, 0x34, 0x56];
        let hears = || while ours.recv(0).expect("a message") != what {};
        eventually("a peer", || ours.statistic(CURRENT) > 0);
        match ours.protocol {
            PUB | PUSH => {
                ours.send(what);
                assert_eq!(self.recv(), what);
            }
            SUB | PULL => {
                self.send(b"", what);
                hears();
            }
            PAIR | BUS => {
                self.send(b"", what);
                hears();
                ours.send(what);
                assert_eq!(self.recv(), what);
            }
            REQ | SURVEYOR => {
                ours.send(what);
                let asked = self.recv();
                let (header, body) = asked.split_at(asked.len() - what.len());
                assert_eq!(body, what);
                // A raw socket leaves the header to its user, who has put none.
                self.send(if ours.raw { &id } else { header }, what);
                hears();
            }
            REP | RESPONDENT => {
                self.send(&id, what);
                hears();
                // A raw one would have to be told by a header where to.
                if !ours.raw {
                    ours.send(what);
                    assert_eq!(self.recv(), [&id[..], what].concat());
                }
            }
            other => unreachable!("type {other}"),
        }
    }
}
