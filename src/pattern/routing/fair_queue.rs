//! Messages from all pipes: the best priority first, in turn among equals.
#![forbid(unsafe_code)]

use super::priority_list::PriorityList;
use crate::message::Message;
use crate::pattern::{Pipes, Priorities};
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    list: PriorityList,
}

impl FairQueue {
    pub(crate) fn add(&mut self, pipe: PipeId, priorities: Priorities) {
        self.list.add(pipe, priorities.recv);
    }

    pub(crate) fn remove(&mut self, pipe: PipeId) {
        self.list.remove(pipe);
    }

    pub(crate) fn readable(&mut self, pipe: PipeId) {
        self.list.activate(pipe);
    }

    pub(crate) fn can_recv(&self) -> bool {
        !self.list.is_empty()
    }

    /// The pipe whose turn it is.
    pub(crate) fn next(&self) -> Option<PipeId> {
        self.list.next()
    }

    /// Takes a message from the pipe whose turn it is, and says which one that was.
    pub(crate) fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes) -> Option<PipeId> {
        while let Some(pipe) = self.list.next() {
            match pipes.recv(pipe, message) {
                Some(true) => self.list.advance(),
                Some(false) => self.list.deactivate(pipe),
                None => {
                    self.list.deactivate(pipe);
                    continue;
                }
            }
            return Some(pipe);
        }
        None
    }
}
