//! TLS itself, under tls+tcp: handshakes that go wrong, records that should not be, and streams under load. What goes through
//! it is looked at by the tables of tcp and ws, of which a part runs over tls+tcp and wss as well.

mod crowds;
mod handshakes;
mod memory;
mod records;
mod streams;

use crate::ours::Ours;
use crate::peers::Bare;
use crate::trial::Trial;

impl Trial {
    /// A stream on which nothing was said.
    fn silent(&mut self) -> Bare {
        Bare::raw(self.visited())
    }
}

impl Ours {
    /// One that hears of all that happens to it.
    fn watched(&self, name: &str) -> Self {
        self.set_bytes(crate::ours::SOL_SOCKET, crate::ours::MONITOR, format!("inproc://{name}").as_bytes());
        let watcher = Self::open(crate::ours::SUB, false);
        watcher.connect_inproc(name);
        watcher.has_peers(1);
        watcher
    }

    /// The next failure of a handshake that it hears of.
    fn hears_why(&self) -> String {
        loop {
            let event = String::from_utf8(self.recv(0).expect("an event")).expect("text");
            if event.starts_with("handshake_failed ") {
                return event;
            }
        }
    }
}
