//! SUB, cooked and raw: drops what it has not subscribed to, and tells publishers what that is.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::demand::{Demand, Topic};
use super::frame::{TOPIC_MAX, cut};
use super::packed::Packed;
use super::topics::{Topics, below};
use super::upstream::Upstream;
use super::{FORWARD, switch};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pattern::prefix_table::PrefixTable;
use crate::pattern::routing::fair_queue::FairQueue;
use crate::pattern::{DeviceId, Pattern, Pipes, Priorities, Refused};
use crate::pipe::PipeId;

pub(super) const SUBSCRIBE: i32 = 1;
pub(super) const UNSUBSCRIBE: i32 = 2;

#[derive(Debug)]
pub(in crate::pattern) struct Sub {
    publishers: FairQueue,
    /// How often each is subscribed to.
    subscriptions: PrefixTable<u32>,
    /// Of those that do not travel whole: what does, and for how many.
    cut: BTreeMap<Topic, usize>,
    /// What travels of all of them, while there are devices.
    sorted: BTreeSet<Topic>,
    /// Behind devices: what those want to whom it goes on.
    downstreams: BTreeMap<DeviceId, Downstream>,
    /// The publishers that want to know what we want.
    upstreams: BTreeMap<PipeId, Upstream>,
    forward: bool,
}

#[derive(Debug, Default)]
struct Downstream {
    everything: bool,
    topics: Topics,
}

/// Topics, and whether publishers had to know them.
type Before = BTreeMap<Topic, bool>;

impl Sub {
    pub(in crate::pattern) fn new(forward: bool) -> Self {
        Self {
            publishers: FairQueue::default(),
            subscriptions: PrefixTable::default(),
            cut: BTreeMap::new(),
            sorted: BTreeSet::new(),
            downstreams: BTreeMap::new(),
            upstreams: BTreeMap::new(),
            forward,
        }
    }

    fn subscribe(&mut self, topic: &[u8]) -> Result<()> {
        if let Some(count) = self.subscriptions.get_mut(topic) {
            *count = count.checked_add(1).ok_or(Error::NoMemory)?;
            return Ok(());
        }
        let before = self.before(topic);
        self.subscriptions.insert(topic, 1)?;
        if topic.len() > TOPIC_MAX {
            *self.cut.entry(cut(topic).into()).or_default() += 1;
        }
        if !self.downstreams.is_empty() {
            self.sorted.insert(cut(topic).into());
        }
        self.tell_changed(before);
        Ok(())
    }

    fn unsubscribe(&mut self, topic: &[u8]) -> Result<()> {
        let count = self.subscriptions.get_mut(topic).ok_or(Error::Invalid)?;
        *count -= 1;
        if *count > 0 {
            return Ok(());
        }
        let before = self.before(topic);
        self.subscriptions.remove(topic);
        if let Some(longer) = self.cut.get_mut(cut(topic)).filter(|_| topic.len() > TOPIC_MAX) {
            *longer -= 1;
            if *longer == 0 {
                self.cut.remove(cut(topic));
            }
        }
        if !self.subscribed(cut(topic)) {
            self.sorted.remove(cut(topic));
        }
        self.tell_changed(before);
        Ok(())
    }

    /// How it is with all topics that may change with this one.
    fn before(&self, topic: &[u8]) -> Before {
        let mut before = Before::new();
        if self.upstreams.is_empty() {
            return before;
        }
        let topic = Topic::from(cut(topic));
        if let Some(downstream) = self.downstream() {
            let narrower = below(downstream.topics.sorted(), &topic);
            before.extend(narrower.map(|topic| (Topic::clone(topic), self.wants(topic))));
        }
        let wanted = self.wants(&topic);
        before.insert(topic, wanted);
        before
    }

    fn tell_changed(&mut self, before: Before) {
        for (topic, wanted) in before {
            if self.wants(&topic) != wanted {
                self.upstreams.values_mut().for_each(|upstream| upstream.set(&topic, !wanted));
            }
        }
    }

