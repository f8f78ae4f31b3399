//! At most one pipe at a time.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pattern::{Pipes, Refused};
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(crate) struct Exclusive {
    pipe: Option<PipeId>,
    readable: bool,
    writable: bool,
}

impl Exclusive {
    pub(crate) fn add(&mut self, pipe: PipeId) -> std::result::Result<(), Refused> {
        if self.pipe.is_some() {
            return Err(Refused);
        }
        *self = Self { pipe: Some(pipe), ..Self::default() };
        Ok(())
    }

    pub(crate) fn remove(&mut self, pipe: PipeId) {
        if self.pipe == Some(pipe) {
            *self = Self::default();
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
        self.readable
    }

    pub(crate) fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes) -> Result<()> {
        let Some(pipe) = self.pipe.filter(|_| self.writable) else { return Err(Error::WouldBlock) };
        let sent = pipes.send(pipe, message, true);
        self.writable = matches!(sent, Ok(true) | Err(Error::NoMemory));
        sent.map(drop)
    }

    /// Whether there was a message.
    pub(crate) fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes) -> bool {
        let Some(pipe) = self.pipe.filter(|_| self.readable) else { return false };
        let received = pipes.recv(pipe, message);
        self.readable = received == Some(true);
        received.is_some()
    }
}
