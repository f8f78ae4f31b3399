//! Each message to one pipe: the best priority first, in turn among equals.
#![forbid(unsafe_code)]

use super::priority_list::PriorityList;
use crate::error::{Error, Result};
use crate::message::Outgoing;
use crate::pattern::{Pipes, Priorities};
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(crate) struct LoadBalancer {
    list: PriorityList,
    /// The priority that messages go to, as of the last pipe that came or went: a statistic, 0 before there was any.
    priority: i32,
}

impl LoadBalancer {
    pub(crate) fn add(&mut self, pipe: PipeId, priorities: Priorities) {
        self.list.add(pipe, priorities.send);
    }

    pub(crate) fn remove(&mut self, pipe: PipeId) {
        self.list.remove(pipe);
        self.note_priority();
    }

    pub(crate) fn writable(&mut self, pipe: PipeId) {
        self.list.activate(pipe);
        self.note_priority();
    }

    pub(crate) fn blocked(&mut self, pipe: PipeId) {
        self.list.deactivate(pipe);
    }

    fn note_priority(&mut self) {
        self.priority = self.list.priority().map_or(-1, i32::from);
    }

    pub(crate) fn priority(&self) -> i32 {
        self.priority
    }

    pub(crate) fn can_send(&self) -> bool {
        !self.list.is_empty()
    }

    /// Sends to the pipe whose turn it is, and says which one that was.
    pub(crate) fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes) -> Result<PipeId> {
        while let Some(pipe) = self.list.next() {
            match pipes.send(pipe, message, true) {
                Ok(true) => self.list.advance(),
                Ok(false) => self.list.deactivate(pipe),
                Err(Error::WouldBlock) => {
                    self.list.deactivate(pipe);
                    continue;
                }
                Err(error) => return Err(error),
            }
            return Ok(pipe);
        }
        Err(Error::WouldBlock)
    }
}
