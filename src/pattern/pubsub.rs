//! PUB and SUB: everything to everybody, and who does not want it drops it. Cooked and raw are the same.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::prefix_tree::PrefixTree;
use super::routing::distributor::Distributor;
use super::routing::fair_queue::FairQueue;
use super::{Pattern, Pipes, Priorities, Refused, discard};
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(super) struct Pub {
    subscribers: Distributor,
}

impl Pattern for Pub {
    fn receives(&self) -> bool {
        false
    }

    fn add(&mut self, _pipe: PipeId, _priorities: Priorities) -> std::result::Result<(), Refused> {
        Ok(())
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.subscribers.blocked(pipe);
    }

    /// A SUB has nothing to say (upstream aborts here).
    fn readable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        discard(pipe, pipes);
    }

    fn writable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.subscribers.writable(pipe);
    }

    fn blocked(&mut self, pipe: PipeId) {
        self.subscribers.blocked(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        self.subscribers.send(message, None, pipes)
    }

    fn can_send(&self) -> bool {
        true
    }
}

const SUBSCRIBE: i32 = 1;
const UNSUBSCRIBE: i32 = 2;

#[derive(Debug, Default)]
pub(super) struct Sub {
    publishers: FairQueue,
    /// How often each topic is subscribed to.
    subscriptions: PrefixTree<usize>,
}

impl Pattern for Sub {
    fn sends(&self) -> bool {
        false
    }

    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.publishers.add(pipe, priorities);
        Ok(())
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.publishers.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.publishers.readable(pipe);
    }

    fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        while self.publishers.recv(message, pipes).is_some() {
            if self.subscriptions.matches(message.body.as_slice()) {
                return Ok(());
            }
        }
        Err(Error::WouldBlock)
    }

    /// Before filtering.
    fn can_recv(&self) -> bool {
        self.publishers.can_recv()
    }

    fn set_option(&mut self, option: i32, topic: &[u8]) -> Result<()> {
        match option {
            SUBSCRIBE => {
                *self.subscriptions.entry(topic) += 1;
                Ok(())
            }
            UNSUBSCRIBE => {
                let count = self.subscriptions.get_mut(topic).ok_or(Error::Invalid)?;
                *count -= 1;
                if *count == 0 {
                    self.subscriptions.remove(topic);
                }
                Ok(())
            }
            _ => Err(Error::NoSuchOption),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{A, B, C, Stage, with_priority};
    use super::*;

    #[test]
    fn everyone_gets_what_is_published() {
        let mut publisher = Stage::of(Pub::default());
        publisher.connect_all(&[A, B, C]);
        publisher.send(b"news").unwrap();
        for pipe in [A, B, C] {
            assert_eq!(publisher.sent_to(pipe), [b"news"]);
        }
    }

    #[test]
    fn publishing_to_nobody_succeeds() {
        let mut publisher = Stage::of(Pub::default());
        assert!(publisher.pattern.can_send());
        assert_eq!(publisher.send(b"news"), Ok(()));
        publisher.add(A).unwrap();
        assert_eq!(publisher.send(b"news"), Ok(()));
        assert_eq!(publisher.sent_to(A).len(), 0, "it has not said that it takes messages");
    }

    #[test]
    fn a_busy_subscriber_misses_it_and_nobody_waits() {
        let mut publisher = Stage::of(Pub::default());
        publisher.connect_all(&[A, B, C]);
        publisher.desk.room.insert(A, 1);
        for news in [b"1", b"2", b"3"] {
            publisher.send(news).unwrap();
        }
        assert_eq!((publisher.sent_to(A).len(), publisher.sent_to(B).len(), publisher.sent_to(C).len()), (1, 3, 3));
        publisher.desk.room.insert(A, 9);
        publisher.writable(A);
        publisher.send(b"4").unwrap();
        assert_eq!(publisher.sent_to(A), [b"1", b"4"]);
        assert_eq!(publisher.sent_to(C).len(), 4);
    }

    #[test]
    fn a_blocked_or_gone_subscriber_gets_nothing() {
        let mut publisher = Stage::of(Pub::default());
        publisher.connect_all(&[A, B, C]);
        publisher.pattern.blocked(B);
        publisher.remove(A);
        publisher.send(b"news").unwrap();
        assert_eq!(publisher.desk.sent, [(C, b"news".to_vec())]);
    }

    #[test]
    fn what_a_subscriber_says_is_dropped() {
        let mut publisher = Stage::of(Pub::default());
        publisher.connect(A);
        publisher.arrive(A, b"noise");
        assert!(publisher.desk.incoming[&A].is_empty());
        assert_eq!(publisher.recv(), Err(Error::NotSupported));
        publisher.send(b"news").unwrap();
        assert_eq!(publisher.sent_to(A), [b"news"]);
    }

    fn subscriber(topics: &[&[u8]]) -> Stage<Sub> {
        let mut sub = Stage::of(Sub::default());
        sub.connect(A);
        for topic in topics {
            sub.pattern.set_option(SUBSCRIBE, topic).unwrap();
        }
        sub
    }

    /// Which of these messages come through.
    fn filter(sub: &mut Stage<Sub>, messages: &[&[u8]]) -> Vec<Vec<u8>> {
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
        assert!(filter(&mut subscriber(&[b"abc", b"abd"]), &[b"ab", b"a", b""]).is_empty());
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
        assert_eq!(sub.send(b"x"), Err(Error::NotSupported));
    }
}
