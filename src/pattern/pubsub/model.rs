//! Publishers, subscribers and devices against a model, over pretend wires that are slow and short, for hours of a pretend
//! clock.
//!
//! The model knows of each connection what the subscriber has wanted since it had last said all it had to say, and all of
//! it had arrived. What was wanted all the time has to be sent, by whichever topics; what never was must not be; the rest
//! may have been heard of, or not.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::frame::Frame;
use super::subscriber::{SUBSCRIBE, UNSUBSCRIBE};
use super::{Pub, Sub};
use crate::pattern::Pattern;
use crate::pattern::harness::{DEVICE, Harness};
use crate::pipe::PipeId;

const HOUR: u64 = 3_600_000;

/// xorshift: the same seed, the same hours.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    /// A topic, or a message: of few letters, so that many of them begin alike.
    fn word(&mut self, longest: usize) -> Vec<u8> {
        (0..self.roll(longest + 1)).map(|_| b'a' + self.roll(3) as u8).collect()
    }
}

/// One connection.
struct Wire {
    publisher: usize,
    subscriber: usize,
    /// The same at both ends.
    pipe: PipeId,
    /// Frames on their way, and when they arrive.
    frames: VecDeque<(u64, Vec<u8>)>,
    /// So many fit.
    length: usize,
    /// The publisher knows that it was told all.
    complete: bool,
    /// What the subscriber wanted when the publisher last knew all, and after each change since.
    history: Vec<BTreeSet<Vec<u8>>>,
}

