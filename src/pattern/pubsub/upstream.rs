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

/// What the publisher knows and what it does not know yet. A topic that changes again before it was told takes no more
/// room, so that all of it is as large as the subscriptions are, however slow the publisher reads.
#[derive(Debug, Default)]
pub(super) struct Upstream {
    told: HashSet<Topic>,
    /// Topics of which the publisher has to be told the opposite of what it knows.
    pending: BTreeSet<Topic>,
    writable: bool,
    /// It knows that it was told all.
    complete: bool,
}

impl Upstream {
    /// The publisher shall know whether this topic is wanted.
    pub(super) fn set(&mut self, topic: &Topic, wanted: bool) {
        if self.told.contains(topic) == wanted {
            self.pending.remove(topic);
        } else {
            self.pending.insert(Arc::clone(topic));
        }
    }

    /// The publisher shall know these topics, and no others.
    pub(super) fn set_all(&mut self, wanted: &HashSet<Topic>) {
        self.pending = self.told.symmetric_difference(wanted).map(Arc::clone).collect();
    }

    /// How much there is that the publisher has not heard.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn set_writable(&mut self, writable: bool) {
        self.writable = writable;
    }

    /// Tells as much as the pipe takes.
    pub(super) fn tell(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        while self.writable
            && let Some(topic) = self.pending.pop_first()
        {
            let wanted = !self.told.contains(&topic);
            if !self.send(frame::topic(&topic, wanted), pipe, pipes) {
                self.pending.insert(topic);
                return;
            }
            if wanted {
                self.told.insert(topic);
            } else {
                self.told.remove(&topic);
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
