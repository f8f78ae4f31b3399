//! What the simulator looks at while all threads wait: whether something is left undone.
#![forbid(unsafe_code)]

use super::Socket;
use super::core::{Event, Journal, PipeEnd, Writing};
use crate::sys;

/// Is told of each event in its turn.
pub(crate) type Observer = Box<dyn Fn(&Event) + Send + Sync>;

/// A socket as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inspection {
    pub can_recv: bool,
    pub can_send: bool,
    pub closing: bool,
    /// Notes of neighbours that nobody has read.
    pub mail: bool,
    /// Bytes that wait in pipes though nobody writes them and the system has not refused any.
    pub unwritten: usize,
    /// A sender waits for the system to make room for the rest of its message.
    pub writes_on: bool,
    /// Bytes held for the socket: read and not received, accepted and not written.
    pub held: usize,
    /// Connections that both sides have agreed on, all numbers added up, and events that nobody was told of.
    pub connections: (usize, u64),
    pub untold: bool,
    pub connect_errors: u64,
    pub bind_errors: u64,
}

impl Socket {
    /// Calls `observer` with each event from now on.
    pub(crate) fn observe(&self, observer: Observer) {
        if self.observer.set(observer).is_ok() {
            self.with(|state| state.journal = Some(Journal::new(0, sys::timestamps)));
        }
    }

    /// `None`: a thread holds its lock.
    pub(crate) fn inspect(&self) -> Option<Inspection> {
        let mail = self.has_mail();
        self.state.peek(|state| {
            let (mut unwritten, mut held, mut writes_on) = (0, 0, false);
            let mut connections = (0, 0);
            for (_, pipe) in &state.pipes.slots {
                if pipe.attached && pipe.confirmed && !pipe.has_ended() {
                    connections = (connections.0 + 1, connections.1 + pipe.peer.pipe);
                }
                match &pipe.end {
                    PipeEnd::Stream(stream) => {
                        held += stream.inbox.weight() + stream.outbox.bytes();
                        writes_on |= stream.writing == Writing::Blocked { patient: true };
                        if !stream.is_blocked() && stream.writing != Writing::Failed {
                            unwritten += stream.outbox.bytes();
                        }
                    }
                    PipeEnd::Inproc { taken, .. } => held += taken.weight(),
                    PipeEnd::Orphaned(inbox) => held += inbox.weight(),
                }
            }
            Inspection {
                can_recv: state.pattern.can_recv(),
                can_send: state.pattern.can_send(),
                closing: state.is_closing(),
                mail,
                unwritten,
                writes_on,
                held,
                connections,
                untold: state.has_events(),
                connect_errors: state.stats.connect_errors,
                bind_errors: state.stats.bind_errors,
            }
        })
    }
}
