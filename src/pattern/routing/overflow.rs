//! Pipes that took messages and take none for now, and what becomes of messages for them (NN_OVERFLOW).
#![forbid(unsafe_code)]

use super::pipe_map::PipeMap;
use crate::error::Error;
use crate::message::{Body, Message, Outgoing};
use crate::pattern::Pipes;
use crate::pipe::{Inbox, PipeId};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The peer misses the new message.
    #[default]
    DropNew,
    /// It misses the oldest of those that wait for it.
    DropOld,
    /// Nobody gets it until all can.
    Wait,
}

#[derive(Debug, Default)]
pub(crate) struct Overflow {
    policy: Policy,
    /// What may wait for each pipe, in bytes.
    limit: usize,
    full: PipeMap<Backlog>,
    missed: u64,
}

/// What waits for one pipe.
#[derive(Debug, Default)]
struct Backlog {
    /// It was taken out, and the pipe would not have it yet.
    next: Option<Box<Message>>,
    rest: Inbox,
}

impl Backlog {
    fn weight(&self) -> usize {
        self.rest.weight() + self.next.as_ref().map_or(0, |next| next.body.len())
    }

    fn pop(&mut self) -> Option<Message> {
        if let Some(next) = self.next.take() {
            return Some(*next);
        }
        let mut message = Message::default();
        self.rest.pop(&mut message).then_some(message)
    }

    /// Says how many had to make room.
    fn add(&mut self, body: Body, opcode: u8, limit: usize) -> u64 {
        let mut dropped = 0;
        while self.weight() + body.len() > limit && self.pop().is_some() {
            dropped += 1;
        }
        self.rest.push(opcode, body);
        dropped
    }
}

impl Overflow {
    pub(crate) fn set(&mut self, policy: Policy, limit: usize) {
        (self.policy, self.limit) = (policy, limit);
    }

    /// Messages that peers have missed, counted for each.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    /// Pipes that are full.
    pub(crate) fn count(&self) -> usize {
        self.full.len()
    }

    pub(crate) fn contains(&self, pipe: PipeId) -> bool {
        self.full.contains(pipe)
    }

    /// Whether a message for all would be sent.
    pub(crate) fn can_send(&self) -> bool {
        self.policy != Policy::Wait || self.full.is_empty()
    }

    /// Whether one that leaves out a certain pipe would be, though one for all would not.
    pub(crate) fn can_send_to_others(&self) -> bool {
        self.policy == Policy::Wait && self.full.len() == 1
    }

    /// Whether nobody gets anything because of one that is full, other than `except`.
    pub(crate) fn holds(&self, except: Option<PipeId>) -> bool {
        self.policy == Policy::Wait && self.others(except) > 0
    }

    /// How many pipes are full, without `except`.
    pub(crate) fn others(&self, except: Option<PipeId>) -> usize {
        self.full.len() - usize::from(except.is_some_and(|pipe| self.full.contains(pipe)))
    }

    /// A pipe that took messages takes none for now.
    pub(crate) fn block(&mut self, pipe: PipeId) {
        self.full.insert(pipe);
    }

    /// The pipe takes messages again, and what waits for it first. False: that is all it takes.
    pub(crate) fn unblock(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) -> bool {
        let Some(backlog) = self.full.get_mut(pipe) else { return true };
        while let Some(message) = backlog.pop() {
            let opcode = message.opcode;
            let mut message = Outgoing::from(message);
            match pipes.send(pipe, &mut message, true) {
                // Without memory it is lost, as it would be to a pipe that is not full.
                Ok(true) | Err(Error::NoMemory) => {}
                Ok(false) => return false,
                Err(_) => {
                    backlog.next =
                        message.into_body().map(|body| Box::new(Message { body, opcode, ..Message::default() }));
                    return false;
                }
            }
        }
        self.full.remove(pipe);
        true
    }

    /// The pipe will go, and take whatever waits for it before.
    pub(crate) fn hand_over(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        let Some(mut backlog) = self.full.remove(pipe) else { return };
        while let Some(message) = backlog.pop() {
            if pipes.send(pipe, &mut Outgoing::from(message), true) == Err(Error::WouldBlock) {
                return;
            }
        }
    }

    /// The pipe is gone, or takes nothing any more.
    pub(crate) fn remove(&mut self, pipe: PipeId) {
        self.full.remove(pipe);
    }

    /// Before a message is sent: those pipes that are full and want it are given it for later, if it is to be so. Says whether
    /// one has it.
    pub(crate) fn keep(&mut self, message: &mut Outgoing<'_>, count: usize, wants: impl Fn(PipeId) -> bool) -> bool {
        if count == 0 || self.policy != Policy::DropOld {
            return false;
        }
        // Without memory they miss it.
        let Ok(mut body) = message.joined_body(false) else { return false };
        for (_, backlog) in self.full.iter_mut().filter(|(pipe, _)| wants(*pipe)) {
            self.missed += backlog.add(body.share(), message.opcode, self.limit);
        }
        true
    }

    /// After it was sent: so many pipes that were full before would have had it.
    pub(crate) fn count_missed(&mut self, count: usize) {
        if self.policy != Policy::DropOld {
            self.missed += count as u64;
        }
    }

    /// A pipe that took messages has not taken this one. Says whether it gets it later.
    pub(crate) fn refuse(&mut self, pipe: PipeId, message: &mut Outgoing<'_>) -> bool {
        let backlog = self.full.insert(pipe);
        if self.policy == Policy::DropNew {
            self.missed += 1;
            return false;
        }
        // Without memory it is lost, as it would be to a pipe that is not full.
        let Ok(body) = message.joined_body(false) else { return false };
        self.missed += backlog.add(body, message.opcode, self.limit);
        true
    }
}
