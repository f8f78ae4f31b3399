//! Who wants what: the subscriptions of all pipes in one tree, so that finding the pipes for a message costs what its
//! topic is long and how many they are, and not how many there are.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::slice;
use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;

use super::demand::{Demand, DeviceId, Log, Topic};
use super::frame::TOPIC_MAX;
use crate::pattern::prefix_table::PrefixTable;
use crate::pipe::PipeId;

/// What the topics of one pipe may weigh. Above that it is sent everything, and nothing of it is kept.
const WEIGHT_MAX: usize = 16 * 1024 * 1024;

/// The same for all pipes together. One that wants more than there is left is sent everything.
const WEIGHT_OF_ALL_MAX: usize = 256 * 1024 * 1024;

/// What a topic weighs besides its bytes. The memory it takes where nobody else wants it is up to 2.4 times its weight.
const TOPIC_WEIGHT: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Audience {
    wanted: PrefixTable<Wanted>,
    /// The topics that somebody wants, by number.
    topics: Slab<Known>,
    /// By the pipe's slot.
    peers: Vec<Option<Peer>>,
    /// Pipes that are sent only what they want and take a message now.
    ready: usize,
    /// Pipes that can tell what they want.
    telling: usize,
    /// Of the topics of all pipes.
    weight: usize,
    /// Counts messages.
    stamp: u64,
    /// For each device that takes messages here.
    logs: BTreeMap<DeviceId, Log>,
}

/// A topic that somebody wants, as the search for a message finds it: in as little memory as it takes to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    /// The topic's number and one.
    number: NonZero<u32>,
    /// The slot of the only pipe that wants it, or `SEVERAL`.
    by: u32,
}

const SEVERAL: u32 = u32::MAX;

/// The rest about it.
#[derive(Debug)]
struct Known {
    topic: Topic,
    /// The slots of those who want it.
    by: SmallVec<[u32; 4]>,
}

/// A pipe that tells what it wants.
#[derive(Debug)]
struct Peer {
    pipe: PipeId,
    standing: Standing,
    /// The numbers of its topics, and where it stands in their lists.
    topics: HashMap<u32, u32>,
    weight: usize,
    writable: bool,
    /// The last message that it was found for.
    stamp: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not told all yet, and is sent everything.
    Incomplete,
    /// It is sent what it wants.
    Selective,
    /// It has told more than we keep, and is sent everything.
    Overrun,
}

fn weight(topic: &[u8]) -> usize {
    topic.len() + TOPIC_WEIGHT
}

impl Wanted {
    fn new(number: u32, by: &[u32]) -> Self {
        let by = if let [slot] = by { *slot } else { SEVERAL };
        Self { number: NonZero::<u32>::MIN.saturating_add(number), by }
    }

    fn number(self) -> u32 {
        self.number.get() - 1
    }
}

impl Audience {
    /// The pipe will tell what it wants.
    pub(super) fn add(&mut self, pipe: PipeId) {
        let slot = pipe.slot as usize;
        if slot >= self.peers.len() {
            self.peers.resize_with(slot + 1, || None);
        }
        self.telling += 1;
        self.peers[slot] = Some(Peer {
            pipe,
            standing: Standing::Incomplete,
            topics: HashMap::new(),
            weight: 0,
            writable: false,
            stamp: 0,
        });
    }

    pub(super) fn remove(&mut self, pipe: PipeId) {
        if self.peer(pipe).is_none() {
            return;
        }
        self.set_writable(pipe, false);
        self.forget_topics(pipe.slot);
        if let Some(peer) = self.peers[pipe.slot as usize].take() {
            self.telling -= usize::from(peer.standing != Standing::Overrun);
        }
    }

    fn peer(&mut self, pipe: PipeId) -> Option<&mut Peer> {
        self.peers.get_mut(pipe.slot as usize)?.as_mut().filter(|peer| peer.pipe == pipe)
    }

    /// How a pipe is treated. `None`: it does not tell what it wants.
    pub(super) fn standing(&mut self, pipe: PipeId) -> Option<Standing> {
        self.peer(pipe).map(|peer| peer.standing)
    }

    /// Pipes that can tell what they want, and what they have told is kept.
    pub(super) fn telling(&self) -> usize {
        self.telling
    }

    /// Pipes that take a message now, if they want it.
    pub(super) fn ready(&self) -> usize {
        self.ready
    }

    pub(super) fn is_writable(&mut self, pipe: PipeId) -> bool {
        self.peer(pipe).is_some_and(|peer| peer.writable)
    }

    pub(super) fn set_writable(&mut self, pipe: PipeId, writable: bool) {
        let Some(peer) = self.peer(pipe) else { return };
        let before = std::mem::replace(&mut peer.writable, writable);
        if peer.standing == Standing::Selective {
            self.ready = self.ready + usize::from(writable) - usize::from(before);
        }
    }

    /// The pipe has told all: from now on it is sent what it wants. False: it was treated so before, or never will be.
    pub(super) fn complete(&mut self, pipe: PipeId) -> bool {
        let Some(peer) = self.peer(pipe).filter(|peer| peer.standing == Standing::Incomplete) else { return false };
        peer.standing = Standing::Selective;
        self.ready += usize::from(peer.writable);
        true
    }

