//! SUB, cooked and raw: drops what it has not subscribed to, and tells publishers what that is.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::FORWARD;
use super::demand::Demand;
use super::interest::Interest;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pattern::routing::fair_queue::FairQueue;
use crate::pattern::routing::newest::Newest;
use crate::pattern::{DeviceId, Pattern, Pipes, Priorities, Refused, bool_option};
use crate::pipe::PipeId;

pub(super) const SUBSCRIBE: i32 = 1;
pub(super) const UNSUBSCRIBE: i32 = 2;

#[derive(Debug)]
pub(in crate::pattern) struct Sub {
    publishers: FairQueue,
    interest: Interest,
    newest: Newest,
    forward: bool,
}

impl Sub {
    pub(in crate::pattern) fn new(forward: bool) -> Self {
        Self { publishers: FairQueue::default(), interest: Interest::default(), newest: Newest::default(), forward }
    }

    fn fill(&mut self, pipes: &mut dyn Pipes) {
        if self.newest.is_on() {
            self.newest.fill(|message| next(&mut self.publishers, &self.interest, message, pipes));
        }
    }

    #[cold]
    fn recv_newest(&mut self, message: &mut Message, pipes: &mut dyn Pipes) -> bool {
        self.fill(pipes);
        let received = self.newest.recv(message);
        self.fill(pipes);
        received
    }

    /// How much there is that a publisher has not heard.
    #[cfg(test)]
    pub(super) fn waiting(&self, pipe: PipeId) -> usize {
        self.interest.waiting(pipe)
    }
}

/// The next message that is wanted.
#[inline]
fn next(publishers: &mut FairQueue, interest: &Interest, message: &mut Message, pipes: &mut dyn Pipes) -> bool {
    while publishers.recv(message, pipes).is_some() {
        if interest.matches(message.body.as_slice()) {
            return true;
        }
    }
    false
}

