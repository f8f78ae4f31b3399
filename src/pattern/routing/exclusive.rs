//! At most one peer at a time, and what those before it have left unread.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pattern::{Pipes, Refused};
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(crate) struct Exclusive {
    pipe: Option<PipeId>,
    readable: bool,
    writable: bool,
    /// Pipes whose peers have gone and left something unread, the oldest first.
    orphaned: VecDeque<PipeId>,
}

impl Exclusive {
    pub(crate) fn add(&mut self, pipe: PipeId) -> std::result::Result<(), Refused> {
        if !self.has_room() {
            return Err(Refused);
        }
        (self.pipe, self.readable, self.writable) = (Some(pipe), false, false);
        Ok(())
    }

    pub(crate) fn has_room(&self) -> bool {
        self.pipe.is_none()
    }

    pub(crate) fn remove(&mut self, pipe: PipeId) {
        self.leave(pipe);
        self.orphaned.retain(|&orphan| orphan != pipe);
    }

    /// Takes the place from a pipe, if it has it.
    fn leave(&mut self, pipe: PipeId) -> bool {
        let had = self.pipe == Some(pipe);
        if had {
            (self.pipe, self.readable, self.writable) = (None, false, false);
        }
        had
    }

    /// The peer has gone; what it has left is received before anything of the next one.
    pub(crate) fn orphaned(&mut self, pipe: PipeId) {
        if self.leave(pipe) {
            self.orphaned.push_back(pipe);
        }
    }

    pub(crate) fn readable(&mut self, pipe: PipeId) {
        self.readable |= self.pipe == Some(pipe);
    }

    pub(crate) fn writable(&mut self, pipe: PipeId) {
        self.writable |= self.pipe == Some(pipe);
    }

    pub(crate) fn blocked(&mut self, pipe: PipeId) {
        self.writable &= self.pipe != Some(pipe);
    }

    pub(crate) fn can_send(&self) -> bool {
        self.writable
    }

    pub(crate) fn can_recv(&self) -> bool {
        self.readable || !self.orphaned.is_empty()
    }

    /// The pipe that is received from next.
    pub(crate) fn next(&self) -> Option<PipeId> {
        self.orphaned.front().copied().or(self.pipe.filter(|_| self.readable))
    }

    pub(crate) fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes) -> Result<()> {
        let Some(pipe) = self.pipe.filter(|_| self.writable) else { return Err(Error::WouldBlock) };
        let sent = pipes.send(pipe, message, true);
        self.writable = matches!(sent, Ok(true) | Err(Error::NoMemory));
        sent.map(drop)
    }

    /// Whether there was a message.
    pub(crate) fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes) -> bool {
        while let Some(&orphan) = self.orphaned.front() {
            let received = pipes.recv(orphan, message);
            if received != Some(true) {
                self.orphaned.pop_front();
            }
            if received.is_some() {
                return true;
            }
        }
        let Some(pipe) = self.pipe.filter(|_| self.readable) else { return false };
        let received = pipes.recv(pipe, message);
        self.readable = received == Some(true);
        received.is_some()
    }
}
