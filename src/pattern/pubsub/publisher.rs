//! PUB, cooked and raw: each message to all subscribers, or, where they tell what they want, to those who want it.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::FORWARD;
use super::demand::Demand;
use super::frame::{Frame, cut};
use super::subscription_index::{Room, SubscriptionIndex};
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pattern::routing::distributor::{Distributor, Reached};
use crate::pattern::{DeviceId, Pattern, Pipes, Policy, Priorities, Refused, bool_option};
use crate::pipe::PipeId;

#[derive(Debug)]
pub(in crate::pattern) struct Pub {
    /// Those that are sent everything. Its overflow is of all.
    unfiltered: Distributor,
    subscription_index: SubscriptionIndex,
    pipes: usize,
    forward: bool,
    /// Messages times subscribers that did not want them.
    filtered: u64,
    /// Memory for the pipes of one message.
    found: Vec<PipeId>,
}

impl Pub {
    pub(in crate::pattern) fn new(forward: bool) -> Self {
        Self {
            unfiltered: Distributor::default(),
            subscription_index: SubscriptionIndex::default(),
            pipes: 0,
            forward,
            filtered: 0,
            found: Vec::new(),
        }
    }

    /// Whether nothing is kept of any subscriber.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.subscription_index.is_empty()
    }

    /// Whether somebody gets all there is, and always will.
    fn everything(&self) -> bool {
        self.pipes > self.subscription_index.forwarding_peers()
    }

    fn hear(&mut self, pipe: PipeId, frame: &[u8]) {
        match Frame::decode(frame) {
            Frame::Topic { topic, wanted } => {
                if self.subscription_index.set(pipe, topic, wanted) == Err(Room::Some) {
                    self.unfiltered.include(pipe);
                }
            }
            Frame::Complete => {
                if self.subscription_index.complete(pipe) {
                    let room = match self.unfiltered.exclude(pipe) {
                        true => Room::Some,
                        false if self.unfiltered.overflow.contains(pipe) => Room::Full,
                        false => Room::None,
                    };
                    self.subscription_index.set_room(pipe, room);
                }
            }
            Frame::Unknown => {}
        }
    }

    fn send_selected(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes) -> Result<()> {
        let (subscription_index, everyone) = (&mut self.subscription_index, &mut self.unfiltered);
        let mut found = std::mem::take(&mut self.found);
        let missed = if message.header.is_empty() {
            subscription_index.find(message.body(), &mut found)
        } else {
            // Of a raw socket: the subscriber sees it in front of the body. No topic is longer than what travels.
            subscription_index.find(&[cut(&message.header), cut(message.body())].concat(), &mut found)
        };
        self.filtered += (subscription_index.selective() - found.len() - missed) as u64;
        let full = missed + everyone.overflow.count() - subscription_index.full();
        let kept = everyone.overflow.keep(message, full, |pipe| subscription_index.is_wanted_by(pipe));
        let mut reached = Reached { one: kept, no_memory: false };
        let last = found.last().copied().filter(|_| everyone.is_empty());
        for pipe in found.drain(..) {
            let outcome = pipes.send(pipe, message, Some(pipe) == last);
            reached.one |= outcome.is_ok();
            match outcome {
                Ok(true) => {}
                Err(Error::NoMemory) => reached.no_memory = true,
                Ok(false) => {
                    subscription_index.set_room(pipe, Room::Full);
                    everyone.overflow.block(pipe);
                }
                Err(_) => {
                    subscription_index.set_room(pipe, Room::Full);
                    reached.one |= everyone.overflow.refuse(pipe, message);
                }
            }
        }
        self.found = found;
        everyone.spread(message, None, reached, pipes)?;
        everyone.overflow.count_missed(full);
        Ok(())
    }
}

impl Pattern for Pub {
    fn receives(&self) -> bool {
        false
    }

    fn add(&mut self, _pipe: PipeId, _priorities: Priorities) -> std::result::Result<(), Refused> {
        self.pipes += 1;
        Ok(())
    }

    fn offers_forwarding(&self) -> bool {
        self.forward
    }