    /// What is wanted behind the only device. Of several it is open which gets a message, so all may be needed.
    fn downstream(&self) -> Option<&Downstream> {
        self.downstreams.values().next().filter(|_| self.downstreams.len() == 1)
    }

    /// Whether publishers have to send what starts with this topic. Behind a device, that is what both the application
    /// and those downstream have asked for: of two prefixes that go together the longer one.
    fn wants(&self, topic: &[u8]) -> bool {
        let subscribed = self.subscribed(topic);
        match self.downstream() {
            Some(Downstream { everything: false, topics }) => {
                subscribed && topics.matches(topic) || topics.contains(topic) && self.subscriptions.matches(topic)
            }
            _ => subscribed,
        }
    }

    /// Whether the application has asked for this topic, or for a longer one that does not travel whole.
    fn subscribed(&self, topic: &[u8]) -> bool {
        self.subscriptions.get(topic).is_some() || self.cut.contains_key(topic)
    }

    /// All topics that publishers have to know.
    fn wanted(&self) -> Result<Packed> {
        let mut wanted = Packed::default();
        if self.downstreams.is_empty() {
            self.subscriptions.each(TOPIC_MAX, |topic| wanted.push(topic))?;
        } else {
            self.all().filter(|topic| self.wants(topic)).try_for_each(|topic| wanted.push(topic))?;
        }
        wanted.sort();
        Ok(wanted)
    }

    /// With devices: all topics that publishers may have to know.
    fn all(&self) -> impl Iterator<Item = &Topic> {
        let downstream = self.downstream().into_iter().flat_map(|downstream| downstream.topics.sorted());
        self.sorted.iter().chain(downstream)
    }

    /// The same, and whether they have to.
    fn all_before(&self) -> Before {
        let all = self.all().filter(|_| !self.upstreams.is_empty());
        all.map(|topic| (Topic::clone(topic), self.wants(topic))).collect()
    }

    /// What nobody may have had to know before, nobody had to.
    fn tell_all_changed(&mut self, mut before: Before) {
        if self.upstreams.is_empty() {
            return;
        }
        for topic in self.all() {
            before.entry(Topic::clone(topic)).or_insert(false);
        }
        self.tell_changed(before);
    }

    /// How it is with all topics that may change with these downstream.
    fn before_downstream(&self, topics: &[(Topic, bool)]) -> Before {
        let mut before = Before::new();
        if self.upstreams.is_empty() {
            return before;
        }
        for (topic, _) in topics {
            let affected = below(&self.sorted, topic).chain([topic]);
            before.extend(affected.map(|topic| (Topic::clone(topic), self.wants(topic))));
        }
        before
    }

    /// Before the first device comes.
    fn sort_subscriptions(&mut self) {
        let sorted = &mut self.sorted;
        let all = self.subscriptions.each(TOPIC_MAX, |topic| {
            sorted.insert(topic.into());
            Ok(())
        });
        all.unwrap_or_default();
    }

    /// How much there is that a publisher has not heard.
    #[cfg(test)]
    pub(super) fn waiting(&self, pipe: PipeId) -> usize {
        self.upstreams[&pipe].waiting()
    }
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
        // Without memory for that it is told nothing, so that it goes on sending everything.
        if let Ok(wanted) = self.wanted() {
            self.upstreams.insert(pipe, Upstream::new(wanted));
        }
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.publishers.remove(pipe);
        self.upstreams.remove(&pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.publishers.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        if let Some(upstream) = self.upstreams.get_mut(&pipe) {
            upstream.set_writable(true);
            upstream.tell(pipe, pipes);
        }
    }

