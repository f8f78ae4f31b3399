//! A connection to a publisher that is told what we want.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use super::demand::Topic;
use super::frame;
use super::packed::{Packed, Unpacked};
use crate::error::{Error, Result};
use crate::message::Outgoing;
use crate::pattern::Pipes;
use crate::pipe::PipeId;

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
        if self.pending.remove(topic).is_none() {
            self.pending.insert(Topic::clone(topic), wanted);
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
            if self.adding.is_empty() && self.removing.is_empty() {
                if self.pending.len() == 1 && !self.tell_only(pipe, pipes) {
                    return;
                }
                for (topic, wanted) in std::mem::take(&mut self.pending) {
                    let round = if wanted { &mut self.adding } else { &mut self.removing };
                    round.insert(topic);
                }
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
            } else {
                break;
            }
        }
        if self.writable && !self.complete {
            self.complete = self.send(frame::complete(), pipe, pipes);
        }
    }

    /// A round of one topic, as most are. False: it is to be tried again.
    fn tell_only(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) -> bool {
        let Some((topic, wanted)) = self.pending.pop_first() else { return true };
        let told = self.send(frame::topic(&topic, wanted), pipe, pipes);
        if !told {
            let round = if wanted { &mut self.adding } else { &mut self.removing };
            round.insert(topic);
        }
        told
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