    fn forward_on(&mut self, pipe: PipeId) {
        self.subscription_index.add(pipe);
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.unfiltered.remove(pipe);
        self.subscription_index.remove(pipe);
        self.pipes -= 1;
    }

    /// A SUB has nothing to say but what it wants (upstream aborts here).
    fn readable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        let mut message = Message::default();
        while let Some(more) = pipes.recv(pipe, &mut message) {
            self.hear(pipe, message.body.as_slice());
            if !more {
                return;
            }
        }
    }

    fn writable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        if self.unfiltered.overflow.unblock(pipe, pipes) && !self.subscription_index.set_room(pipe, Room::Some) {
            self.unfiltered.include(pipe);
        }
    }

    fn blocked(&mut self, pipe: PipeId) {
        if self.subscription_index.has_room(pipe) {
            self.subscription_index.set_room(pipe, Room::Full);
            self.unfiltered.overflow.block(pipe);
        } else {
            self.unfiltered.blocked(pipe);
        }
    }

    fn deaf(&mut self, pipe: PipeId) {
        self.subscription_index.set_room(pipe, Room::None);
        self.unfiltered.remove(pipe);
    }

    fn hand_over(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        self.unfiltered.overflow.hand_over(pipe, pipes);
        self.subscription_index.set_room(pipe, Room::None);
    }

    fn needs_read_before_send(&self) -> bool {
        self.subscription_index.selective() > 0
    }

    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        if self.subscription_index.selective() > 0 && !self.unfiltered.overflow.holds(None) {
            return self.send_selected(message, pipes);
        }
        self.unfiltered.send(message, None, pipes)
    }

    fn can_send(&self) -> bool {
        self.unfiltered.overflow.can_send()
    }

    fn overflows(&self) -> bool {
        true
    }

    fn set_overflow(&mut self, policy: Policy, limit: usize) {
        self.unfiltered.overflow.set(policy, limit);
    }

    fn overflowed(&self) -> u64 {
        self.unfiltered.overflow.missed()
    }

    fn filtered(&self) -> u64 {
        self.filtered
    }

    fn watch_demand(&mut self, device: DeviceId, on: bool) {
        self.subscription_index.watch(device, on);
    }

    fn demand_changed(&self, device: DeviceId) -> bool {
        self.subscription_index.has_news(device, self.everything())
    }

    fn take_demand(&mut self, device: DeviceId) -> Option<Demand> {
        self.subscription_index.news(device, self.everything())
    }

    fn set_option(&mut self, option: i32, value: &[u8]) -> Result<()> {
        match option {
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
    use crate::pattern::harness::{A, B, C, DEVICE, Harness};

    #[test]
    fn everyone_gets_what_is_published() {
        let mut publisher = Harness::of(Pub::new(true));
        publisher.connect_all(&[A, B, C]);
        publisher.send(b"news").unwrap();
        for pipe in [A, B, C] {
            assert_eq!(publisher.sent_to(pipe), [b"news"]);
        }
    }

    #[test]
    fn publishing_to_nobody_succeeds() {
        let mut publisher = Harness::of(Pub::new(true));
        assert!(publisher.pattern.can_send());
        assert_eq!(publisher.send(b"news"), Ok(()));
        publisher.add(A).unwrap();
        assert_eq!(publisher.send(b"news"), Ok(()));
        assert_eq!(publisher.sent_to(A).len(), 0, "it has not said that it takes messages");
    }

    #[test]
    fn a_busy_subscriber_misses_it_and_nobody_waits() {
        let mut publisher = Harness::of(Pub::new(true));
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
        let mut publisher = Harness::of(Pub::new(true));
        publisher.connect_all(&[A, B, C]);
        publisher.pattern.blocked(B);
        publisher.remove(A);
        publisher.send(b"news").unwrap();
        assert_eq!(publisher.desk.sent, [(C, b"news".to_vec())]);
    }

    #[test]
    fn what_a_subscriber_says_that_agreed_to_nothing_is_dropped() {
        let mut publisher = Harness::of(Pub::new(true));
        publisher.connect(A);
        for noise in [&b"noise"[..], b"\x01topic", b"\x02"] {
            publisher.arrive(A, noise);
        }
        assert!(publisher.desk.incoming[&A].is_empty());
        assert_eq!(publisher.recv(), Err(Error::NotSupported));
        publisher.send(b"news").unwrap();
        assert_eq!(publisher.sent_to(A), [b"news"]);
    }

    /// A publisher whose subscribers A and B want these topics, and have said so.
    fn asked(of_a: &[&[u8]], of_b: &[&[u8]]) -> Harness<Pub> {
        let mut publisher = Harness::of(Pub::new(true));
        for (pipe, topics) in [(A, of_a), (B, of_b)] {
            publisher.connect_forwarding(pipe);
            for topic in topics {
                publisher.arrive(pipe, &[&[1], *topic].concat());
            }
            publisher.arrive(pipe, b"\x02");
        }
        publisher
    }

    fn sent(publisher: &mut Harness<Pub>, message: &[u8]) -> Vec<PipeId> {
        publisher.desk.sent.clear();
        publisher.send(message).unwrap();
        let mut pipes: Vec<PipeId> = publisher.desk.sent.drain(..).map(|(pipe, _)| pipe).collect();
        pipes.sort_unstable();
        pipes
    }

    #[test]
    fn subscribers_get_what_they_have_asked_for() {
        let mut publisher = asked(&[b"a", b"ab"], &[b"ab"]);
        assert_eq!(sent(&mut publisher, b"abc"), [A, B], "once each, though two topics of A fit");
        assert_eq!(sent(&mut publisher, b"ac"), [A]);
        assert_eq!(sent(&mut publisher, b"b"), []);
        assert_eq!(publisher.pattern.filtered(), 3);
    }

    #[test]
    fn until_all_is_told_everything_is_sent() {
        let mut publisher = Harness::of(Pub::new(true));
        publisher.connect_forwarding(A);
        publisher.arrive(A, b"\x01a");
        assert_eq!(sent(&mut publisher, b"b"), [A]);
        publisher.arrive(A, b"\x02");
        assert_eq!(sent(&mut publisher, b"b"), []);
        assert_eq!(sent(&mut publisher, b"a"), [A]);
    }

    #[test]
    fn who_cannot_tell_gets_everything_beside_those_who_can() {
        let mut publisher = asked(&[b"a"], &[]);
        publisher.connect(C);
        assert_eq!(sent(&mut publisher, b"a"), [A, C]);
        assert_eq!(sent(&mut publisher, b"b"), [C]);
    }

    #[test]
    fn telling_twice_is_telling_once() {
        let mut publisher = asked(&[b"a", b"a"], &[]);
        publisher.arrive(A, b"\0a");
        publisher.arrive(A, b"\0a");
        publisher.arrive(A, b"\0never");
        publisher.arrive(A, b"\x02");
        assert_eq!(sent(&mut publisher, b"a"), []);
        publisher.arrive(A, b"\x01");
        assert_eq!(sent(&mut publisher, b"a"), [A]);
    }

    #[test]
    fn frames_of_other_kinds_change_nothing() {
        let mut publisher = asked(&[b"a"], &[]);
        for frame in [&b""[..], b"\x02a", b"\x03a", b"\xff"] {
            publisher.arrive(A, frame);
        }
        assert_eq!(sent(&mut publisher, b"a"), [A]);
        assert_eq!(sent(&mut publisher, b"b"), []);
    }

    #[test]
    fn a_subscriber_that_is_gone_leaves_nothing() {
        let mut publisher = asked(&[b"a", b"ab"], &[b"ab"]);
        publisher.remove(A);
        assert_eq!(sent(&mut publisher, b"abc"), [B]);
        publisher.remove(B);
        assert!(publisher.pattern.is_empty());
        publisher.connect(A);
        assert_eq!(sent(&mut publisher, b"x"), [A], "the next one in its place starts afresh");
    }

    #[test]
    fn a_busy_subscriber_misses_what_it_asked_for_until_it_takes_messages_again() {
        let mut publisher = asked(&[b"a"], &[b"a"]);
        publisher.desk.room.insert(A, 1);
        assert_eq!(sent(&mut publisher, b"a1"), [A, B]);
        assert_eq!(sent(&mut publisher, b"a2"), [B]);
        publisher.desk.room.insert(A, 9);
        publisher.writable(A);
        assert_eq!(sent(&mut publisher, b"a3"), [A, B]);
        publisher.pattern.blocked(B);
        assert_eq!(sent(&mut publisher, b"a4"), [A]);
    }

    #[test]
    fn who_asks_for_more_than_is_kept_gets_everything() {
        let mut publisher = asked(&[b"a"], &[b"b"]);
        for number in 0..150_000u32 {
            publisher.arrive(A, &[&[1], &number.to_be_bytes()[..]].concat());
        }
        assert_eq!(sent(&mut publisher, b"x"), [A]);
        assert_eq!(publisher.pattern.subscription_index.topics(), 1, "nothing of it is kept");
        publisher.arrive(A, b"\x02");
        publisher.arrive(A, b"\0x");
        publisher.arrive(A, b"\x01c");
        assert_eq!(sent(&mut publisher, b"b"), [A, B]);
        publisher.arrive(B, &[&[1][..], &[7; 5000]].concat());
        assert_eq!(sent(&mut publisher, b"x"), [A, B], "a topic longer than any");
        publisher.remove(A);
        publisher.remove(B);
        assert!(publisher.pattern.is_empty());
    }

    #[test]
    fn what_is_kept_of_all_has_a_limit_too() {
        let mut publisher = asked(&[b"a"], &[b"b"]);
        let taken = publisher.pattern.subscription_index.leave_room_for(2);
        publisher.arrive(A, b"\x01c");
        publisher.arrive(B, b"\x01c");
        publisher.arrive(B, b"\x01c");
        assert_eq!(sent(&mut publisher, b"x"), [], "so much fits");
        publisher.arrive(B, b"\x01d");
        assert_eq!(sent(&mut publisher, b"x"), [B]);
        assert_eq!(publisher.pattern.subscription_index.topics(), 2, "nothing of it is kept");
        for topic in [b"\x01d", b"\x01e"] {
            publisher.arrive(A, topic);
            assert_eq!(sent(&mut publisher, b"x"), [B], "what the other had is free");
        }
        publisher.arrive(A, b"\0e");
        publisher.connect_forwarding(C);
        publisher.arrive(C, b"\x01x");
        publisher.arrive(C, b"\x02");
        assert_eq!(sent(&mut publisher, b"x"), [B, C]);
        publisher.remove(A);
        publisher.arrive(C, b"\x01y");
        assert_eq!(sent(&mut publisher, b"z"), [B]);
        publisher.arrive(C, b"\x01u");
        publisher.arrive(C, b"\x01v");
        assert_eq!(sent(&mut publisher, b"z"), [B], "of one that has gone nothing counts");
        publisher.remove(B);
        publisher.remove(C);
        publisher.pattern.subscription_index.give_back(taken);
        assert!(publisher.pattern.is_empty());
    }

    #[test]
    fn topics_that_come_and_go_do_not_weigh() {
        let mut publisher = asked(&[], &[]);
        for number in 0..300_000u32 {
            for kind in [1, 0] {
                publisher.arrive(A, &[&[kind], &number.to_be_bytes()[..]].concat());
            }
        }
        assert_eq!(sent(&mut publisher, b"x"), []);
    }

    #[test]
    fn topics_that_come_and_go_take_no_memory() {
        let mut publisher = asked(&[b"stays", b"both"], &[b"both"]);
        for number in 0..1000u32 {
            for topic in [&number.to_be_bytes()[..], b"again", b"both"] {
                for kind in [1, 0, 1, 1, 0, 0] {
                    publisher.arrive(A, &[&[kind], topic].concat());
                }
            }
            assert!(publisher.pattern.subscription_index.told(A) <= 20);
        }
        assert_eq!((sent(&mut publisher, b"again"), sent(&mut publisher, b"both")), (vec![], vec![B]));
        assert_eq!(sent(&mut publisher, b"stays"), [A]);
        for pipe in [A, B] {
            publisher.remove(pipe);
        }
        assert!(publisher.pattern.is_empty());
    }

    #[test]
    fn the_header_of_a_raw_message_is_what_a_subscriber_sees_first() {
        let mut publisher = asked(&[b"he"], &[b"bo"]);
        publisher.send_with(b"head", b"body").unwrap();
        assert_eq!(publisher.desk.sent, [(A, b"headbody".to_vec())]);
    }

    #[test]
    fn only_what_goes_to_one_pipe_last_may_be_taken() {
        let mut publisher = asked(&[b""], &[b""]);
        publisher.connect(C);
        sent(&mut publisher, b"a");
        assert_eq!(publisher.desk.taken.drain(..).filter(|&last| last).count(), 1);
        publisher.remove(C);
        sent(&mut publisher, b"a");
        assert_eq!(publisher.desk.taken, [false, true]);
    }

    fn demand(publisher: &mut Harness<Pub>) -> Option<Demand> {
        let mut demand = publisher.pattern.take_demand(DEVICE);
        if let Some(demand) = &mut demand {
            demand.topics.sort();
        }
        demand
    }

    fn told(whole: bool, everything: bool, topics: &[(&str, bool)]) -> Option<Demand> {
        let topics = topics.iter().map(|&(topic, wanted)| (topic.as_bytes().into(), wanted)).collect();
        Some(Demand { whole, everything, topics })
    }

    #[test]
    fn a_device_hears_what_is_wanted_and_what_changes() {
        let mut publisher = asked(&[b"a", b"b"], &[b"b"]);
        assert_eq!(demand(&mut publisher), None, "nobody has asked");
        publisher.pattern.watch_demand(DEVICE, true);
        assert_eq!(demand(&mut publisher), told(true, false, &[("a", true), ("b", true)]));
        assert_eq!(demand(&mut publisher), None);
        publisher.arrive(A, b"\0b");
        assert!(!publisher.pattern.demand_changed(DEVICE), "B still wants it");
        publisher.remove(B);
        publisher.arrive(A, b"\x01c");
        assert!(publisher.pattern.demand_changed(DEVICE));
        assert_eq!(demand(&mut publisher), told(false, false, &[("b", false), ("c", true)]));
        publisher.connect(C);
        assert_eq!(demand(&mut publisher), told(false, true, &[]), "C cannot tell");
        publisher.remove(C);
        assert_eq!(demand(&mut publisher), told(false, false, &[]));
    }

    #[test]
    fn each_of_several_devices_hears_what_changes() {
        let mut publisher = asked(&[b"a"], &[]);
        let news = |publisher: &mut Harness<Pub>, device| publisher.pattern.take_demand(device);
        for device in [1, 2] {
            publisher.pattern.watch_demand(device, true);
            assert_eq!(news(&mut publisher, device), told(true, false, &[("a", true)]));
        }
        publisher.arrive(A, b"\x01b");
        for device in [1, 2] {
            assert!(publisher.pattern.demand_changed(device));
            assert_eq!(news(&mut publisher, device), told(false, false, &[("b", true)]));
        }
        publisher.pattern.watch_demand(1, false);
        publisher.arrive(A, b"\0b");
        assert_eq!(news(&mut publisher, 1), None);
        assert_eq!(news(&mut publisher, 2), told(false, false, &[("b", false)]));
    }

    #[test]
    fn a_device_that_does_not_listen_is_told_all_again() {
        let mut publisher = asked(&[b"a"], &[]);
        publisher.pattern.watch_demand(DEVICE, true);
        demand(&mut publisher);
        for number in 0..70_000u32 {
            for kind in [1, 0] {
                publisher.arrive(A, &[&[kind], &number.to_be_bytes()[..]].concat());
            }
        }
        assert_eq!(demand(&mut publisher), told(true, false, &[("a", true)]));
    }

    #[test]
    fn the_option_is_for_connections_to_come() {
        let mut publisher = Pub::new(true);
        assert_eq!((publisher.offers_forwarding(), publisher.option(FORWARD)), (true, Ok(1)));
        publisher.set_option(FORWARD, &0i32.to_ne_bytes()).unwrap();
        assert_eq!((publisher.offers_forwarding(), publisher.option(FORWARD)), (false, Ok(0)));
        for wrong in [&2i32.to_ne_bytes()[..], &(-1i32).to_ne_bytes(), &[1], &[]] {
            assert_eq!(publisher.set_option(FORWARD, wrong), Err(Error::Invalid));
        }
        assert_eq!(publisher.set_option(1, &[0; 4]), Err(Error::NoSuchOption));
        assert_eq!(publisher.option(1), Err(Error::NoSuchOption));
    }

    /// A forwarding pipe that wants what starts with `a`, and one that takes everything.
    fn selective(policy: Policy) -> Harness<Pub> {
        let mut publisher = Harness::of(Pub::new(true));
        publisher.pattern.set_overflow(policy, 100);
        publisher.connect_forwarding(A);
        publisher.connect(B);
        publisher.arrive(A, b"\x01a");
        publisher.arrive(A, b"\x02");
        publisher
    }

    #[test]
    fn only_what_a_full_subscriber_wants_it_misses_or_gets_later() {
        let all: [&[u8]; 4] = [b"a1", b"b2", b"a3", b"b4"];
        const CASES: [(Policy, bool, u64, [usize; 2]); 4] = [
            (Policy::DropNew, false, 2, [0, 4]),
            (Policy::DropNew, true, 6, [0, 0]),
            (Policy::DropOld, false, 0, [2, 4]),
            (Policy::DropOld, true, 0, [2, 4]),
        ];
        for (policy, both, missed, later) in CASES {
            let mut publisher = selective(policy);
            publisher.pattern.blocked(A);
            if both {
                publisher.pattern.blocked(B);
            }
            all.iter().for_each(|body| publisher.send(body).unwrap());
            assert_eq!((publisher.pattern.overflowed(), publisher.pattern.filtered()), (missed, 2));
            publisher.writable(A);
            publisher.writable(B);
            assert_eq!(publisher.sent_to(A), [b"a1", b"a3"][..later[0]]);
            assert_eq!(publisher.sent_to(B), all[..later[1]]);
        }
    }

    #[test]
    fn whoever_becomes_selective_while_it_is_full_has_what_waits() {
        let mut publisher = Harness::of(Pub::new(true));
        publisher.pattern.set_overflow(Policy::DropOld, 100);
        publisher.connect_forwarding(A);
        publisher.pattern.blocked(A);
        publisher.send(b"everything").unwrap();
        publisher.arrive(A, b"\x01a");
        publisher.arrive(A, b"\x02");
        [b"a1", b"b2"].iter().for_each(|body| publisher.send(*body).unwrap());
        publisher.writable(A);
        publisher.send(b"a3").unwrap();
        assert_eq!(publisher.sent_to(A), [&b"everything"[..], b"a1", b"a3"]);
        publisher.remove(A);
        assert!(publisher.pattern.is_empty());
    }

    #[test]
    fn a_full_subscriber_that_tells_too_much_has_what_waits() {
        let mut publisher = selective(Policy::DropOld);
        publisher.pattern.blocked(A);
        publisher.send(b"a1").unwrap();
        let taken = publisher.pattern.subscription_index.leave_room_for(0);
        publisher.arrive(A, b"\x01too much");
        publisher.pattern.subscription_index.give_back(taken);
        publisher.send(b"b2").unwrap();
        publisher.writable(A);
        publisher.send(b"b3").unwrap();
        assert_eq!(publisher.sent_to(A), [b"a1", b"b2", b"b3"]);
    }

    #[test]
    fn a_selective_subscriber_that_is_full_is_waited_for() {
        let mut publisher = selective(Policy::Wait);
        publisher.pattern.blocked(A);
        assert_eq!((publisher.send(b"a"), publisher.pattern.can_send()), (Err(Error::WouldBlock), false));
        assert_eq!(publisher.send(b"b"), Err(Error::WouldBlock), "which message it is does not matter");
        assert!(publisher.desk.sent.is_empty() && publisher.pattern.needs_read_before_send());
        publisher.pattern.deaf(A);
        publisher.send(b"a").unwrap();
        assert_eq!((publisher.sent_to(A).len(), publisher.sent_to(B).len()), (0, 1));
    }
}