struct World {
    dice: Dice,
    now: u64,
    publishers: Vec<Harness<Pub>>,
    subscribers: Vec<Harness<Sub>>,
    /// What each of them has subscribed to, and how often.
    wanted: Vec<BTreeMap<Vec<u8>, usize>>,
    wires: Vec<Wire>,
    serial: u32,
    /// Told by a count of what was seen: that the hours were not spent on nothing.
    sure: [usize; 2],
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            now: 0,
            publishers: (0..3).map(|_| Harness::of(Pub::new(true))).collect(),
            subscribers: (0..5).map(|_| Harness::of(Sub::new(true))).collect(),
            wanted: vec![BTreeMap::new(); 5],
            wires: Vec::new(),
            serial: 0,
            sure: [0; 2],
        }
    }

    fn step(&mut self) {
        let passed = 1 + self.dice.roll(2000) as u64;
        self.now += passed;
        self.subscribers.iter_mut().for_each(|subscriber| subscriber.pass(passed));
        self.collect();
        self.arrive();
        match self.dice.roll(10) {
            _ if self.dice.roll(40) == 0 => {
                let who = self.dice.roll(5);
                for _ in 0..self.dice.roll(80) {
                    self.subscribe(who);
                }
            }
            0..=2 => {
                let who = self.dice.roll(5);
                self.subscribe(who);
            }
            3..=4 => {
                let who = self.dice.roll(5);
                self.unsubscribe(who);
            }
            5 => self.connect(),
            6 if self.dice.roll(4) == 0 => self.disconnect(),
            _ => self.publish(),
        }
        self.collect();
        self.settle();
    }

    fn subscribe(&mut self, who: usize) {
        let topic = self.dice.word(5);
        if self.wanted[who].len() > 3 {
            // Whoever wants all there is tells nothing about the rest.
            return self.unsubscribe(who);
        }
        self.subscribers[who].set_option(SUBSCRIBE, &topic).unwrap();
        *self.wanted[who].entry(topic).or_default() += 1;
        self.remember(who);
    }

    fn unsubscribe(&mut self, who: usize) {
        if self.wanted[who].is_empty() {
            return;
        }
        let place = self.dice.roll(self.wanted[who].len());
        let topic = self.wanted[who].keys().nth(place).unwrap().clone();
        self.subscribers[who].set_option(UNSUBSCRIBE, &topic).unwrap();
        let count = self.wanted[who].get_mut(&topic).unwrap();
        *count -= 1;
        if *count == 0 {
            self.wanted[who].remove(&topic);
        }
        self.remember(who);
    }

    fn remember(&mut self, subscriber: usize) {
        let wanted: BTreeSet<Vec<u8>> = self.wanted[subscriber].keys().cloned().collect();
        let holds = self.subscribers[subscriber].pattern.deadline().is_some();
        for wire in self.wires.iter_mut().filter(|wire| wire.subscriber == subscriber) {
            // Who changes much may ask for everything meanwhile.
            wire.history.extend(holds.then(|| BTreeSet::from([Vec::new()])));
            wire.history.push(wanted.clone());
        }
    }

    fn connect(&mut self) {
        let (publisher, subscriber) = (self.dice.roll(3), self.dice.roll(5));
        if self.wires.iter().any(|wire| (wire.publisher, wire.subscriber) == (publisher, subscriber)) {
            return;
        }
        self.serial += 1;
        // One slot for each pair: the next connection of the two uses it again.
        let pipe = PipeId { slot: (publisher * 5 + subscriber) as u32, serial: self.serial };
        let length = 1 + self.dice.roll(4);
        self.wires.push(Wire {
            publisher,
            subscriber,
            pipe,
            frames: VecDeque::new(),
            length,
            complete: false,
            history: vec![self.wanted[subscriber].keys().cloned().collect()],
        });
        self.publishers[publisher].connect_forwarding(pipe);
        self.subscribers[subscriber].desk.room.insert(pipe, length);
        self.subscribers[subscriber].connect_forwarding(pipe);
    }

    fn disconnect(&mut self) {
        if self.wires.is_empty() {
            return;
        }
        let place = self.dice.roll(self.wires.len());
        let wire = self.wires.swap_remove(place);
        self.publishers[wire.publisher].remove(wire.pipe);
        self.subscribers[wire.subscriber].remove(wire.pipe);
        self.subscribers[wire.subscriber].desk.sent.retain(|(pipe, _)| *pipe != wire.pipe);
    }

    /// What subscribers have said goes on its way.
    fn collect(&mut self) {
        for (who, subscriber) in self.subscribers.iter_mut().enumerate() {
            for (pipe, frame) in subscriber.desk.sent.drain(..) {
                let wire = self.wires.iter_mut().find(|wire| wire.pipe == pipe && wire.subscriber == who).unwrap();
                let last = wire.frames.back().map_or(0, |&(due, _)| due);
                let due = last.max(self.now + self.dice.roll(10_000) as u64);
                wire.frames.push_back((due, frame));
                assert!(wire.frames.len() <= wire.length);
            }
        }
    }

    /// What is due arrives, and makes room.
    fn arrive(&mut self) {
        loop {
            let due = |wire: &Wire| wire.frames.front().is_some_and(|&(due, _)| due <= self.now);
            let Some(wire) = self.wires.iter_mut().find(|wire| due(wire)) else { return };
            let (_, frame) = wire.frames.pop_front().unwrap();
            wire.complete |= Frame::decode(&frame) == Frame::Complete;
            self.publishers[wire.publisher].arrive(wire.pipe, &frame);
            let room = wire.length - wire.frames.len();
            let (subscriber, pipe) = (wire.subscriber, wire.pipe);
            self.subscribers[subscriber].desk.room.insert(pipe, room);
            if room == 1 {
                self.subscribers[subscriber].writable(pipe);
                self.collect();
            }
        }
    }

    fn settle(&mut self) {
        for wire in &mut self.wires {
            let said_all = self.subscribers[wire.subscriber].pattern.waiting(wire.pipe) == 0;
            if wire.complete && wire.frames.is_empty() && said_all {
                wire.history.drain(..wire.history.len() - 1);
            }
        }
    }

    fn publish(&mut self) {
        let (who, message) = (self.dice.roll(3), self.dice.word(6));
        let publisher = &mut self.publishers[who];
        publisher.desk.sent.clear();
        publisher.send(&message).unwrap();
        let sent: Vec<PipeId> = publisher.desk.sent.drain(..).map(|(pipe, _)| pipe).collect();
        let mut connected = 0;
        for wire in self.wires.iter().filter(|wire| wire.publisher == who) {
            connected += 1;
            let times = sent.iter().filter(|&&pipe| pipe == wire.pipe).count();
            let fits =
                |topics: &BTreeSet<Vec<u8>>| (0..=message.len()).any(|length| topics.contains(&message[..length]));
            let wanted = wire.history.iter().all(fits);
            let unclear = !wanted && wire.history.iter().any(fits);
            match (wire.complete, wanted, unclear) {
                (false, ..) | (_, true, _) => assert_eq!(times, 1, "{message:?} is wanted"),
                (_, _, false) => assert_eq!(times, 0, "{message:?} is not wanted"),
                _ => assert!(times <= 1),
            }
            self.sure[usize::from(wanted)] += usize::from(wire.complete && (wanted || !unclear));
        }
        assert!(sent.len() <= connected, "nobody else gets it");
    }
}

#[test]
fn random_hours_agree_with_the_model() {
    for seed in 1..=40 {
        let mut world = World::new(seed);
        while world.now < 3 * HOUR {
            world.step();
        }
        assert!(world.sure.iter().all(|&count| count > 500), "{:?}", world.sure);
        // At the end nothing of what is gone is kept.
        while !world.wires.is_empty() {
            world.disconnect();
        }
        assert!(world.publishers.iter().all(|publisher| publisher.pattern.is_empty()));
    }
}

/// A publisher, a device whose application has subscribed to something, and subscribers of the device, some of which
/// cannot tell what they want.
struct Chain {
    dice: Dice,
    publisher: Harness<Pub>,
    front: Harness<Sub>,
    back: Harness<Pub>,
    own: BTreeMap<Vec<u8>, usize>,
    downstream: BTreeMap<PipeId, Downstream>,
    serial: u32,
}

