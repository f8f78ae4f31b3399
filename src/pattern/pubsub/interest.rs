//! What a SUB wants, and telling publishers: what the application has subscribed to, of that what devices can use, and what
//! has changed since.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::bulk::Bulk;
use super::demand::{Demand, Topic};
use super::frame::{TOPIC_MAX, cut};
use super::packed::Packed;
use super::topics::{Topics, below};
use super::upstream::Upstream;
use crate::error::{Error, Result};
use crate::pattern::prefix_table::{PrefixTable, Value};
use crate::pattern::{DeviceId, Pipes};
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(super) struct Interest {
    /// How often each is subscribed to.
    subscriptions: PrefixTable,
    /// Of those that do not travel whole: what does, and for how many.
    cut: BTreeMap<Topic, usize>,
    /// What travels of all of them, while there are devices.
    sorted: BTreeSet<Topic>,
    /// Behind devices: what those want to whom it goes on.
    downstreams: BTreeMap<DeviceId, Downstream>,
    /// The publishers that want to know what we want.
    upstreams: BTreeMap<PipeId, Upstream>,
    bulk: Bulk,
}

#[derive(Debug, Default)]
struct Downstream {
    everything: bool,
    topics: Topics,
}

/// Topics, and whether publishers had to know them.
type Before = BTreeMap<Topic, bool>;

impl Interest {
    pub(super) fn subscribe(&mut self, topic: &[u8]) -> Result<()> {
        let before = self.before(topic);
        // Most topics are new, so that one search does.
        if let Some(count) = self.subscriptions.insert(topic, Value::MIN)? {
            let more = count.checked_add(1);
            self.subscriptions.get_mut(topic).into_iter().for_each(|there| *there = more.unwrap_or(count));
            return more.map(|_| ()).ok_or(Error::NoMemory);
        }
        let travels = self.travels_for_another(topic);
        if topic.len() > TOPIC_MAX {
            *self.cut.entry(cut(topic).into()).or_default() += 1;
        }
        if let Some(before) = before {
            self.sorted.insert(cut(topic).into());
            self.tell_changed(before);
        } else if !travels {
            self.tell_that(topic, true);
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, topic: &[u8]) -> Result<()> {
        let count = self.subscriptions.get_mut(topic).ok_or(Error::Invalid)?;
        if let Some(less) = Value::new(count.get() - 1) {
            *count = less;
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
        let travels = self.travels_for_another(topic);
        if let Some(before) = before {
            if !travels {
                self.sorted.remove(cut(topic));
            }
            self.tell_changed(before);
        } else if !travels {
            self.tell_that(topic, false);
        }
        Ok(())
    }

    /// Of one that is not subscribed to, or not any more: whether what would travel of it does so all the same.
    fn travels_for_another(&self, topic: &[u8]) -> bool {
        self.cut.contains_key(cut(topic)) || topic.len() > TOPIC_MAX && self.subscriptions.get(cut(topic)).is_some()
    }

    /// Whether a message that starts so is for the application.
    pub(super) fn matches(&self, message: &[u8]) -> bool {
        self.subscriptions.matches(message)
    }

    /// The publisher wants to know what we want.
    pub(super) fn add(&mut self, pipe: PipeId) {
        // Without memory for that it is told nothing, so that it goes on sending everything.
        if let Ok(wanted) = self.wanted() {
            self.upstreams.insert(pipe, Upstream::new(wanted));
        }
    }

    pub(super) fn remove(&mut self, pipe: PipeId) {
        self.upstreams.remove(&pipe);
    }

    pub(super) fn writable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        if let Some(upstream) = self.upstreams.get_mut(&pipe) {
            upstream.set_writable(true);
            upstream.tell(pipe, pipes);
        }
    }

    pub(super) fn blocked(&mut self, pipe: PipeId) {
        if let Some(upstream) = self.upstreams.get_mut(&pipe) {
            upstream.set_writable(false);
        }
    }

    /// Sends publishers what they do not know yet. Many changes at once are sent together, and publishers send everything until
    /// they have them.
    pub(super) fn tell(&mut self, pipes: &mut dyn Pipes, now: Instant) {
        if self.upstreams.is_empty() || self.bulk.is_alone(now) {
            return self.tell_held(pipes);
        }
        let mut upstreams = std::mem::take(&mut self.upstreams);
        for (&pipe, upstream) in &mut upstreams {
            upstream.hold(|| self.wants(b""), pipe, pipes);
        }
        self.upstreams = upstreams;
    }

    /// When what is held has to be sent.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.bulk.deadline()
    }

