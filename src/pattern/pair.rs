//! PAIR: one to one, both ways. Cooked and raw are the same.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::routing::exclusive::Exclusive;
use super::routing::newest::Newest;
use super::{Pattern, Pipes, Priorities, Refused};
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(super) struct Pair {
    peer: Exclusive,
    newest: Newest,
}

impl Pair {
    fn fill(&mut self, pipes: &mut dyn Pipes) {
        if self.newest.is_on() {
            self.newest.fill(|message| self.peer.recv(message, pipes));
        }
    }

    #[cold]
    fn recv_newest(&mut self, message: &mut Message, pipes: &mut dyn Pipes) -> bool {
        self.fill(pipes);
        let received = self.newest.recv(message);
        self.fill(pipes);
        received
    }
}

impl Pattern for Pair {
    fn add(&mut self, pipe: PipeId, _priorities: Priorities) -> std::result::Result<(), Refused> {
        self.peer.add(pipe)
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.peer.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        self.peer.readable(pipe);
        self.fill(pipes);
    }

    fn writable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.peer.writable(pipe);
    }

    fn blocked(&mut self, pipe: PipeId) {
        self.peer.blocked(pipe);
    }

    fn orphaned(&mut self, pipe: PipeId) {
        self.peer.orphaned(pipe);
    }

    fn has_room(&self) -> bool {
        self.peer.has_room()
    }

    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        self.peer.send(message, pipes)
    }

    fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        let received = !self.newest.is_out_of_use() && self.recv_newest(message, pipes);
        if received || self.peer.recv(message, pipes) { Ok(()) } else { Err(Error::WouldBlock) }
    }

    fn can_send(&self) -> bool {
        self.peer.can_send()
    }

    fn can_recv(&self) -> bool {
        !self.newest.is_empty() || self.peer.can_recv()
    }

    fn unread(&self) -> Option<PipeId> {
        self.peer.next().filter(|_| self.newest.reads_on())
    }

    fn newest(&self) -> Option<&Newest> {
        Some(&self.newest)
    }

    fn set_conflation(&mut self, prefix: Option<usize>, limit: usize, pipes: &mut dyn Pipes) {
        self.newest.set(prefix, limit);
        self.fill(pipes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{A, B, Harness};
    use super::*;

    fn connected() -> Harness<Pair> {
        let mut pair = Harness::of(Pair::default());
        pair.connect(A);
        pair
    }

    #[test]
    fn nothing_goes_without_a_peer() {
        let mut pair = Harness::of(Pair::default());
        assert_eq!(pair.send(b"x"), Err(Error::WouldBlock));
        assert_eq!(pair.recv(), Err(Error::WouldBlock));
        assert!(!pair.pattern.can_send() && !pair.pattern.can_recv());
    }

    #[test]
    fn a_pipe_is_usable_when_it_says_so() {
        let mut pair = Harness::of(Pair::default());
        pair.add(A).unwrap();
        assert_eq!(pair.send(b"x"), Err(Error::WouldBlock));
        pair.writable(A);
        assert_eq!(pair.send(b"x"), Ok(()));
        assert_eq!(pair.sent_to(A), [b"x"]);
    }

    #[test]
    fn the_second_peer_is_refused_until_the_first_has_gone() {
        let mut pair = connected();
        assert_eq!(pair.add(B), Err(Refused));
        pair.remove(A);
        assert!(!pair.pattern.can_send());
        pair.connect(B);
        pair.send(b"y").unwrap();
        assert_eq!(pair.sent_to(B), [b"y"]);
    }

    #[test]
    fn events_of_a_refused_pipe_change_nothing() {
        let mut pair = connected();
        pair.arrive(B, b"stranger");
        pair.pattern.blocked(B);
        pair.remove(B);
        assert!(pair.pattern.can_send() && !pair.pattern.can_recv());
    }

    #[test]
    fn a_full_pipe_blocks_until_it_is_writable() {
        let mut pair = connected();
        pair.desk.room.insert(A, 1);
        assert_eq!(pair.send(b"1"), Ok(()));
        assert!(!pair.pattern.can_send());
        assert_eq!(pair.send(b"2"), Err(Error::WouldBlock));
        pair.desk.room.insert(A, 1);
        pair.writable(A);
        assert_eq!(pair.send(b"2"), Ok(()));
    }

    #[test]
    fn messages_come_in_order_until_there_are_no_more() {
        let mut pair = connected();
        pair.arrive(A, b"1");
        pair.arrive(A, b"2");
        assert_eq!(pair.body(), b"1");
        assert!(pair.pattern.can_recv());
        assert_eq!(pair.body(), b"2");
        assert!(!pair.pattern.can_recv());
        assert_eq!(pair.recv(), Err(Error::WouldBlock));
    }

    #[test]
    fn a_gone_peer_still_delivers_what_it_had_sent() {
        let mut pair = connected();
        pair.arrive(A, b"last");
        pair.pattern.orphaned(A);
        assert_eq!(pair.send(b"x"), Err(Error::WouldBlock));
        assert_eq!(pair.body(), b"last");
    }

    #[test]
    fn what_a_gone_peer_left_unread_comes_before_what_the_next_one_sends() {
        let mut pair = connected();
        pair.arrive(A, b"1");
        pair.arrive(A, b"2");
        assert!(!pair.pattern.has_room());
        pair.pattern.orphaned(A);
        assert!(pair.pattern.has_room());
        pair.connect(B);
        pair.send(b"to the next").unwrap();
        assert_eq!(pair.sent_to(B), [b"to the next"]);
        pair.arrive(B, b"3");
        let received: Vec<Vec<u8>> = (0..3).map(|_| pair.body().to_vec()).collect();
        assert_eq!(received, [b"1", b"2", b"3"]);
        assert!(!pair.pattern.can_recv());
        pair.remove(A);
        assert!(pair.pattern.can_send());
    }

    #[test]
    fn what_a_gone_peer_left_goes_with_its_pipe() {
        let mut pair = connected();
        pair.arrive(A, b"1");
        pair.pattern.orphaned(A);
        pair.remove(A);
        assert!(!pair.pattern.can_recv());
        assert_eq!(pair.recv(), Err(Error::WouldBlock));
    }

    #[test]
    fn a_header_is_part_of_what_goes_out() {
        let mut pair = connected();
        pair.send_with(b"head", b"body").unwrap();
        assert_eq!(pair.sent_to(A), [b"headbody"]);
    }

    #[test]
    fn the_newest_only_if_it_is_to_be_so() {
        let mut pair = connected();
        [b"a1", b"a2", b"b3"].iter().for_each(|body| pair.arrive(A, *body));
        // What waits already counts.
        pair.pattern.set_conflation(Some(1), 4096, &mut pair.desk);
        assert!(pair.desk.incoming[&A].is_empty());
        pair.arrive(A, b"b4");
        assert_eq!((pair.body(), pair.pattern.can_recv()), (b"a2".to_vec(), true));
        assert_eq!((pair.body(), pair.pattern.can_recv()), (b"b4".to_vec(), false));
        assert_eq!(pair.recv(), Err(Error::WouldBlock));
        assert_eq!(pair.pattern.conflated(), 2);
    }

    #[test]
    fn what_is_kept_outlives_its_pipe_and_the_option() {
        let mut pair = connected();
        pair.pattern.set_conflation(Some(1), 4096, &mut pair.desk);
        pair.arrive(A, b"a1");
        pair.arrive(A, b"b1");
        pair.pattern.orphaned(A);
        pair.remove(A);
        pair.connect(B);
        pair.pattern.set_conflation(None, 4096, &mut pair.desk);
        pair.arrive(B, b"a2");
        pair.arrive(B, b"a3");
        let received: Vec<Vec<u8>> = (0..4).map(|_| pair.body()).collect();
        assert_eq!(received, [b"a1", b"b1", b"a2", b"a3"]);
        assert!(!pair.pattern.can_recv());
    }
}