#[derive(Default)]
struct Downstream {
    /// It does not tell.
    classic: bool,
    wanted: BTreeSet<Vec<u8>>,
}

const UPSTREAM: PipeId = PipeId { slot: 0, serial: 0 };

impl Chain {
    fn new(seed: u64) -> Self {
        let mut chain = Self {
            dice: Dice::new(seed),
            publisher: Harness::of(Pub::new(true)),
            front: Harness::of(Sub::new(true)),
            back: Harness::of(Pub::new(true)),
            own: BTreeMap::new(),
            downstream: BTreeMap::new(),
            serial: 0,
        };
        chain.publisher.connect_forwarding(UPSTREAM);
        chain.front.connect_forwarding(UPSTREAM);
        chain.back.pattern.watch_demand(DEVICE, true);
        chain
    }

    fn step(&mut self) {
        match self.dice.roll(12) {
            0..=1 => {
                let topic = self.dice.word(4);
                self.front.set_option(SUBSCRIBE, &topic).unwrap();
                *self.own.entry(topic).or_default() += 1;
            }
            2..=3 if !self.own.is_empty() => {
                let place = self.dice.roll(self.own.len());
                let topic = self.own.keys().nth(place).unwrap().clone();
                self.front.set_option(UNSUBSCRIBE, &topic).unwrap();
                let count = self.own.get_mut(&topic).unwrap();
                *count -= 1;
                self.own.retain(|_, &mut count| count > 0);
            }
            4 if self.downstream.len() < 4 => {
                self.serial += 1;
                let pipe = PipeId { slot: self.serial % 5, serial: self.serial };
                if self.downstream.keys().any(|other| other.slot == pipe.slot) {
                    return;
                }
                let classic = self.dice.roll(8) == 0;
                self.downstream.insert(pipe, Downstream { classic, ..Downstream::default() });
                if classic {
                    self.back.connect(pipe);
                } else {
                    self.back.connect_forwarding(pipe);
                    self.back.arrive(pipe, b"\x02");
                }
            }
            5 if self.dice.roll(3) == 0 => {
                if let Some((pipe, _)) = self.downstream.pop_first() {
                    self.back.remove(pipe);
                }
            }
            _ => {
                let topic = self.dice.word(4);
                let wanted = self.dice.roll(2);
                let place = self.dice.roll(4);
                let Some((&pipe, downstream)) = self.downstream.iter_mut().nth(place) else { return };
                if downstream.classic {
                    return;
                }
                self.back.arrive(pipe, &[&[wanted as u8], &topic[..]].concat());
                if wanted == 1 {
                    downstream.wanted.insert(topic)
                } else {
                    downstream.wanted.remove(&topic)
                };
            }
        }
    }

    fn wants(&self, message: &[u8]) -> bool {
        let fits = |topic: &Vec<u8>| message.starts_with(topic);
        let mut downstream = self.downstream.values();
        self.own.keys().any(fits)
            && downstream.any(|downstream| downstream.classic || downstream.wanted.iter().any(fits))
    }

    fn sends(&mut self, message: &[u8]) -> bool {
        self.publisher.desk.sent.clear();
        self.publisher.send(message).unwrap();
        !self.publisher.desk.sent.is_empty()
    }

    /// The device, and the wire before it. All the while the publisher sends what was wanted all the time.
    fn follow(&mut self, steady: Option<&[u8]>) {
        let changed = self.back.pattern.demand_changed(DEVICE);
        let demand = self.back.pattern.take_demand(DEVICE);
        assert_eq!(changed, demand.is_some());
        if demand.is_some() {
            self.front.set_demand(demand);
        }
        if self.dice.roll(3) > 0 {
            self.front.pass(1);
        }
        for (_, frame) in std::mem::take(&mut self.front.desk.sent) {
            self.publisher.arrive(UPSTREAM, &frame);
            if let Some(message) = steady {
                assert!(self.sends(message), "{message:?} behind {frame:?}");
            }
        }
    }

    fn check(&mut self) {
        let message = self.dice.word(6);
        let (sends, wants) = (self.sends(&message), self.wants(&message));
        // Who changes much may ask for everything meanwhile.
        assert!(if self.front.pattern.deadline().is_some() { sends >= wants } else { sends == wants }, "{message:?}");
    }
}

#[test]
fn a_device_asks_for_what_is_wanted_and_nothing_else() {
    for seed in 1..=40 {
        let mut chain = Chain::new(seed);
        chain.follow(None);
        for _ in 0..3000 {
            let message = chain.dice.word(6);
            let mut steady = chain.wants(&message);
            for _ in 0..chain.dice.roll(4) {
                chain.step();
                steady &= chain.wants(&message);
            }
            chain.follow(steady.then_some(&message));
            chain.check();
        }
    }
}
