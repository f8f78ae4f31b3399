//! BUS: to every neighbour, from every neighbour; nothing is passed on by itself.
//!
//! A raw one tells where a message came from and can leave that neighbour out when the message is sent on.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::routing::distributor::Distributor;
use super::routing::fair_queue::FairQueue;
use super::{Pattern, Pipes, Policy, Priorities, Refused};
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pipe::PipeId;

#[derive(Debug)]
pub(super) struct Bus {
    /// Raw: what makes our names for pipes unlike those of other sockets. `None`: cooked.
    salt: Option<u64>,
    outgoing: Distributor,
    incoming: FairQueue,
}

/// How a raw socket names a pipe: 8 opaque bytes.
fn name(pipe: PipeId, salt: u64) -> [u8; 8] {
    let id = u64::from(pipe.slot) << 32 | u64::from(pipe.serial);
    (id ^ salt).to_ne_bytes()
}

fn named(name: [u8; 8], salt: u64) -> PipeId {
    let id = u64::from_ne_bytes(name) ^ salt;
    PipeId { slot: (id >> 32) as u32, serial: id as u32 }
}

impl Bus {
    pub(super) fn cooked() -> Self {
        Self { salt: None, outgoing: Distributor::default(), incoming: FairQueue::default() }
    }

    pub(super) fn raw(salt: u64) -> Self {
        Self { salt: Some(salt), ..Self::cooked() }
    }
}

impl Pattern for Bus {
    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.incoming.add(pipe, priorities);
        Ok(())
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.outgoing.remove(pipe);
        self.incoming.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.incoming.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        self.outgoing.writable(pipe, pipes);
    }

    fn blocked(&mut self, pipe: PipeId) {
        self.outgoing.blocked(pipe);
    }

    fn deaf(&mut self, pipe: PipeId) {
        self.outgoing.remove(pipe);
    }

    fn hand_over(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        self.outgoing.overflow.hand_over(pipe, pipes);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        let except = match (self.salt, &message.header[..]) {
            (_, []) => None,
            (Some(salt), header) => Some(named(header.try_into().map_err(|_| Error::Invalid)?, salt)),
            (None, _) => return Err(Error::Invalid),
        };
        let header = std::mem::take(&mut message.header);
        self.outgoing.send(message, except, pipes).inspect_err(|_| message.header = header)
    }

    fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        let pipe = self.incoming.recv(message, pipes).ok_or(Error::WouldBlock)?;
        if let Some(salt) = self.salt {
            message.header.extend_from_slice(&name(pipe, salt));
        }
        Ok(())
    }

    fn can_send(&self) -> bool {
        self.outgoing.overflow.can_send()
    }

    /// One that leaves out the only neighbour that is full.
    fn can_send_some(&self) -> bool {
        self.salt.is_some() && self.outgoing.overflow.can_send_to_others()
    }

    fn overflows(&self) -> bool {
        true
    }

    fn set_overflow(&mut self, policy: Policy, limit: usize) {
        self.outgoing.overflow.set(policy, limit);
    }

    fn overflowed(&self) -> u64 {
        self.outgoing.overflow.missed()
    }

    fn can_recv(&self) -> bool {
        self.incoming.can_recv()
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{A, B, C, Harness};
    use super::*;

    fn connected(bus: Bus) -> Harness<Bus> {
        let mut stage = Harness::of(bus);
        stage.connect_all(&[A, B, C]);
        stage
    }

    #[test]
    fn every_neighbour_hears_it() {
        let mut bus = connected(Bus::cooked());
        bus.send(b"hello").unwrap();
        assert!([A, B, C].iter().all(|&pipe| bus.sent_to(pipe) == [b"hello"]));
        assert!(!bus.pattern.can_recv(), "but not the sender");
    }

    #[test]
    fn nobody_there_is_no_error() {
        let mut bus = Harness::of(Bus::cooked());
        assert!(bus.pattern.can_send());
        assert_eq!(bus.send(b"hello"), Ok(()));
        assert_eq!(bus.recv(), Err(Error::WouldBlock));
    }

    #[test]
    fn neighbours_are_heard_in_turn() {
        let mut bus = connected(Bus::cooked());
        for (pipe, message) in [(B, b"b1"), (B, b"b2"), (A, b"a1")] {
            bus.arrive(pipe, message);
        }
        let got: Vec<_> = (0..3).map(|_| bus.body()).collect();
        assert_eq!(got, [b"b1", b"a1", b"b2"]);
    }

    #[test]
    fn a_cooked_one_takes_no_header() {
        let mut bus = connected(Bus::cooked());
        assert_eq!(bus.send_with(&[0; 8], b"x"), Err(Error::Invalid));
        assert_eq!(bus.send_with(b"h", b"x"), Err(Error::Invalid));
        assert!(bus.desk.sent.is_empty());
    }

    #[test]
    fn a_raw_one_names_the_source_and_leaves_it_out() {
        let mut bus = connected(Bus::raw(0x1234_5678_9abc_def0));
        bus.arrive(B, b"echo");
        let (source, body) = bus.recv().unwrap();
        assert_eq!((source.len(), &body[..]), (8, &b"echo"[..]));
        bus.send_with(&source, &body).unwrap();
        assert!(bus.sent_to(B).is_empty());
        assert_eq!((bus.sent_to(A), bus.sent_to(C)), (vec![b"echo".to_vec()], vec![b"echo".to_vec()]));
    }

    #[test]
    fn a_raw_one_without_a_header_or_with_a_foreign_one_sends_to_all() {
        let mut bus = connected(Bus::raw(1));
        bus.send(b"all").unwrap();
        assert_eq!(bus.desk.sent.len(), 3);
        bus.send_with(&name(A, 2), b"all").unwrap();
        assert_eq!(bus.desk.sent.len(), 6);
    }

    #[test]
    fn a_raw_header_of_another_length_is_refused() {
        let mut bus = connected(Bus::raw(1));
        for length in [1, 4, 7, 9, 16] {
            assert_eq!(bus.send_with(&vec![0; length], b"x"), Err(Error::Invalid));
        }
        assert!(bus.desk.sent.is_empty());
    }

    #[test]
    fn the_only_neighbour_left_out_means_nobody() {
        let mut bus = Harness::of(Bus::raw(1));
        bus.connect(A);
        bus.send_with(&name(A, 1), b"x").unwrap();
        assert!(bus.desk.sent.is_empty());
    }
}