impl Pattern for Sub {
    fn sends(&self) -> bool {
        false
    }

    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.publishers.add(pipe, priorities);
        Ok(())
    }

    fn offers_forwarding(&self) -> bool {
        self.forward
    }

    fn forward_on(&mut self, pipe: PipeId) {
        self.interest.add(pipe);
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.publishers.remove(pipe);
        self.interest.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        self.publishers.readable(pipe);
        self.fill(pipes);
    }

    fn writable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        self.interest.writable(pipe, pipes);
    }

    fn blocked(&mut self, pipe: PipeId) {
        self.interest.blocked(pipe);
    }

    fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        if !self.newest.is_out_of_use() && self.recv_newest(message, pipes) {
            return Ok(());
        }
        if next(&mut self.publishers, &self.interest, message, pipes) { Ok(()) } else { Err(Error::WouldBlock) }
    }

    /// Before filtering.
    fn can_recv(&self) -> bool {
        !self.newest.is_empty() || self.publishers.can_recv()
    }

    fn unread(&self) -> Option<PipeId> {
        self.publishers.next().filter(|_| self.newest.reads_on())
    }

    fn newest(&self) -> Option<&Newest> {
        Some(&self.newest)
    }

    fn set_conflation(&mut self, prefix: Option<usize>, limit: usize, pipes: &mut dyn Pipes) {
        self.newest.set(prefix, limit);
        self.fill(pipes);
    }

    fn set_demand(&mut self, device: DeviceId, demand: Option<Demand>) {
        self.interest.set_demand(device, demand);
    }

    fn forward(&mut self, pipes: &mut dyn Pipes, now: Instant) {
        // There may be room again.
        self.fill(pipes);
        self.interest.tell(pipes, now);
    }

    fn keeps_time(&self) -> bool {
        true
    }

    fn deadline(&self) -> Option<Instant> {
        self.interest.deadline()
    }

    fn expire(&mut self, pipes: &mut dyn Pipes, _now: Instant) {
        self.interest.tell_held(pipes);
    }

    fn set_option(&mut self, option: i32, value: &[u8]) -> Result<()> {
        match option {
            SUBSCRIBE => self.interest.subscribe(value),
            UNSUBSCRIBE => {
                self.interest.unsubscribe(value)?;
                if !self.newest.is_empty() {
                    self.newest.retain(|message| self.interest.matches(message.body.as_slice()));
                }
                Ok(())
            }
            FORWARD => bool_option(value).map(|forward| self.forward = forward),
            _ => Err(Error::NoSuchOption),
        }
    }

    fn option(&self, option: i32) -> Result<i32> {
        match option {
            FORWARD => Ok(i32::from(self.forward)),
            _ => Err(Error::NoSuchOption),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::harness::{A, B, C, Harness, with_priority};

    fn subscriber(topics: &[&[u8]]) -> Harness<Sub> {
        let mut sub = Harness::of(Sub::new(true));
        sub.connect(A);
        for topic in topics {
            sub.pattern.set_option(SUBSCRIBE, topic).unwrap();
        }
        sub
    }

    /// Which of these messages come through.
    fn filter(sub: &mut Harness<Sub>, messages: &[&[u8]]) -> Vec<Vec<u8>> {
        for message in messages {
            sub.arrive(A, message);
        }
        std::iter::from_fn(|| sub.recv().ok()).map(|(_, body)| body).collect()
    }

    #[test]
    fn without_a_subscription_nothing_comes() {
        assert!(filter(&mut subscriber(&[]), &[b"", b"news"]).is_empty());
    }

    #[test]
    fn a_message_that_starts_with_a_topic_comes_whole() {
        let mut sub = subscriber(&[b"weather", b"a\0"]);
        let got = filter(&mut sub, &[b"weather: rain", b"weathe", b"WEATHER", b"a\0b", b"ab", b"weather"]);
        assert_eq!(got, [&b"weather: rain"[..], b"a\0b", b"weather"]);
    }

    #[test]
    fn the_empty_topic_takes_all() {
        assert_eq!(filter(&mut subscriber(&[b""]), &[b"", b"x"]), [&b""[..], b"x"]);
    }

    #[test]
    fn a_shorter_message_than_all_topics_does_not_match() {
        for topics in [&[&b"abc"[..]][..], &[b"abc", b"abd"]] {
            assert!(filter(&mut subscriber(topics), &[b"ab", b"a", b""]).is_empty());
        }
    }

    #[test]
    fn subscriptions_are_counted() {
        let mut sub = subscriber(&[b"t", b"t"]);
        sub.pattern.set_option(UNSUBSCRIBE, b"t").unwrap();
        assert_eq!(filter(&mut sub, &[b"t1"]), [b"t1"]);
        sub.pattern.set_option(UNSUBSCRIBE, b"t").unwrap();
        assert!(filter(&mut sub, &[b"t2"]).is_empty());
        assert_eq!(sub.pattern.set_option(UNSUBSCRIBE, b"t"), Err(Error::Invalid));
    }

    #[test]
    fn unsubscribing_what_is_unknown_changes_nothing() {
        let mut sub = subscriber(&[]);
        for topic in [&b""[..], b"a"] {
            assert_eq!(sub.pattern.set_option(UNSUBSCRIBE, topic), Err(Error::Invalid));
        }
        let mut sub = subscriber(&[b"abc"]);
        for topic in [&b""[..], b"a", b"abd", b"abcd"] {
            assert_eq!(sub.pattern.set_option(UNSUBSCRIBE, topic), Err(Error::Invalid));
        }
        assert_eq!(filter(&mut sub, &[b"abc"]), [b"abc"]);
    }

    #[test]
    fn a_subscription_counts_for_what_has_come_already() {
        let mut sub = subscriber(&[]);
        sub.arrive(A, b"early");
        assert!(sub.pattern.can_recv(), "the filter runs when it is received");
        sub.pattern.set_option(SUBSCRIBE, b"e").unwrap();
        assert_eq!(sub.body(), b"early");
    }

    #[test]
    fn publishers_take_turns() {
        let mut sub = subscriber(&[b""]);
        sub.connect(B);
        sub.connect_as(C, with_priority(1));
        for (pipe, message) in [(A, b"a1"), (A, b"a2"), (B, b"b1"), (B, b"b2"), (C, b"c1")] {
            sub.arrive(pipe, message);
        }
        let got: Vec<_> = (0..5).map(|_| sub.body()).collect();
        assert_eq!(got, [b"c1", b"a1", b"b1", b"a2", b"b2"]);
    }

    #[test]
    fn a_sub_has_no_other_options_and_does_not_send() {
        let mut sub = subscriber(&[]);
        assert_eq!(sub.pattern.set_option(3, b""), Err(Error::NoSuchOption));
        assert_eq!(sub.pattern.option(SUBSCRIBE), Err(Error::NoSuchOption));
        assert_eq!(sub.pattern.option(FORWARD), Ok(1));
        assert_eq!(sub.send(b"x"), Err(Error::NotSupported));
    }

    #[test]
    fn only_what_is_wanted_is_replaced_and_replaces() {
        let mut sub = subscriber(&[b"a", b"b"]);
        sub.pattern.set_conflation(Some(0), 4096, &mut sub.desk);
        [&b"c1"[..], b"a2", b"c3"].iter().for_each(|body| sub.arrive(A, body));
        assert!(sub.desk.incoming[&A].is_empty());
        assert_eq!((sub.body(), sub.pattern.can_recv(), sub.pattern.conflated()), (b"a2".to_vec(), false, 0));
        sub.arrive(A, b"c4");
        assert!(!sub.pattern.can_recv(), "nothing of it is wanted");
        sub.arrive(A, b"b5");
        sub.arrive(A, b"a6");
        assert_eq!((sub.body(), sub.pattern.conflated()), (b"a6".to_vec(), 1));
    }

    #[test]
    fn what_is_wanted_no_more_makes_room() {
        let mut sub = subscriber(&[b"a", b"b"]);
        sub.pattern.set_conflation(Some(2), 300, &mut sub.desk);
        [b"a1", b"a2", b"b3", b"b4", b"a5"].iter().for_each(|body| sub.arrive(A, *body));
        assert_eq!(sub.desk.incoming[&A].len(), 2);
        sub.set_option(UNSUBSCRIBE, b"a").unwrap();
        assert_eq!((sub.body(), sub.body()), (b"b3".to_vec(), b"b4".to_vec()));
        assert!(!sub.pattern.can_recv());
    }
}
