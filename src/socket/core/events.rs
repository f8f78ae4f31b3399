//! What happens to endpoints and connections, written down for those who watch the socket (NN_MONITOR).
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::endpoints::Endpoint;
use super::{Outside, State};
use crate::peer::Peer;
use crate::pipe::PipeId;
use crate::transport::session::Cause;

/// Both clocks of an event.
pub(in crate::socket) type Clock = fn() -> (u64, u64);

/// Events that wait to be published, some 300 bytes each. They wait for microseconds as a rule; where more wait than these, the
/// oldest are dropped.
const WAITING_MAX: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    Listening,
    BindFailed(i32),
    Connecting,
    /// With this error. The next try comes after so long.
    ConnectFailed(i32, Duration),
    Accepted,
    AcceptFailed(i32),
    HandshakeFailed(Cause),
    Connected,
    Disconnected(Cause),
    /// A connection was lost. It is made again after so long.
    Retrying(Duration),
    Closed,
    /// So many messages have found no room since the last time.
    Overflow(u64),
    MonitorStopped,
}

#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// One more with each event of the monitor.
    pub number: u64,
    /// When it was written down: nanoseconds of the wall clock and of the monotonic one.
    pub times: (u64, u64),
    pub what: Happening,
    pub endpoint: Option<Subject>,
    pub peer: Option<Arc<Peer>>,
}

/// An endpoint, which may have gone since.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// `None`: it never came to be.
    pub id: Option<i32>,
    pub address: Vec<u8>,
    pub binds: bool,
}

/// What is written down for a monitor.
#[derive(Debug)]
pub(in crate::socket) struct Journal {
    clock: Clock,
    waiting: VecDeque<Event>,
    last: u64,
    /// Messages that have found no room, as far as was told, and when that was.
    dropped: u64,
    dropped_at: Option<Instant>,
    /// Endpoints that are closing: their last events are still to come.
    leaving: Vec<Subject>,
}

/// Of messages that find no room no more than one event comes in so long.
const OVERFLOW_PAUSE: Duration = Duration::from_secs(1);

impl Journal {
    /// From now on: what was dropped before is of no interest.
    pub(in crate::socket) fn new(dropped: u64, clock: Clock) -> Self {
        Self { clock, waiting: VecDeque::new(), last: 0, dropped, dropped_at: None, leaving: Vec::new() }
    }
}

impl Subject {
    pub(in crate::socket) fn of(id: i32, endpoint: &Endpoint) -> Self {
        Self { id: Some(id), address: endpoint.whole_address(), binds: endpoint.binds }
    }
}

impl<O: Outside> State<O> {
    /// Writes down what has happened, if anybody wants to know.
    #[inline]
    pub(in crate::socket) fn happened(&mut self, endpoint: i32, peer: Option<&Arc<Peer>>, what: Happening) {
        if self.journal.is_some() {
            self.write_down(self.subject(endpoint), peer.cloned(), what);
        }
    }

    /// Records that a handshake has failed. A failure of TLS is also an error of the endpoint, since it comes back until somebody
    /// changes the configuration.
    pub(in crate::socket) fn handshake_failed(&mut self, endpoint: i32, peer: Option<&Arc<Peer>>, cause: Cause) {
        if let Cause::Tls(failure) = cause {
            self.endpoint_error(endpoint, failure.number());
            self.count_failure(endpoint);
        }
        self.happened(endpoint, peer, Happening::HandshakeFailed(cause));
    }

    fn subject(&self, id: i32) -> Option<Subject> {
        let leaving = || self.journal.as_ref()?.leaving.iter().find(|subject| subject.id == Some(id)).cloned();
        self.endpoints.get(&id).map(|endpoint| Subject::of(id, endpoint)).or_else(leaving)
    }

    pub(in crate::socket) fn write_down(
        &mut self,
        endpoint: Option<Subject>,
        peer: Option<Arc<Peer>>,
        what: Happening,
    ) {
        let Some(journal) = &mut self.journal else { return };
        journal.last += 1;
        if journal.waiting.len() >= WAITING_MAX {
            journal.waiting.pop_front();
        }
        let event = Event { number: journal.last, times: (journal.clock)(), what, endpoint, peer };
        journal.waiting.push_back(event);
        self.pipes.effects().events = true;
    }

    /// A message may have found no room.
    #[cold]
    pub(in crate::socket) fn look_for_overflow(&mut self, now: Instant) {
        let dropped = self.pattern.overflowed();
        let Some(journal) = &mut self.journal else { return };
        let early = journal.dropped_at.is_some_and(|at| now < at + OVERFLOW_PAUSE);
        if dropped > journal.dropped && !early {
            journal.dropped_at = Some(now);
            self.tell_overflow();
        }
    }

    /// Tells how many messages have found no room since the last time, if any.
    pub(in crate::socket) fn tell_overflow(&mut self) {
        let dropped = self.pattern.overflowed();
        let Some(journal) = &mut self.journal else { return };
        let before = std::mem::replace(&mut journal.dropped, dropped);
        if dropped > before {
            self.write_down(None, None, Happening::Overflow(dropped - before));
        }
    }

    /// The endpoint is no longer the program's, but something may still happen to its connections.
    pub(super) fn begins_to_leave(&mut self, id: i32, endpoint: &Endpoint) {
        if let Some(journal) = &mut self.journal {
            journal.leaving.push(Subject::of(id, endpoint));
        }
    }

    /// Nothing will happen to the endpoint any more.
    pub(in crate::socket) fn has_left(&mut self, id: i32) {
        let Some(journal) = &mut self.journal else { return };
        if let Some(place) = journal.leaving.iter().position(|subject| subject.id == Some(id)) {
            let subject = journal.leaving.swap_remove(place);
            self.write_down(Some(subject), None, Happening::Closed);
        }
    }

    /// A pipe can be used by both sides from now on.
    pub(super) fn connected(&mut self, id: PipeId) {
        let Some(pipe) = self.pipes.get(id) else { return };
        pipe.announced = true;
        let (endpoint, peer) = (pipe.endpoint, Arc::clone(&pipe.peer));
        if let Some(endpoint) = self.endpoints.get_mut(&endpoint) {
            endpoint.connected += 1;
        }
        self.happened(endpoint, Some(&peer), Happening::Connected);
    }

    /// A pipe's connection has ended. False: it had not begun.
    pub(in crate::socket) fn disconnected(&mut self, id: PipeId, cause: Cause) -> bool {
        let Some(pipe) = self.pipes.get(id) else { return false };
        if !std::mem::take(&mut pipe.announced) {
            return false;
        }
        let (endpoint, peer) = (pipe.endpoint, Arc::clone(&pipe.peer));
        self.happened(endpoint, Some(&peer), Happening::Disconnected(cause));
        true
    }

    /// What was written down since the last time.
    pub(in crate::socket) fn take_events(&mut self) -> VecDeque<Event> {
        self.journal.as_mut().map(|journal| std::mem::take(&mut journal.waiting)).unwrap_or_default()
    }

    pub(in crate::socket) fn has_events(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| !journal.waiting.is_empty())
    }

    /// The number of a new connection.
    pub(in crate::socket) fn number_connection(&mut self) -> u64 {
        self.last_connection += 1;
        self.last_connection
    }
}
