//! Who wants what: the subscriptions of all pipes in one tree, so that finding the pipes for a message costs what its
//! topic is long and how many they are, and not how many there are.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;

use super::demand::{Demand, Log, Topic};
use super::frame::TOPIC_MAX;
use crate::pattern::prefix_tree::PrefixTree;
use crate::pipe::PipeId;

/// What the topics of one pipe may weigh. Above that it is sent everything, and nothing of it is kept.
const WEIGHT_MAX: usize = 16 * 1024 * 1024;

/// What a topic weighs besides its bytes: about half of the memory it takes where nobody else wants it.
const TOPIC_WEIGHT: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Audience {
    tree: PrefixTree<Wanted>,
    /// The topics, under numbers that last as long as somebody wants them.
    topics: Slab<Topic>,
    /// By the pipe's slot.
    peers: Vec<Option<Peer>>,
    /// Pipes that are sent only what they want and take a message now.
    ready: usize,
    /// Pipes that can tell what they want.
    telling: usize,
    /// Counts messages.
    stamp: u64,
    /// For a device.
    log: Option<Log>,
}

/// Who wants a topic.
#[derive(Debug, Default)]
struct Wanted {
    /// The topic's number.
    number: usize,
    /// The slots of those who want it.
    by: SmallVec<[u32; 4]>,
}

/// A pipe that tells what it wants.
#[derive(Debug)]
struct Peer {
    pipe: PipeId,
    standing: Standing,
    /// The numbers of its topics, and where it stands in their lists.
    topics: HashMap<usize, usize>,
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
        let known = self.tree.get(topic).map(|wanted| wanted.number);
        let Some(peer) = self.peer(pipe).filter(|peer| peer.standing != Standing::Overrun) else { return true };
        let has = known.is_some_and(|topic| peer.topics.contains_key(&topic));
        match (known, wanted) {
            (_, true) if has => {}
            (_, true) => {
                peer.weight += topic.len() + TOPIC_WEIGHT;
                if topic.len() > TOPIC_MAX || peer.weight > WEIGHT_MAX {
                    self.overrun(pipe);
                    return false;
                }
                self.enter(pipe.slot, topic, known);
            }
            (Some(at), false) if has => self.leave(pipe.slot, at),
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

    fn enter(&mut self, slot: u32, topic: &[u8], known: Option<usize>) {
        let at = known.unwrap_or_else(|| {
            let topic = Topic::from(topic);
            if let Some(log) = &mut self.log {
                log.note(&topic);
            }
            self.topics.insert(topic)
        });
        let wanted = self.tree.entry(topic);
        wanted.number = at;
        if let Some(peer) = &mut self.peers[slot as usize] {
            peer.topics.insert(at, wanted.by.len());
            wanted.by.push(slot);
        }
    }

    /// The pipe has this topic.
    fn leave(&mut self, slot: u32, at: usize) {
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        let Some(place) = peer.topics.remove(&at) else { return };
        let topic = &self.topics[at];
        peer.weight -= topic.len() + TOPIC_WEIGHT;
        let Some(wanted) = self.tree.get_mut(topic) else { return };
        wanted.by.swap_remove(place);
        if let Some(&moved) = wanted.by.get(place)
            && let Some(peer) = &mut self.peers[moved as usize]
        {
            peer.topics.insert(at, place);
        }
        if wanted.by.is_empty() {
            let topic = self.topics.remove(at);
            self.tree.remove(&topic);
            if let Some(log) = &mut self.log {
                log.note(&topic);
            }
        }
    }

    fn forget_topics(&mut self, slot: u32) {
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        let topics: Vec<usize> = peer.topics.keys().copied().collect();
        for at in topics {
            self.leave(slot, at);
        }
        if let Some(peer) = &mut self.peers[slot as usize] {
            peer.topics = HashMap::new();
            peer.weight = 0;
        }
    }

    /// Adds the pipes that want this message and take one now.
    pub(super) fn find(&mut self, message: &[u8], found: &mut Vec<PipeId>) {
        self.stamp += 1;
        for wanted in self.tree.prefixes(message) {
            for &slot in &wanted.by {
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
        assert_eq!(self.topics.len(), self.tree.values().count());
        self.topics.len()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.topics() == 0 && self.peers.iter().all(Option::is_none) && (self.ready, self.telling) == (0, 0)
    }

    /// For a device: starts or stops to note what changes.
    pub(super) fn watch(&mut self, on: bool) {
        self.log = on.then(Log::new);
    }

    pub(super) fn has_news(&self, everything: bool) -> bool {
        self.log.as_ref().is_some_and(|log| log.has_news(everything))
    }

    /// What has changed since it was last asked for. `everything`: somebody gets all there is.
    pub(super) fn news(&mut self, everything: bool) -> Option<Demand> {
        let log = self.log.as_mut().filter(|log| log.has_news(everything))?;
        let all = self.topics.iter().map(|(_, topic)| Arc::clone(topic));
        Some(log.tell(everything, all, |topic| self.tree.get(topic).is_some()))
    }
}
