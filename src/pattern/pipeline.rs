//! PUSH and PULL: work is spread over whoever takes it. Cooked and raw are the same.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::routing::fair_queue::FairQueue;
use super::routing::load_balancer::LoadBalancer;
use super::routing::newest::Newest;
use super::{Pattern, Pipes, Priorities, Refused, discard};
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(super) struct Push {
    peers: LoadBalancer,
}

impl Pattern for Push {
    fn receives(&self) -> bool {
        false
    }

    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.peers.add(pipe, priorities);
        Ok(())
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.peers.remove(pipe);
    }

    /// A PULL has nothing to say.
    fn readable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        discard(pipe, pipes);
    }

    fn writable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.peers.writable(pipe);
    }

    fn blocked(&mut self, pipe: PipeId) {
        self.peers.blocked(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        self.peers.send(message, pipes).map(drop)
    }

    fn can_send(&self) -> bool {
        self.peers.can_send()
    }

    fn send_priority(&self) -> i32 {
        self.peers.priority()
    }
}

#[derive(Debug, Default)]
pub(super) struct Pull {
    peers: FairQueue,
    newest: Newest,
}

impl Pull {
    fn fill(&mut self, pipes: &mut dyn Pipes) {
        if self.newest.is_on() {
            self.newest.fill(|message| self.peers.recv(message, pipes).is_some());
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

impl Pattern for Pull {
    fn sends(&self) -> bool {
        false
    }

    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.peers.add(pipe, priorities);
        Ok(())
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.peers.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        self.peers.readable(pipe);
        self.fill(pipes);
    }

    fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        if !self.newest.is_out_of_use() && self.recv_newest(message, pipes) {
            return Ok(());
        }
        self.peers.recv(message, pipes).map(drop).ok_or(Error::WouldBlock)
    }

    fn can_recv(&self) -> bool {
        !self.newest.is_empty() || self.peers.can_recv()
    }

    fn unread(&self) -> Option<PipeId> {
        self.peers.next().filter(|_| self.newest.reads_on())
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
    use super::super::harness::{A, B, C, Harness, with_priority};
    use super::*;

    #[test]
    fn a_push_without_peers_waits() {
        let mut push = Harness::of(Push::default());
        assert_eq!(push.send(b"x"), Err(Error::WouldBlock));
        assert!(!push.pattern.can_send());
        assert_eq!(push.pattern.send_priority(), 0);
    }

    #[test]
    fn work_goes_round_in_the_order_of_connection() {
        let mut push = Harness::of(Push::default());
        push.connect_all(&[A, B, C]);
        for work in 0..7 {
            push.send(&[work]).unwrap();
        }
        let to = |pipe| push.sent_to(pipe);
        assert_eq!(
            (to(A), to(B), to(C)),
            (vec![vec![0], vec![3], vec![6]], vec![vec![1], vec![4]], vec![vec![2], vec![5]])
        );
    }

    #[test]
    fn a_full_pipe_is_passed_over_and_comes_back_at_the_end() {
        let mut push = Harness::of(Push::default());
        push.connect_all(&[A, B]);
        push.desk.room.insert(A, 1);
        for work in 0..4 {
            push.send(&[work]).unwrap();
        }
        assert_eq!(push.sent_to(A), [[0]]);
        push.desk.room.insert(A, 9);
        push.writable(A);
        for work in 4..7 {
            push.send(&[work]).unwrap();
        }
        assert_eq!(push.sent_to(A), [[0], [5]]);
    }

    #[test]
    fn all_full_is_not_now() {
        let mut push = Harness::of(Push::default());
        push.connect_all(&[A, B]);
        push.desk.room = [(A, 1), (B, 1)].into();
        push.send(b"1").unwrap();
        push.send(b"2").unwrap();
        assert!(!push.pattern.can_send());
        assert_eq!(push.send(b"3"), Err(Error::WouldBlock));
        push.desk.room.insert(B, 1);
        push.writable(B);
        push.send(b"3").unwrap();
        assert_eq!(push.sent_to(B), [b"2", b"3"]);
    }

    #[test]
    fn a_worse_priority_works_only_while_the_better_cannot() {
        let mut push = Harness::of(Push::default());
        push.connect_as(A, with_priority(2));
        push.connect_as(B, with_priority(1));
        assert_eq!(push.pattern.send_priority(), 1);
        push.desk.room.insert(B, 2);
        for work in 0..3 {
            push.send(&[work]).unwrap();
        }
        assert_eq!((push.sent_to(B), push.sent_to(A)), (vec![vec![0], vec![1]], vec![vec![2]]));
        assert_eq!(push.pattern.send_priority(), 1, "it is told when pipes come and go");
        push.remove(B);
        assert_eq!(push.pattern.send_priority(), 2);
        push.remove(A);
        assert_eq!(push.pattern.send_priority(), -1);
    }

    #[test]
    fn what_a_pull_says_is_dropped() {
        let mut push = Harness::of(Push::default());
        push.connect(A);
        push.arrive(A, b"noise");
        assert!(push.desk.incoming[&A].is_empty() && !push.pattern.can_recv());
        assert_eq!(push.recv(), Err(Error::NotSupported));
    }

    #[test]
    fn a_pull_takes_from_all_in_turn() {
        let mut pull = Harness::of(Pull::default());
        for (pipe, messages) in [(A, [b"A0", b"A1"]), (B, [b"B0", b"B1"]), (C, [b"C0", b"C1"])] {
            pull.connect(pipe);
            for message in messages {
                pull.arrive(pipe, message);
            }
        }
        let got: Vec<_> = (0..6).map(|_| pull.body()).collect();
        assert_eq!(got, [b"A0", b"B0", b"C0", b"A1", b"B1", b"C1"]);
        assert!(!pull.pattern.can_recv());
        assert_eq!(pull.recv(), Err(Error::WouldBlock));
    }

    #[test]
    fn a_pull_hears_the_better_priority_first() {
        let mut pull = Harness::of(Pull::default());
        pull.connect_as(A, with_priority(5));
        pull.connect_as(B, with_priority(4));
        for message in [b"a1", b"a2"] {
            pull.arrive(A, message);
        }
        for message in [b"b1", b"b2"] {
            pull.arrive(B, message);
        }
        let got: Vec<_> = (0..4).map(|_| pull.body()).collect();
        assert_eq!(got, [b"b1", b"b2", b"a1", b"a2"]);
    }

    #[test]
    fn a_pull_does_not_send() {
        let mut pull = Harness::of(Pull::default());
        pull.connect(A);
        assert_eq!(pull.send(b"x"), Err(Error::NotSupported));
        assert!(!pull.pattern.can_send());
    }

    #[test]
    fn what_was_read_ahead_goes_with_its_pipe() {
        let mut pull = Harness::of(Pull::default());
        pull.connect(A);
        pull.arrive(A, b"late");
        pull.remove(A);
        assert_eq!(pull.recv(), Err(Error::WouldBlock));
    }

    #[test]
    fn a_pull_that_conflates_reads_all_its_peers() {
        let mut pull = Harness::of(Pull::default());
        pull.connect_all(&[A, B]);
        pull.arrive(A, b"x1");
        pull.arrive(B, b"x2");
        pull.pattern.set_conflation(Some(1), 4096, &mut pull.desk);
        pull.arrive(A, b"y3");
        pull.arrive(B, b"x4");
        assert_eq!((pull.body(), pull.body()), (b"x4".to_vec(), b"y3".to_vec()));
        assert!(!pull.pattern.can_recv());
        assert_eq!((pull.recv(), pull.pattern.conflated()), (Err(Error::WouldBlock), 2));
    }

    #[test]
    fn what_finds_no_room_stays_with_its_peer_until_there_is() {
        let mut pull = Harness::of(Pull::default());
        pull.connect(A);
        pull.pattern.set_conflation(Some(2), 300, &mut pull.desk);
        for number in 10..20 {
            pull.arrive(A, number.to_string().as_bytes());
        }
        // Two, and one that waits for room.
        assert_eq!(pull.desk.incoming[&A].len(), 7);
        assert_eq!(pull.pattern.unread(), None);
        pull.pattern.set_conflation(Some(2), 500, &mut pull.desk);
        assert_eq!(pull.desk.incoming[&A].len(), 6);
        let received: Vec<Vec<u8>> = (0..10).map(|_| pull.body()).collect();
        assert_eq!(received, (10..20).map(|number| number.to_string().into_bytes()).collect::<Vec<_>>());
    }

    #[test]
    fn a_pull_that_has_much_to_read_says_so() {
        let mut pull = Harness::of(Pull::default());
        pull.connect(A);
        (0..1500).for_each(|_| pull.arrive(A, b"x"));
        pull.pattern.set_conflation(Some(0), 4096, &mut pull.desk);
        assert_eq!(pull.pattern.unread(), Some(A));
        pull.pattern.readable(A, &mut pull.desk, pull.now);
        assert_eq!((pull.pattern.unread(), pull.pattern.conflated()), (None, 1499));
    }
}
