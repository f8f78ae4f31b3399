//! Who wants what: the subscriptions of all pipes in one tree, so that finding the pipes for a message costs what its
//! topic is long and how many they are, and not how many there are.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::slice;

use super::demand::{Demand, DeviceId, Log, Topic};
use super::frame::TOPIC_MAX;
use crate::error::{Error, Result};
use crate::pattern::pool::Pool;
use crate::pattern::prefix_table::{PrefixTable, ShortBytes};
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
    topics: Pool<Known>,
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
    topic: ShortBytes,
    /// The slots of those who want it, where they are several. Boxed, as with most topics there is none.
    #[expect(clippy::box_collection)]
    by: Option<Box<Vec<u32>>>,
}

const _: () = assert!(size_of::<Known>() == 32);

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

/// For devices.
fn note(logs: &mut BTreeMap<DeviceId, Log>, topic: &[u8]) {
    if !logs.is_empty() {
        let topic = topic.into();
        logs.values_mut().for_each(|log| log.note(&topic));
    }
}

impl Wanted {
    fn new(number: u32, by: u32) -> Self {
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
        let known = self.wanted.get(topic);
        let before = self.weight;
        let Some(peer) = self.peer(pipe).filter(|peer| peer.standing != Standing::Overrun) else { return true };
        let has = known.is_some_and(|known| peer.topics.contains_key(&known.number()));
        match (known, wanted) {
            (_, true) if has => {}
            (_, true) => {
                let weight = weight(topic);
                let much = peer.weight + weight > WEIGHT_MAX || before + weight > WEIGHT_OF_ALL_MAX;
                if topic.len() > TOPIC_MAX || much || self.enter(pipe.slot, topic, known).is_err() {
                    self.overrun(pipe);
                    return false;
                }
            }
            (Some(known), false) if has => self.leave(pipe.slot, known.number()),
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

    /// On an error nothing has changed.
    fn enter(&mut self, slot: u32, topic: &[u8], known: Option<Wanted>) -> Result<()> {
        let Some(peer) = &mut self.peers[slot as usize] else { return Ok(()) };
        peer.topics.try_reserve(1).map_err(|_| Error::NoMemory)?;
        let (number, place) = match known {
            None => {
                let known = Known { topic: topic.try_into()?, by: None };
                self.topics.reserve()?;
                let number = self.topics.insert(known);
                if let Err(error) = self.wanted.insert(topic, Wanted::new(number, slot)) {
                    self.topics.remove(number);
                    return Err(error);
                }
                note(&mut self.logs, topic);
                (number, 0)
            }
            Some(known) => {
                let by = self.topics[known.number()].by.get_or_insert_with(|| Box::new(vec![known.by]));
                let place = by.len() as u32;
                if by.try_reserve(1).is_err() {
                    self.topics[known.number()].by.take_if(|by| by.len() == 1);
                    return Err(Error::NoMemory);
                }
                by.push(slot);
                if let Some(wanted) = self.wanted.get_mut(topic) {
                    wanted.by = SEVERAL;
                }
                (known.number(), place)
            }
        };
        peer.topics.insert(number, place);
        peer.weight += weight(topic);
        self.weight += weight(topic);
        Ok(())
    }

    /// The pipe has this topic.
    fn leave(&mut self, slot: u32, number: u32) {
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        let Some(place) = peer.topics.remove(&number) else { return };
        if peer.topics.len() < peer.topics.capacity() / 8 {
            peer.topics.shrink_to(peer.topics.len() * 2);
        }
        let Known { topic, by } = &mut self.topics[number];
        peer.weight -= weight(topic);
        self.weight -= weight(topic);
        let Some(several) = by else {
            self.wanted.remove(topic);
            note(&mut self.logs, topic);
            self.topics.remove(number);
            return;
        };
        several.swap_remove(place as usize);
        if let Some(&moved) = several.get(place as usize)
            && let Some(peer) = &mut self.peers[moved as usize]
        {
            peer.topics.insert(number, place);
        }
        if let [only] = several[..] {
            if let Some(wanted) = self.wanted.get_mut(topic) {
                *wanted = Wanted::new(number, only);
            }
            *by = None;
        }
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
    }

    /// Adds the pipes that want this message and take one now.
    pub(super) fn find(&mut self, message: &[u8], found: &mut Vec<PipeId>) {
        self.stamp += 1;
        for wanted in self.wanted.prefixes(message) {
            let by = match &wanted.by {
                &SEVERAL => self.topics[wanted.number()].by.as_ref().map_or(&[][..], |by| &by[..]),
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
        for (number, known) in self.topics.iter() {
            assert_eq!(self.wanted.get(&known.topic).map(Wanted::number), Some(number));
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
        let all = self.topics.iter().map(|(_, known)| Topic::from(&*known.topic));
        Some(log.tell(everything, all, |topic| self.wanted.get(topic).is_some()))
    }
}
