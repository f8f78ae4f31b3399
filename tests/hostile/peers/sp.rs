//! Peers over tcp and ipc: the greeting, and frames behind a length.

use std::ops::{Deref, DerefMut};

use super::{Bare, Server, Speaks, TYPES};
use crate::ours::{Over, Place};

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
    pub(crate) fn to(place: &Place) -> Self {
        Self { bare: Bare::to(place), over: place.over, drips: false }
    }

    pub(crate) fn accepted(over: Over, server: &Server) -> Self {
        Self { bare: server.accept(), over, drips: false }
    }

    pub(crate) fn greet(&mut self, protocol: i32) {
        self.say(&greeting(peer_of(protocol)));
        assert_eq!(self.read(8).expect("a greeting"), greeting(protocol));
    }

    pub(crate) fn vanish(self, reset: bool) {
        self.bare.vanish(reset);
    }
}

impl Speaks for Peer {
    fn send(&mut self, header: &[u8], body: &[u8]) {
        let frame = frame(self.over, [header, body]);
        let piece = if self.drips { 1 } else { frame.len() };
        self.say_in_pieces(&frame, piece);
    }

    fn recv(&mut self) -> Vec<u8> {
        let size = head(self.over, 0).len();
        let head = self.read(size).expect("a frame");
        let length = head[head.len() - 8..].iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        self.read(length).expect("a body")
    }
}
