//! Each message to every pipe that takes it. A pipe that is busy misses it.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};
use crate::message::Outgoing;
use crate::pattern::Pipes;
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(crate) struct Distributor {
    writable: Vec<PipeId>,
    /// By the pipe's slot: where it stands among the writable ones.
    places: Vec<Option<usize>>,
}

impl Distributor {
    pub(crate) fn writable(&mut self, pipe: PipeId) {
        let slot = pipe.slot as usize;
        if slot >= self.places.len() {
            self.places.resize(slot + 1, None);
        }
        if self.places[slot].is_none() {
            self.places[slot] = Some(self.writable.len());
            self.writable.push(pipe);
        }
    }

    /// Whether there is nobody to send to.
    pub(crate) fn is_empty(&self) -> bool {
        self.writable.is_empty()
    }

    /// The pipe takes nothing for now, or is gone.
    pub(crate) fn blocked(&mut self, pipe: PipeId) {
        let place = self.places.get(pipe.slot as usize).copied().flatten();
        if let Some(place) = place.filter(|&place| self.writable[place] == pipe) {
            self.take_out(place);
        }
    }

    fn take_out(&mut self, place: usize) {
        let pipe = self.writable.swap_remove(place);
        self.places[pipe.slot as usize] = None;
        if let Some(moved) = self.writable.get(place) {
            self.places[moved.slot as usize] = Some(place);
        }
    }

    /// Sends to all but `except`. Fails only where nobody got it because there is no memory.
    pub(crate) fn send(
        &mut self,
        message: &mut Outgoing<'_>,
        except: Option<PipeId>,
        pipes: &mut dyn Pipes,
    ) -> Result<()> {
        let (mut sent, mut no_memory) = (false, false);
        // Backwards: who is taken out makes room for one that had its turn.
        for place in (0..self.writable.len()).rev() {
            let pipe = self.writable[place];
            if Some(pipe) == except {
                continue;
            }
            match pipes.send(pipe, message, place == 0) {
                Ok(true) => sent = true,
                Ok(false) => {
                    sent = true;
                    self.take_out(place);
                }
                Err(Error::NoMemory) => no_memory = true,
                Err(_) => self.take_out(place),
            }
        }
        if no_memory && !sent { Err(Error::NoMemory) } else { Ok(()) }
    }
}
