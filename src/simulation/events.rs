//! What a socket has told of itself (its events), held against what may happen to one, and against what it has counted.

use std::collections::BTreeMap;

use crate::socket::{Event, Happening, Inspection};
use crate::sys::simulated::fail;

/// A socket's events, as a watcher would keep them.
#[derive(Default)]
pub(super) struct Chronicle {
    endpoints: BTreeMap<i32, Endpoint>,
    /// Connections by number, and their endpoint.
    connections: BTreeMap<u64, (Option<i32>, Connection)>,
    last: u64,
    pub connect_failures: u64,
    pub bind_failures: u64,
    pub accepted: u64,
    pub dialled: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Open,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    Greeting,
    Open,
    Ended,
}

impl Chronicle {
    /// One more event.
    pub(super) fn takes(&mut self, event: &Event) {
        if let Err(problem) = self.try_take(event) {
            fail(&format!("{problem}: {event:?}"));
        }
    }

    fn try_take(&mut self, event: &Event) -> Result<(), &'static str> {
        if event.number != self.last + 1 {
            return Err("an event is missing, or comes twice");
        }
        self.last = event.number;
        let endpoint = event.endpoint.as_ref().and_then(|subject| subject.id);
        let known = endpoint.and_then(|id| self.endpoints.get(&id).copied());
        match event.what {
            Happening::Listening if known.is_some() => return Err("an endpoint listens twice"),
            Happening::Listening => self.begin(endpoint),
            Happening::Connecting if known == Some(Endpoint::Closed) => {
                return Err("it dials, and its endpoint is closed");
            }
            Happening::Connecting => {
                self.dialled += 1;
                self.begin(endpoint);
            }
            Happening::BindFailed(_) => self.bind_failures += 1,
            Happening::ConnectFailed(..) => self.connect_failures += 1,
            Happening::MonitorStopped => return Ok(()),
            Happening::AcceptFailed(_) | Happening::Retrying(_) | Happening::Overflow(_) => {}
            Happening::Closed if known != Some(Endpoint::Open) => return Err("what is not open is closed"),
            Happening::Closed => {
                if let Some(id) = endpoint {
                    self.endpoints.insert(id, Endpoint::Closed);
                }
                let open = |(of, state): &(Option<i32>, Connection)| *of == endpoint && *state != Connection::Ended;
                if self.connections.values().any(open) {
                    return Err("an endpoint is closed, and a connection of it is not");
                }
                return Ok(());
            }
            Happening::Accepted | Happening::HandshakeFailed(_) | Happening::Connected | Happening::Disconnected(_) => {
                self.connection(event, endpoint)?;
            }
        }
        let lives = endpoint.is_none_or(|id| self.endpoints.get(&id) == Some(&Endpoint::Open));
        if lives { Ok(()) } else { Err("something happens to an endpoint that is not open") }
    }

    fn begin(&mut self, endpoint: Option<i32>) {
        if let Some(id) = endpoint {
            self.endpoints.insert(id, Endpoint::Open);
        }
    }

    fn connection(&mut self, event: &Event, endpoint: Option<i32>) -> Result<(), &'static str> {
        // A connection that there was no room for has no number.
        let Some(number) = event.peer.as_ref().map(|peer| peer.pipe) else { return Ok(()) };
        let before = self.connections.get(&number).map(|(_, state)| *state);
        let after = match (event.what, before) {
            (Happening::Accepted, None) => {
                self.accepted += 1;
                Connection::Greeting
            }
            (Happening::HandshakeFailed(_), None | Some(Connection::Greeting)) => Connection::Ended,
            (Happening::Connected, None | Some(Connection::Greeting)) => Connection::Open,
            (Happening::Disconnected(_), Some(Connection::Open)) => Connection::Ended,
            _ => return Err("this cannot follow what was told of the connection"),
        };
        self.connections.insert(number, (endpoint, after));
        Ok(())
    }

    /// Numbers of the connections that are open.
    pub(super) fn open(&self) -> Vec<u64> {
        let open = self.connections.iter().filter(|(_, (_, state))| *state == Connection::Open);
        open.map(|(number, _)| *number).collect()
    }

    /// All is closed.
    pub(super) fn finish(&self, seen: Option<Inspection>) {
        if let Some((id, _)) = self.endpoints.iter().find(|(_, state)| **state == Endpoint::Open) {
            fail(&format!("endpoint {id} was closed, and nothing has told it"));
        }
        if let Some((number, (_, state))) = self.connections.iter().find(|(_, (_, state))| *state != Connection::Ended)
        {
            fail(&format!("all is closed, and connection {number} is {state:?}"));
        }
        let Some(seen) = seen else { return };
        let told = (self.connect_failures, self.bind_failures);
        let counted = (seen.connect_errors, seen.bind_errors);
        if told != counted {
            fail(&format!(
                "connects and binds have failed so often: {counted:?}, and so often that was told: {told:?}"
            ));
        }
    }
}
