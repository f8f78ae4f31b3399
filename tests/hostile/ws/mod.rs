//! WebSocket: what a listening and a connecting socket of ours hear, and say to it.

mod frames;
mod load;
mod refusals;
mod requests;
mod responses;
mod unusual;

use crate::peers::ws::{Raw, name_of};
use crate::trial::Trial;

impl Trial {
    /// A stream that has not said anything yet.
    fn newcomer(&mut self) -> Raw {
        Raw::to(self.visited())
    }

    /// A client that has been let in.
    pub(crate) fn client(&mut self) -> Raw {
        let kind = name_of(self.ours.protocol);
        Raw::client(self.visited(), kind)
    }
}
