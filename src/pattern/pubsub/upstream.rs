//! A connection to a publisher that is told what we want.
#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::demand::Topic;
use super::frame;
use crate::error::{Error, Result};
use crate::message::Outgoing;
use crate::pattern::Pipes;
use crate::pipe::PipeId;

/// What the publisher knows and what it does not know yet, told in rounds: what is wanted at the beginning of one first,
/// and then what is wanted no more. So the publisher never knows less than what was wanted all the time: what takes the
/// place of a topic is there before that is taken back. A topic that changes again before its round takes no more room,
/// so that all of it is as large as the subscriptions are, however slow the publisher reads.
#[derive(Debug, Default)]
pub(super) struct Upstream {
    told: HashSet<Topic>,
    /// The rest of the present round.
    adding: BTreeSet<Topic>,
    removing: BTreeSet<Topic>,
    /// For the next: topics of which the publisher will then have to be told the opposite of what it knows.
    pending: BTreeSet<Topic>,
    writable: bool,
    /// It knows that it was told all.
    complete: bool,
}

impl Upstream {
    /// The publisher shall know whether this topic is wanted.
    pub(super) fn set(&mut self, topic: &Topic, wanted: bool) {
        if wanted {
            self.removing.remove(topic);
        }
        if self.will_know(topic) == wanted {
            self.pending.remove(topic);
        } else {
            self.pending.insert(Arc::clone(topic));
        }
    }

    /// The publisher shall know these topics, and no others.
    pub(super) fn set_all(&mut self, wanted: &HashSet<Topic>) {
        self.removing.retain(|topic| !wanted.contains(topic));
        let known = self.told.iter().chain(&self.adding).filter(|&topic| !self.removing.contains(topic));
        let pending = known.filter(|&topic| !wanted.contains(topic)).map(Arc::clone).collect::<BTreeSet<Topic>>();
        let new = wanted.iter().filter(|&topic| !self.will_know(topic)).map(Arc::clone);
        self.pending = pending.into_iter().chain(new).collect();
    }

    /// After this round.
    fn will_know(&self, topic: &Topic) -> bool {
        self.adding.contains(topic) || self.told.contains(topic) && !self.removing.contains(topic)
    }

    /// How much there is that the publisher has not heard.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.adding.len() + self.removing.len() + self.pending.len()
    }

    pub(super) fn set_writable(&mut self, writable: bool) {
        self.writable = writable;
    }

    /// Tells as much as the pipe takes.
    pub(super) fn tell(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        while self.writable {
            if self.adding.is_empty() && self.removing.is_empty() {
                let pending = std::mem::take(&mut self.pending);
                (self.removing, self.adding) = pending.into_iter().partition(|topic| self.told.contains(topic));
            }
            if let Some(topic) = self.adding.pop_first() {
                if !self.send(frame::topic(&topic, true), pipe, pipes) {
                    self.adding.insert(topic);
                    return;
                }
                self.told.insert(topic);
            } else if let Some(topic) = self.removing.pop_first() {
                if !self.send(frame::topic(&topic, false), pipe, pipes) {
                    self.removing.insert(topic);
                    return;
                }
                self.told.remove(&topic);
            } else {
                break;
            }
        }
        if self.writable && !self.complete {
            self.complete = self.send(frame::complete(), pipe, pipes);
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
