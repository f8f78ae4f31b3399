//! tcp and ipc, for every socket type, cooked and raw.

mod connecting;
mod crowds;
mod frames;
mod greetings;
mod messages;
#[cfg(not(feature = "portable-sys"))]
mod sharing;

use crate::peers::sp::Peer;
use crate::trial::Trial;

impl Trial {
    /// A peer that has not said anything yet.
    fn stranger(&mut self) -> Peer {
        Peer::to(self.visited())
    }

    /// A peer that has been let in.
    pub(crate) fn guest(&mut self) -> Peer {
        let mut peer = self.stranger();
        peer.greet(self.ours.protocol);
        peer
    }
}