    /// The pipe wants this topic, or does not any more. False: that is more than we keep, and from now on it has to be
    /// sent everything.
    pub(super) fn set(&mut self, pipe: PipeId, topic: &[u8], wanted: bool) -> bool {
        let known = self.wanted.get(topic).map(Wanted::number);
        let before = self.weight;
        let Some(peer) = self.peer(pipe).filter(|peer| peer.standing != Standing::Overrun) else { return true };
        let has = known.is_some_and(|number| peer.topics.contains_key(&number));
        match (known, wanted) {
            (_, true) if has => {}
            (_, true) => {
                let weight = weight(topic);
                if topic.len() > TOPIC_MAX || peer.weight + weight > WEIGHT_MAX || before + weight > WEIGHT_OF_ALL_MAX {
                    self.overrun(pipe);
                    return false;
                }
                peer.weight += weight;
                self.weight += weight;
                self.enter(pipe.slot, topic, known);
            }
            (Some(number), false) if has => self.leave(pipe.slot, number),
            _ => {}
        }
        true
    }

    fn overrun(&mut self, pipe: PipeId) {
        let Some(peer) = self.peer(pipe) else { return };
        let selective = peer.standing == Standing::Selective && peer.writable;
        peer.standing = Standing::Overrun;
        self.ready -= usize::from(selective);
        self.telling -= 1;
        self.forget_topics(pipe.slot);
    }

    fn enter(&mut self, slot: u32, topic: &[u8], known: Option<u32>) {
        let number = known.unwrap_or_else(|| {
            let topic = Topic::from(topic);
            self.logs.values_mut().for_each(|log| log.note(&topic));
            self.topics.insert(Known { topic, by: SmallVec::new() }) as u32
        });
        let by = &mut self.topics[number as usize].by;
        if let Some(peer) = &mut self.peers[slot as usize] {
            peer.topics.insert(number, by.len() as u32);
            by.push(slot);
        }
        self.wanted.insert(topic, Wanted::new(number, by));
    }

    /// The pipe has this topic.
    fn leave(&mut self, slot: u32, number: u32) {
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        let Some(place) = peer.topics.remove(&number) else { return };
        let Known { topic, by } = &mut self.topics[number as usize];
        peer.weight -= weight(topic);
        self.weight -= weight(topic);
        by.swap_remove(place as usize);
        if let Some(&moved) = by.get(place as usize)
            && let Some(peer) = &mut self.peers[moved as usize]
        {
            peer.topics.insert(number, place);
        }
        if !by.is_empty() {
            self.wanted.insert(topic, Wanted::new(number, by));
            return;
        }
        self.wanted.remove(topic);
        let Known { topic, .. } = self.topics.remove(number as usize);
        self.logs.values_mut().for_each(|log| log.note(&topic));
    }

    fn forget_topics(&mut self, slot: u32) {
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        let topics: Vec<u32> = peer.topics.keys().copied().collect();
        for number in topics {
            self.leave(slot, number);
        }
        if let Some(peer) = &mut self.peers[slot as usize] {
            peer.topics = HashMap::new();
        }
        if self.topics.is_empty() {
            self.topics = Slab::new();
        }
    }

    /// Adds the pipes that want this message and take one now.
    pub(super) fn find(&mut self, message: &[u8], found: &mut Vec<PipeId>) {
        self.stamp += 1;
        for wanted in self.wanted.prefixes(message) {
            let by = match &wanted.by {
                &SEVERAL => &self.topics[wanted.number() as usize].by[..],
                only => slice::from_ref(only),
            };
            for &slot in by {
                let Some(peer) = &mut self.peers[slot as usize] else { continue };
                let first = std::mem::replace(&mut peer.stamp, self.stamp) != self.stamp;
                if first && peer.writable && peer.standing == Standing::Selective {
                    found.push(peer.pipe);
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn topics(&self) -> usize {
        for (number, known) in &self.topics {
            assert_eq!(self.wanted.get(&known.topic).map(Wanted::number), Some(number as u32));
        }
        self.topics.len()
    }

    /// As if there were so many topics already that only as many more of one byte fit.
    #[cfg(test)]
    pub(super) fn leave_room_for(&mut self, topics: usize) -> usize {
        let taken = WEIGHT_OF_ALL_MAX - topics * weight(b"t") - self.weight;
        self.weight += taken;
        taken
    }

    #[cfg(test)]
    pub(super) fn give_back(&mut self, taken: usize) {
        self.weight -= taken;
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.topics() == 0
            && self.peers.iter().all(Option::is_none)
            && (self.ready, self.telling, self.weight) == (0, 0, 0)
    }

    /// For a device: starts or stops to note what changes.
    pub(super) fn watch(&mut self, device: DeviceId, on: bool) {
        if on {
            self.logs.insert(device, Log::new());
        } else {
            self.logs.remove(&device);
        }
    }

    pub(super) fn has_news(&self, device: DeviceId, everything: bool) -> bool {
        self.logs.get(&device).is_some_and(|log| log.has_news(everything))
    }

    /// What has changed since it was last asked for. `everything`: somebody gets all there is.
    pub(super) fn news(&mut self, device: DeviceId, everything: bool) -> Option<Demand> {
        let log = self.logs.get_mut(&device).filter(|log| log.has_news(everything))?;
        let all = self.topics.iter().map(|(_, known)| Arc::clone(&known.topic));
        Some(log.tell(everything, all, |topic| self.wanted.get(topic).is_some()))
    }
}
