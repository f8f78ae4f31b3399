//! Who wants what: the subscriptions of all pipes in one tree, so that finding the pipes for a message costs what its
//! topic is long and how many they are, and not how many there are.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::slice;

use super::demand::{Demand, DemandLog, DeviceId, Topic};
use super::frame::TOPIC_MAX;
use super::packed::Packed;
use crate::error::{Error, Result};
use crate::pattern::pool::Pool;
use crate::pattern::prefix_table::{PrefixTable, Value};
use crate::pipe::PipeId;

/// What the topics of one pipe may weigh. Above that it is sent everything, and nothing of it is kept.
const WEIGHT_MAX: usize = 16 * 1024 * 1024;

/// The same for all pipes together. One that wants more than there is left is sent everything.
const WEIGHT_OF_ALL_MAX: usize = 256 * 1024 * 1024;

/// What a topic weighs besides its bytes. The memory it takes where nobody else wants it is up to 2.2 times its weight.
const TOPIC_WEIGHT: usize = 128;

/// So many topics more than a pipe has may be in its list, besides as many as it has.
const STALE_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct SubscriptionIndex {
    /// Each topic that somebody wants, with a [`By`].
    wanted: PrefixTable,
    /// The slots of those who want a topic, in order, where they are several.
    several: Pool<Vec<u32>>,
    /// By the pipe's slot.
    peers: Vec<Option<Peer>>,
    /// Pipes that are sent only what they want: those that take a message now, and those that did and are full.
    ready: usize,
    full: usize,
    /// Pipes that can tell what they want.
    forwarding_peers: usize,
    /// Of the topics of all pipes.
    weight: usize,
    /// Counts messages.
    stamp: u64,
    /// For each device that takes messages here.
    logs: BTreeMap<DeviceId, DemandLog>,
}

/// Who wants a topic, in as little memory as the search for a message can go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The only pipe, by its slot.
    One(u32),
    /// The number of a list.
    Several(u32),
}

/// Of the value of a topic: it is the number of a list. Slots and lists are fewer than half of all numbers.
const LIST: u32 = 1 << 31;

impl By {
    fn value(self) -> Value {
        let number = match self {
            Self::One(slot) => slot,
            Self::Several(list) => LIST | list,
        };
        Value::MIN.saturating_add(number)
    }

    fn of(value: Value) -> Self {
        let number = value.get() - 1;
        if number & LIST == 0 { Self::One(number) } else { Self::Several(number & !LIST) }
    }
}

/// A pipe that tells what it wants.
#[derive(Debug)]
struct Peer {
    pipe: PipeId,
    mode: FilterMode,
    /// How many it wants.
    topics: usize,
    /// All of those. Some may be there several times, and some that it wants no more.
    told: Packed,
    weight: usize,
    /// Known while it is sent what it wants, and nothing else.
    room: Room,
    /// The last message that it was found for.
    stamp: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterMode {
    /// It has not told all yet, and is sent everything.
    Incomplete,
    /// It is sent what it wants.
    Selective,
    /// It has told more than we keep, and is sent everything.
    Overrun,
}

/// Whether a pipe takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It did not yet, or does not any more.
    None,
    Some,
    /// It did, and will again.
    Full,
}

fn weight(topic: &[u8]) -> usize {
    topic.len() + TOPIC_WEIGHT
}

/// For devices.
fn note(logs: &mut BTreeMap<DeviceId, DemandLog>, topic: &[u8]) {
    if !logs.is_empty() {
        let topic = topic.into();
        logs.values_mut().for_each(|log| log.note(&topic));
    }
}

impl SubscriptionIndex {
    /// The pipe will tell what it wants.
    pub(super) fn add(&mut self, pipe: PipeId) {
        let slot = pipe.slot as usize;
        if slot >= self.peers.len() {
            self.peers.resize_with(slot + 1, || None);
        }
        self.forwarding_peers += 1;
        self.peers[slot] = Some(Peer {
            pipe,
            mode: FilterMode::Incomplete,
            topics: 0,
            told: Packed::default(),
            weight: 0,
            room: Room::None,
            stamp: 0,
        });
    }

    pub(super) fn remove(&mut self, pipe: PipeId) {
        if self.peer(pipe).is_none() {
            return;
        }
        self.set_room(pipe, Room::None);
        self.forget_topics(pipe.slot);
        if let Some(peer) = self.peers[pipe.slot as usize].take() {
            self.forwarding_peers -= usize::from(peer.mode != FilterMode::Overrun);
        }
    }

    fn peer(&mut self, pipe: PipeId) -> Option<&mut Peer> {
        self.peers.get_mut(pipe.slot as usize)?.as_mut().filter(|peer| peer.pipe == pipe)
    }

