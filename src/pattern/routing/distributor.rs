//! Each message to every pipe that takes it. What becomes of it for one that is full is in [`super::overflow`].
#![forbid(unsafe_code)]

use super::overflow::Overflow;
use super::pipe_map::PipeMap;
use crate::error::{Error, Result};
use crate::message::Outgoing;
use crate::pattern::Pipes;
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(crate) struct Distributor {
    writable: PipeMap<()>,
    /// Pipes that were writable and are full.
    pub(in crate::pattern) overflow: Overflow,
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reached {
    /// Somebody has it, or gets it later.
    pub one: bool,
    /// For somebody there was no memory.
    pub no_memory: bool,
}

impl Distributor {
    pub(crate) fn writable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        if self.overflow.unblock(pipe, pipes) {
            self.include(pipe);
        }
    }

    /// The pipe is sent what is sent to all.
    pub(crate) fn include(&mut self, pipe: PipeId) {
        self.writable.insert(pipe);
    }

    /// It is not. Says whether it was.
    pub(crate) fn exclude(&mut self, pipe: PipeId) -> bool {
        self.writable.remove(pipe).is_some()
    }

    /// Whether there is nobody to send to.
    pub(crate) fn is_empty(&self) -> bool {
        self.writable.is_empty()
    }

    /// The pipe takes nothing for now.
    pub(crate) fn blocked(&mut self, pipe: PipeId) {
        if self.exclude(pipe) {
            self.overflow.block(pipe);
        }
    }

    /// The pipe takes nothing any more, or is gone.
    pub(crate) fn remove(&mut self, pipe: PipeId) {
        self.exclude(pipe);
        self.overflow.remove(pipe);
    }

    /// Sends to all but `except`. `NoMemory` only where nobody got it because of that; `WouldBlock`: one is full, and nobody
    /// shall have it.
    pub(crate) fn send(
        &mut self,
        message: &mut Outgoing<'_>,
        except: Option<PipeId>,
        pipes: &mut dyn Pipes,
    ) -> Result<()> {
        if self.overflow.holds(except) {
            return Err(Error::WouldBlock);
        }
        let full = self.overflow.others(except);
        let kept = self.overflow.keep(message, full, |pipe| Some(pipe) != except);
        let reached = Reached { one: kept, no_memory: false };
        self.spread(message, except, reached, pipes)?;
        self.overflow.count_missed(full);
        Ok(())
    }

    /// Sends to all that are writable.
    pub(crate) fn spread(
        &mut self,
        message: &mut Outgoing<'_>,
        except: Option<PipeId>,
        mut reached: Reached,
        pipes: &mut dyn Pipes,
    ) -> Result<()> {
        // Backwards: who is taken out makes room for one that had its turn.
        for place in (0..self.writable.len()).rev() {
            let pipe = self.writable.at(place);
            if Some(pipe) == except {
                continue;
            }
            match pipes.send(pipe, message, place == 0) {
                Ok(true) => reached.one = true,
                Ok(false) => {
                    reached.one = true;
                    self.writable.remove_at(place);
                    self.overflow.block(pipe);
                }
                Err(Error::NoMemory) => reached.no_memory = true,
                Err(_) => {
                    self.writable.remove_at(place);
                    reached.one |= self.overflow.refuse(pipe, message);
                }
            }
        }
        if reached.no_memory && !reached.one { Err(Error::NoMemory) } else { Ok(()) }
    }
}
