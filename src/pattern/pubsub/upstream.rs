//! A connection to a publisher that is told what we want.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::demand::Topic;
use super::frame;
use super::packed::{Packed, Unpacked};
use crate::error::{Error, Result};
use crate::message::Outgoing;
use crate::pattern::Pipes;
use crate::pipe::PipeId;

/// Changes that are sent together: some kilobytes a write. Measured: 100,000 in a C program take 0.054 to
/// 0.072 s with 512, 0.063 to 0.087 s with 128.
const TOGETHER: usize = 512;

/// What the publisher does not know yet, told in rounds: what is wanted at the beginning of one first, and then what is
/// wanted no more. So the publisher never knows less than what was wanted all the time: what takes the place of a topic is
/// there before that is taken back. A topic that changes again before its round takes no more room, so that all of it is as
/// large as the subscriptions are, however slow the publisher reads. What it does know is not kept: that is what is wanted,
/// but for what is here.
#[derive(Debug)]
pub(super) struct Upstream {
    /// The first round: the rest of what was wanted when the connection was made.
    first: Unpacked,
    /// The rest of the present round.
    adding: BTreeSet<Topic>,
    removing: BTreeSet<Topic>,
    /// For the next: topics of which the publisher will then know the opposite of what it shall, and that.
    pending: BTreeMap<Topic, bool>,
    writable: bool,
    /// It knows that it was told all.
    complete: bool,
}

impl Upstream {
    /// The publisher shall know all these.
    pub(super) fn new(first: Packed) -> Self {
        Self {
            first: first.unpack(),
            adding: BTreeSet::new(),
            removing: BTreeSet::new(),
            pending: BTreeMap::new(),
            writable: false,
            complete: false,
        }
    }

    /// It has changed whether the publisher shall know this topic.
    pub(super) fn set(&mut self, topic: &Topic, wanted: bool) {
        if wanted && self.removing.remove(topic) {
            return;
        }
        match self.pending.entry(Topic::clone(topic)) {
            Entry::Occupied(opposite) => drop(opposite.remove()),
            Entry::Vacant(place) => drop(place.insert(wanted)),
        }
    }

    /// How much there is that the publisher has not heard.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.first.len() + self.adding.len() + self.removing.len() + self.pending.len()
    }

    pub(super) fn set_writable(&mut self, writable: bool) {
        self.writable = writable;
    }

    /// There is more to come: tells only that everything is wanted, unless it knows that, and the rest when it is many topics
    /// or with the next [`Upstream::tell`]. It is never told less than what is wanted.
    pub(super) fn hold(&mut self, wants_everything: impl FnOnce() -> bool, pipe: PipeId, pipes: &mut dyn Pipes) {
        let between = self.first.first().is_none() && self.adding.is_empty() && self.removing.is_empty();
        if !between || self.pending.len() >= TOGETHER {
            return self.tell(pipe, pipes);
        }
        match self.pending.first_key_value() {
            // It knows that everything is wanted, and will hear in its turn that it is not.
            Some((topic, false)) if topic.is_empty() => {}
            Some((topic, true)) if topic.is_empty() => self.tell(pipe, pipes),
            _ if !self.writable || wants_everything() => {}
            _ => {
                let adds = self.pending.values().any(|&wanted| wanted);
                if adds && self.send(frame::topic(b"", true), pipe, pipes) {
                    self.pending.insert(Topic::from(&b""[..]), false);
                }
            }
        }
    }

    /// Tells as much as the pipe takes.
    pub(super) fn tell(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        while self.writable {
            if let Some(topic) = self.first.first() {
                if !self.send(frame::topic(topic, true), pipe, pipes) {
                    return;
                }
                self.first.advance();
                continue;
            }
            if let Some(topic) = self.adding.pop_first() {
                if !self.send(frame::topic(&topic, true), pipe, pipes) {
                    self.adding.insert(topic);
                    return;
                }
            } else if let Some(topic) = self.removing.pop_first() {
                if !self.send(frame::topic(&topic, false), pipe, pipes) {
                    self.removing.insert(topic);
                    return;
                }
            } else if !self.pending.is_empty() {
                self.tell_round(pipe, pipes);
            } else {
                break;
            }
        }
        if self.writable && !self.complete {
            self.complete = self.send(frame::complete(), pipe, pipes);
        }
    }

    /// Begins the next round, and tells as much of it as the pipe takes.
    fn tell_round(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        let changes = std::mem::take(&mut self.pending);
        for round in [true, false] {
            for (topic, _) in changes.iter().filter(|(_, wanted)| **wanted == round) {
                // Without memory for what is new, nothing is taken back yet.
                let may = self.writable && (round || self.adding.is_empty());
                if !(may && self.send(frame::topic(topic, round), pipe, pipes)) {
                    let left = if round { &mut self.adding } else { &mut self.removing };
                    left.insert(Topic::clone(topic));
                }
            }
        }
    }

    /// False: it is to be tried again. Where there is no memory for that, with the next change.
    fn send(&mut self, frame: Result<Outgoing<'_>>, pipe: PipeId, pipes: &mut dyn Pipes) -> bool {
        match frame.and_then(|mut frame| pipes.send(pipe, &mut frame, true)) {
            Ok(more) => {
                self.writable = more;
                true
            }
            Err(error) => {
                self.writable = error != Error::WouldBlock;
                false
            }
        }
    }
}