    /// Pipes that can tell what they want, and what they have told is kept.
    pub(super) fn forwarding_peers(&self) -> usize {
        self.forwarding_peers
    }

    /// Pipes that are sent only what they want, and take messages now or when they are full no more.
    pub(super) fn selective(&self) -> usize {
        self.ready + self.full
    }

    /// Those of them that are full.
    pub(super) fn full(&self) -> usize {
        self.full
    }

    /// Whether a pipe that is sent what it wants takes a message now.
    pub(super) fn has_room(&mut self, pipe: PipeId) -> bool {
        self.peer(pipe).is_some_and(|peer| peer.room == Room::Some)
    }

    /// False: the pipe is sent everything, and others know whether it takes messages.
    pub(super) fn set_room(&mut self, pipe: PipeId, room: Room) -> bool {
        let Some(peer) = self.peer(pipe).filter(|peer| peer.mode == FilterMode::Selective) else { return false };
        let before = std::mem::replace(&mut peer.room, room);
        self.ready = self.ready + usize::from(room == Room::Some) - usize::from(before == Room::Some);
        self.full = self.full + usize::from(room == Room::Full) - usize::from(before == Room::Full);
        true
    }

    /// The pipe has told all: from now on it is sent what it wants. False: it was treated so before, or never will be.
    pub(super) fn complete(&mut self, pipe: PipeId) -> bool {
        let Some(peer) = self.peer(pipe).filter(|peer| peer.mode == FilterMode::Incomplete) else { return false };
        peer.mode = FilterMode::Selective;
        true
    }

    /// The pipe wants this topic, or does not any more. An error: that is more than we keep, and from now on it has to be
    /// sent everything, if it takes messages.
    pub(super) fn set(&mut self, pipe: PipeId, topic: &[u8], wanted: bool) -> std::result::Result<(), Room> {
        let weighs = self.weight + weight(topic);
        let Some(peer) = self.peer(pipe).filter(|peer| peer.mode != FilterMode::Overrun) else { return Ok(()) };
        if !wanted {
            if let Some(by) = self.wanted.get(topic).map(By::of).filter(|&by| self.has(pipe.slot, by)) {
                self.leave(pipe.slot, topic, by);
                self.tidy(pipe.slot);
            }
            return Ok(());
        }
        let fits = peer.weight + weight(topic) <= WEIGHT_MAX && weighs <= WEIGHT_OF_ALL_MAX;
        let kept = if fits && topic.len() <= TOPIC_MAX {
            self.enter(pipe.slot, topic).is_ok()
        } else {
            self.wanted.get(topic).is_some_and(|by| self.has(pipe.slot, By::of(by)))
        };
        if kept { Ok(()) } else { Err(self.overrun(pipe)) }
    }

    fn has(&self, slot: u32, by: By) -> bool {
        match by {
            By::One(only) => only == slot,
            By::Several(list) => self.several[list].binary_search(&slot).is_ok(),
        }
    }

    fn overrun(&mut self, pipe: PipeId) -> Room {
        let Some(room) = self.peer(pipe).map(|peer| peer.room) else { return Room::None };
        self.set_room(pipe, Room::None);
        if let Some(peer) = self.peer(pipe) {
            peer.mode = FilterMode::Overrun;
        }
        self.forwarding_peers -= 1;
        self.forget_topics(pipe.slot);
        room
    }

    /// On an error nobody has it more than before.
    fn enter(&mut self, slot: u32, topic: &[u8]) -> Result<()> {
        // Most topics are new, so that one search does.
        match self.wanted.insert(topic, By::One(slot).value())? {
            None => {
                if let Err(error) = self.add_topic(slot, topic) {
                    self.wanted.remove(topic);
                    return Err(error);
                }
                note(&mut self.logs, topic);
                Ok(())
            }
            Some(before) => {
                let after = self.join(slot, topic, By::of(before));
                let value = after.as_ref().map_or(before, |by| by.value());
                self.wanted.get_mut(topic).into_iter().for_each(|by| *by = value);
                after.map(|_| ())
            }
        }
    }

    /// Who wants the topic when this pipe does, too.
    fn join(&mut self, slot: u32, topic: &[u8], by: By) -> Result<By> {
        match by {
            by if self.has(slot, by) => Ok(by),
            By::One(other) => {
                let mut both = Vec::new();
                both.try_reserve_exact(2).map_err(|_| Error::NoMemory)?;
                both.extend([other.min(slot), other.max(slot)]);
                self.several.reserve(1)?;
                self.add_topic(slot, topic)?;
                Ok(By::Several(self.several.insert(both)))
            }
            By::Several(number) => {
                self.several[number].try_reserve(1).map_err(|_| Error::NoMemory)?;
                self.add_topic(slot, topic)?;
                let list = &mut self.several[number];
                let place = list.partition_point(|&other| other < slot);
                list.insert(place, slot);
                Ok(by)
            }
        }
    }

