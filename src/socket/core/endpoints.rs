//! Binds and connects, each with its id.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::{Command, Happening, Outside, State};
use crate::error::{Error, Result};
use crate::pattern::Priorities;
use crate::transport::session::Cause;

pub(in crate::socket) struct Endpoint {
    pub scheme: Box<[u8]>,
    /// Without the scheme.
    pub address: Box<[u8]>,
    pub kind: Kind,
    /// By nn_bind, and not by nn_connect.
    pub binds: bool,
    /// As they were set when the endpoint was made; its pipes inherit them.
    pub priorities: Priorities,
    pub last_error: Option<i32>,
    /// Connections there were, and attempts that failed.
    pub connected: u64,
    pub failed: u64,
    /// An inproc connector that has a pipe.
    pub linked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::socket) enum Kind {
    InprocBind,
    InprocConnect,
    Network,
}

impl Endpoint {
    /// As a program writes it.
    pub(in crate::socket) fn whole_address(&self) -> Vec<u8> {
        [&self.scheme, &b"://"[..], &self.address].concat()
    }

    pub(in crate::socket) fn inproc_name(&self) -> Option<&[u8]> {
        (self.kind != Kind::Network).then_some(&*self.address)
    }

    pub(in crate::socket) fn connects_to(&self) -> Option<&[u8]> {
        (self.kind == Kind::InprocConnect).then_some(&*self.address)
    }
}

impl<O: Outside> State<O> {
    pub(in crate::socket) fn add_endpoint(&mut self, scheme: &[u8], address: &[u8], kind: Kind, binds: bool) -> i32 {
        self.last_endpoint += 1;
        let endpoint = Endpoint {
            scheme: scheme.into(),
            address: address.into(),
            kind,
            binds,
            priorities: self.priorities(),
            last_error: None,
            connected: 0,
            failed: 0,
            linked: false,
        };
        self.endpoints.insert(self.last_endpoint, endpoint);
        match kind {
            _ if binds => self.happened(self.last_endpoint, None, Happening::Listening),
            Kind::InprocConnect => self.happened(self.last_endpoint, None, Happening::Connecting),
            // The driver tells of each time it dials.
            Kind::InprocBind | Kind::Network => {}
        }
        self.last_endpoint
    }

    /// An attempt to connect, or to accept, has failed.
    pub(in crate::socket) fn count_failure(&mut self, id: i32) {
        if let Some(endpoint) = self.endpoints.get_mut(&id) {
            endpoint.failed += 1;
        }
    }

    pub(in crate::socket) fn remove_endpoint(&mut self, now: Instant, id: i32) -> Result<()> {
        self.endpoint_works(id);
        let endpoint = self.endpoints.remove(&id).ok_or(Error::Invalid)?;
        self.begins_to_leave(id, &endpoint);
        match endpoint.inproc_name() {
            Some(name) => {
                self.own.names.leave(name, &self.own.party(id));
                if endpoint.connects_to().is_some() && !endpoint.linked {
                    self.stats.inprogress_connections -= 1;
                }
                for pipe in self.pipes.of_endpoint(id) {
                    self.hand_over(pipe);
                    self.remove_pipe(now, pipe);
                }
                self.has_left(id);
            }
            None => {
                for pipe in self.pipes.of_endpoint(id) {
                    if self.pipes.get(pipe).is_some_and(|pipe| pipe.has_ended()) {
                        // There is no connection any more that could end.
                        self.remove_pipe(now, pipe);
                    } else {
                        self.hand_over(pipe);
                        self.disconnected(pipe, Cause::Shutdown);
                        self.detach_pipe(now, pipe);
                    }
                }
                self.commands.push(Command::Close(id));
            }
        }
        self.notify_waiters();
        Ok(())
    }
}