    pub(super) fn tell_held(&mut self, pipes: &mut dyn Pipes) {
        self.bulk.end();
        for (&pipe, upstream) in &mut self.upstreams {
            upstream.tell(pipe, pipes);
        }
    }

    /// Of what a device has to bring to those downstream. None: the device has ended.
    pub(super) fn set_demand(&mut self, device: DeviceId, demand: Option<Demand>) {
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

    /// With devices: how it is with all topics that may change with this one.
    fn before(&self, topic: &[u8]) -> Option<Before> {
        if self.downstreams.is_empty() {
            return None;
        }
        let mut before = Before::new();
        if self.upstreams.is_empty() {
            return Some(before);
        }
        let topic = Topic::from(cut(topic));
        if let Some(downstream) = self.downstream() {
            let narrower = below(downstream.topics.sorted(), &topic);
            before.extend(narrower.map(|topic| (Topic::clone(topic), self.wants(topic))));
        }
        let wanted = self.wants(&topic);
        before.insert(topic, wanted);
        Some(before)
    }

    fn tell_that(&mut self, topic: &[u8], wanted: bool) {
        if !self.upstreams.is_empty() {
            let topic = Topic::from(cut(topic));
            self.upstreams.values_mut().for_each(|upstream| upstream.set(&topic, wanted));
        }
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

    /// All topics that publishers have to know, each once.
    fn wanted(&self) -> Result<Packed> {
        let mut wanted = Packed::default();
        if self.downstreams.is_empty() {
            let whole = |topic: &[u8]| topic.len() < TOPIC_MAX || !self.cut.contains_key(topic);
            let all = &mut |topic: &[u8]| if whole(topic) { wanted.push(topic) } else { Ok(()) };
            self.subscriptions.each(TOPIC_MAX, all)?;
            self.cut.keys().try_for_each(|topic| wanted.push(topic))?;
        } else {
            self.all().filter(|topic| self.wants(topic)).try_for_each(|topic| wanted.push(topic))?;
        }
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use crate::pattern::harness::{A, Harness};
    use crate::pattern::pubsub::Sub;
    use crate::pattern::pubsub::subscriber::{SUBSCRIBE, UNSUBSCRIBE};

    /// A subscriber whose publisher A wants to know what is wanted.
    pub(in crate::pattern::pubsub) fn teller(topics: &[&[u8]]) -> Harness<Sub> {
        let mut sub = Harness::of(Sub::new(true));
        for topic in topics {
            sub.set_option(SUBSCRIBE, topic).unwrap();
        }
        sub.connect_forwarding(A);
        sub
    }

    pub(in crate::pattern::pubsub) fn told(sub: &mut Harness<Sub>) -> Vec<Vec<u8>> {
        sub.desk.sent.drain(..).map(|(_, frame)| frame).collect()
    }

    #[test]
    fn a_publisher_is_told_all_and_that_it_is_all() {
        let mut sub = teller(&[b"b", b"a", b"a", b""]);
        let mut told_of_all = told(&mut sub);
        assert_eq!(told_of_all.pop(), Some(b"\x02".to_vec()));
        told_of_all.sort();
        assert_eq!(told_of_all, [&b"\x01"[..], b"\x01a", b"\x01b"], "in any order");
        assert_eq!(told(&mut teller(&[])), [b"\x02"]);
    }

    #[test]
    fn a_publisher_that_agreed_to_nothing_is_told_nothing() {
        let mut sub = Harness::of(Sub::new(true));
        sub.connect(A);
        for topic in [b"a", b"b"] {
            sub.set_option(SUBSCRIBE, topic).unwrap();
        }
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
        sub.pattern.forward(&mut sub.desk, sub.now);
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
        sub.pass(1);
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