    fn add_topic(&mut self, slot: u32, topic: &[u8]) -> Result<()> {
        let Some(peer) = &mut self.peers[slot as usize] else { return Ok(()) };
        peer.told.push(topic)?;
        peer.topics += 1;
        peer.weight += weight(topic);
        self.weight += weight(topic);
        Ok(())
    }

    /// The pipe has this topic.
    fn leave(&mut self, slot: u32, topic: &[u8], known: By) {
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        peer.topics -= 1;
        peer.weight -= weight(topic);
        self.weight -= weight(topic);
        let By::Several(number) = known else {
            self.wanted.remove(topic);
            note(&mut self.logs, topic);
            return;
        };
        let list = &mut self.several[number];
        list.retain(|&other| other != slot);
        if let [only] = list[..] {
            self.several.remove(number);
            self.wanted.get_mut(topic).into_iter().for_each(|by| *by = By::One(only).value());
        } else if list.len() < list.capacity() / 4 {
            list.shrink_to(list.len() * 2);
        }
    }

    /// Keeps the list of a pipe from growing with topics that come and go. Without memory for that it stays as it is.
    fn tidy(&mut self, slot: u32) {
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        if peer.told.len() <= 2 * peer.topics + STALE_MAX {
            return;
        }
        let mut before = std::mem::take(&mut peer.told).unpack();
        let (mut told, mut seen) = (Packed::default(), PrefixTable::default());
        while let Some(topic) = before.first() {
            let wants = self.wanted.get(topic).is_some_and(|by| self.has(slot, By::of(by)));
            let kept = match wants.then(|| seen.insert(topic, Value::MIN)) {
                Some(Ok(None)) => told.push(topic),
                Some(Ok(Some(_))) | None => Ok(()),
                Some(Err(error)) => Err(error),
            };
            if kept.is_err() {
                told = before.repack();
                break;
            }
            before.advance();
        }
        if let Some(peer) = &mut self.peers[slot as usize] {
            peer.told = told;
        }
    }

    fn forget_topics(&mut self, slot: u32) {
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        let mut told = std::mem::take(&mut peer.told).unpack();
        while let Some(topic) = told.first() {
            if let Some(by) = self.wanted.get(topic).map(By::of).filter(|&by| self.has(slot, by)) {
                self.leave(slot, topic, by);
            }
            told.advance();
        }
    }

    /// Adds the pipes that want this message and take one now. Says how many want it and are full.
    pub(super) fn find(&mut self, message: &[u8], found: &mut Vec<PipeId>) -> usize {
        self.stamp += 1;
        let mut full = 0;
        for wanted in self.wanted.prefixes(message) {
            let by = By::of(wanted);
            let by = match &by {
                By::One(only) => slice::from_ref(only),
                By::Several(list) => &self.several[*list][..],
            };
            for &slot in by {
                let Some(peer) = &mut self.peers[slot as usize] else { continue };
                let first = std::mem::replace(&mut peer.stamp, self.stamp) != self.stamp;
                match peer.room {
                    Room::Some if first => found.push(peer.pipe),
                    Room::Full if first => full += 1,
                    _ => {}
                }
            }
        }
        full
    }

    /// Whether a pipe is sent the message for which pipes were found last, when it takes one.
    pub(super) fn is_wanted_by(&self, pipe: PipeId) -> bool {
        let peer = self.peers.get(pipe.slot as usize).and_then(Option::as_ref).filter(|peer| peer.pipe == pipe);
        peer.is_none_or(|peer| peer.mode != FilterMode::Selective || peer.stamp == self.stamp)
    }

    #[cfg(test)]
    pub(super) fn topics(&self) -> usize {
        let mut count = 0;
        let counted = self.wanted.each(usize::MAX, |_| {
            count += 1;
            Ok(())
        });
        counted.unwrap();
        count
    }

    /// How many are in its list.
    #[cfg(test)]
    pub(super) fn told(&mut self, pipe: PipeId) -> usize {
        self.peer(pipe).map_or(0, |peer| peer.told.len())
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
            && self.several.is_empty()
            && self.peers.iter().all(Option::is_none)
            && (self.ready, self.full, self.forwarding_peers, self.weight) == (0, 0, 0, 0)
    }

    /// For a device: starts or stops to note what changes.
    pub(super) fn watch(&mut self, device: DeviceId, on: bool) {
        if on {
            self.logs.insert(device, DemandLog::new());
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
        let all = || {
            let mut all = Vec::new();
            self.wanted.each(usize::MAX, |topic| {
                all.push((Topic::from(topic), true));
                Ok(())
            })?;
            Ok(all)
        };
        Some(log.tell(everything, all, |topic| self.wanted.get(topic).is_some()))
    }
}