    fn blocked(&mut self, pipe: PipeId) {
        if let Some(upstream) = self.upstreams.get_mut(&pipe) {
            upstream.set_writable(false);
        }
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

    fn set_demand(&mut self, device: DeviceId, demand: Option<Demand>) {
        let Some(Demand { whole, everything, topics }) = demand else {
            let before = self.all_before();
            if self.downstreams.remove(&device).is_some() {
                self.tell_all_changed(before);
            }
            if self.downstreams.is_empty() {
                self.sorted = BTreeSet::new();
            }
            return;
        };
        if self.downstreams.is_empty() {
            self.sort_subscriptions();
        }
        let again = whole || self.downstreams.get(&device).is_none_or(|before| before.everything != everything);
        let before = if again { self.all_before() } else { self.before_downstream(&topics) };
        let downstream = self.downstreams.entry(device).or_default();
        if whole {
            *downstream = Downstream::default();
        }
        downstream.everything = everything;
        for (topic, wanted) in &topics {
            if *wanted {
                downstream.topics.insert(topic);
            } else {
                downstream.topics.remove(topic);
            }
        }
        if again {
            self.tell_all_changed(before);
        } else {
            self.tell_changed(before);
        }
    }

    fn forward(&mut self, pipes: &mut dyn Pipes) {
        for (&pipe, upstream) in &mut self.upstreams {
            upstream.tell(pipe, pipes);
        }
    }

    fn set_option(&mut self, option: i32, value: &[u8]) -> Result<()> {
        match option {
            SUBSCRIBE => self.subscribe(value),
            UNSUBSCRIBE => self.unsubscribe(value),
            FORWARD => switch(value).map(|forward| self.forward = forward),
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
    use crate::pattern::stage::{A, B, C, Stage, with_priority};

    fn subscriber(topics: &[&[u8]]) -> Stage<Sub> {
        let mut sub = Stage::of(Sub::new(true));
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

    /// A subscriber whose publisher A wants to know what is wanted.
    fn teller(topics: &[&[u8]]) -> Stage<Sub> {
        let mut sub = Stage::of(Sub::new(true));
        for topic in topics {
            sub.set_option(SUBSCRIBE, topic).unwrap();
        }
        sub.connect_forwarding(A);
        sub
    }

    fn told(sub: &mut Stage<Sub>) -> Vec<Vec<u8>> {
        sub.desk.sent.drain(..).map(|(_, frame)| frame).collect()
    }

    #[test]
    fn a_publisher_is_told_all_and_that_it_is_all() {
        let mut sub = teller(&[b"b", b"a", b"a", b""]);
        assert_eq!(told(&mut sub), [&b"\x01"[..], b"\x01a", b"\x01b", b"\x02"]);
        assert_eq!(told(&mut teller(&[])), [b"\x02"]);
    }

    #[test]
    fn a_publisher_that_agreed_to_nothing_is_told_nothing() {
        let mut sub = subscriber(&[b"a"]);
        sub.set_option(SUBSCRIBE, b"b").unwrap();
        assert!(told(&mut sub).is_empty());
    }

    #[test]
    fn changes_are_told_and_nothing_else() {
        let mut sub = teller(&[b"a"]);
        told(&mut sub);
        sub.set_option(SUBSCRIBE, b"a").unwrap();
        sub.set_option(UNSUBSCRIBE, b"a").unwrap();
        assert!(told(&mut sub).is_empty(), "it is subscribed to all the time");
        sub.set_option(SUBSCRIBE, b"b").unwrap();
        sub.set_option(UNSUBSCRIBE, b"a").unwrap();
        assert_eq!(told(&mut sub), [b"\x01b", b"\0a"]);
    }

    #[test]
    fn what_a_busy_publisher_has_not_heard_is_kept_in_its_last_state() {
        let mut sub = teller(&[b"a", b"b"]);
        told(&mut sub);
        sub.desk.room.insert(A, 0);
        sub.set_option(UNSUBSCRIBE, b"b").unwrap();
        for round in 0..1000 {
            let topic = format!("{round}").into_bytes();
            sub.set_option(SUBSCRIBE, &topic).unwrap();
            sub.set_option(UNSUBSCRIBE, &topic).unwrap();
        }
        sub.set_option(SUBSCRIBE, b"c").unwrap();
        assert_eq!(sub.pattern.waiting(A), 2);
        assert!(told(&mut sub).is_empty());
        sub.desk.room.insert(A, 1);
        sub.writable(A);
        assert_eq!(told(&mut sub), [b"\0b"]);
        sub.desk.room.insert(A, 9);
        sub.writable(A);
        assert_eq!(told(&mut sub), [b"\x01c"]);
    }

    #[test]
    fn the_end_of_the_whole_comes_when_all_was_told() {
        let mut sub = teller(&[]);
        told(&mut sub);
        sub.remove(A);
        for topic in [b"a", b"b", b"c"] {
            sub.set_option(SUBSCRIBE, topic).unwrap();
        }
        sub.desk.room.insert(A, 2);
        sub.connect_forwarding(A);
        assert_eq!(told(&mut sub), [b"\x01a", b"\x01b"]);
        sub.set_option(UNSUBSCRIBE, b"a").unwrap();
        sub.desk.room.insert(A, 2);
        sub.writable(A);
        assert_eq!(told(&mut sub), [b"\x01c", b"\0a"]);
        sub.desk.room.insert(A, 9);
        sub.writable(A);
        assert_eq!(told(&mut sub), [b"\x02"]);
    }

    #[test]
    fn what_takes_the_place_of_a_topic_is_told_before_that_is_taken_back() {
        let mut sub = teller(&[b""]);
        told(&mut sub);
        sub.desk.room.insert(A, 0);
        sub.pattern.blocked(A);
        for topic in [b"a", b"b", b"c"] {
            sub.set_option(SUBSCRIBE, topic).unwrap();
        }
        sub.set_option(UNSUBSCRIBE, b"").unwrap();
        sub.desk.room.insert(A, 2);
        sub.writable(A);
        assert_eq!(told(&mut sub), [b"\x01a", b"\x01b"]);
        // In the middle of that b gives way to a longer one: that has to be known before b goes, and c before the rest.
        sub.set_option(SUBSCRIBE, b"bb").unwrap();
        sub.set_option(UNSUBSCRIBE, b"b").unwrap();
        sub.set_option(UNSUBSCRIBE, b"c").unwrap();
        sub.desk.room.insert(A, 9);
        sub.writable(A);
        assert_eq!(told(&mut sub), [&b"\x01c"[..], b"\0", b"\x01bb", b"\0b", b"\0c"]);
        assert_eq!(sub.pattern.waiting(A), 0);
    }

    #[test]
    fn what_is_wanted_again_before_it_was_taken_back_is_not_told() {
        let mut sub = teller(&[b"a", b"b"]);
        told(&mut sub);
        sub.desk.room.insert(A, 1);
        for topic in [b"a", b"b"] {
            sub.pattern.set_option(UNSUBSCRIBE, topic).unwrap();
        }
        sub.pattern.forward(&mut sub.desk);
        assert_eq!((told(&mut sub), sub.pattern.waiting(A)), (vec![b"\0a".to_vec()], 1));
        sub.set_option(SUBSCRIBE, b"b").unwrap();
        assert_eq!(sub.pattern.waiting(A), 0);
    }

    #[test]
    fn a_busy_publisher_and_ever_new_topics_take_no_more_than_two_rounds() {
        let mut sub = teller(&[]);
        told(&mut sub);
        let topic = |number: u32| number.to_be_bytes();
        for number in 0..1000 {
            sub.set_option(SUBSCRIBE, &topic(number)).unwrap();
            if number >= 10 {
                sub.set_option(UNSUBSCRIBE, &topic(number - 10)).unwrap();
            }
            sub.desk.room.insert(A, 1);
            sub.writable(A);
            assert!(sub.pattern.waiting(A) <= 50, "{} at {number}", sub.pattern.waiting(A));
        }
    }

    #[test]
    fn of_a_long_topic_its_beginning_travels() {
        let long = |last: u8| [&[7; TOPIC_MAX + 5][..], &[last]].concat();
        let mut sub = teller(&[&long(1), &long(2)]);
        let begins = [&[1][..], &[7; TOPIC_MAX]].concat();
        assert_eq!(told(&mut sub), [begins, b"\x02".to_vec()]);
        sub.set_option(UNSUBSCRIBE, &long(1)).unwrap();
        assert!(told(&mut sub).is_empty(), "the other one needs it");
        sub.set_option(UNSUBSCRIBE, &long(2)).unwrap();
        assert_eq!(told(&mut sub), [[&[0][..], &[7; TOPIC_MAX]].concat()]);
        let exact = &long(1)[..TOPIC_MAX];
        sub.set_option(SUBSCRIBE, exact).unwrap();
        sub.set_option(SUBSCRIBE, &long(1)).unwrap();
        assert_eq!(told(&mut sub).len(), 1);
        sub.set_option(UNSUBSCRIBE, exact).unwrap();
        assert!(told(&mut sub).is_empty());
    }

    fn wanted(topics: &[(&[u8], bool)]) -> Demand {
        let topics = topics.iter().map(|&(topic, wanted)| (topic.into(), wanted)).collect();
        Demand { whole: false, everything: false, topics }
    }

    #[test]
    fn a_device_asks_for_the_longer_of_two_prefixes() {
        let mut sub = teller(&[b"news", b"weather.rain"]);
        told(&mut sub);
        sub.set_demand(Some(Demand { whole: true, ..wanted(&[(b"news.sport", true), (b"x", true)]) }));
        assert_eq!(told(&mut sub), [&b"\x01news.sport"[..], b"\0news", b"\0weather.rain"]);
        sub.set_demand(Some(wanted(&[(b"weather", true)])));
        assert_eq!(told(&mut sub), [b"\x01weather.rain"]);
        sub.set_demand(Some(wanted(&[(b"news.sport", false), (b"weather", false), (b"", true)])));
        assert_eq!(told(&mut sub), [&b"\x01news"[..], b"\0news.sport"]);
        sub.set_option(SUBSCRIBE, b"x.y").unwrap();
        assert_eq!(told(&mut sub), [b"\x01x.y"], "two want it: x and everything");
        sub.set_demand(Some(wanted(&[(b"", false)])));
        assert_eq!(told(&mut sub), [&b"\0news"[..], b"\0weather.rain"]);
    }

    #[test]
    fn a_device_with_somebody_who_cannot_tell_asks_for_what_the_application_has_subscribed() {
        let mut sub = teller(&[b"a", b"b"]);
        told(&mut sub);
        sub.set_demand(Some(Demand { whole: true, ..wanted(&[(b"ax", true)]) }));
        assert_eq!(told(&mut sub), [&b"\x01ax"[..], b"\0a", b"\0b"]);
        sub.set_demand(Some(Demand { everything: true, ..wanted(&[]) }));
        assert_eq!(told(&mut sub), [&b"\x01a"[..], b"\x01b", b"\0ax"]);
        sub.set_demand(Some(wanted(&[])));
        assert_eq!(told(&mut sub), [&b"\x01ax"[..], b"\0a", b"\0b"]);
        sub.set_demand(None);
        assert_eq!(told(&mut sub), [&b"\x01a"[..], b"\x01b", b"\0ax"], "no device any more");
    }

    #[test]
    fn with_several_devices_all_the_application_has_subscribed_is_asked_for() {
        let mut sub = teller(&[b"a", b"b"]);
        told(&mut sub);
        let whole = |topic| Some(Demand { whole: true, ..wanted(&[(topic, true)]) });
        sub.set_demand_of(1, whole(b"a"));
        assert_eq!(told(&mut sub), [b"\0b"]);
        sub.set_demand_of(2, whole(b"b"));
        assert_eq!(told(&mut sub), [b"\x01b"], "it is open which of them gets a message");
        sub.set_demand_of(1, None);
        assert_eq!(told(&mut sub), [b"\0a"]);
        sub.set_demand_of(2, None);
        assert_eq!(told(&mut sub), [b"\x01a"]);
    }
}
