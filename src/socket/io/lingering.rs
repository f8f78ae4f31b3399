//! Endings: an endpoint that closes, and its connections, which linger until the peer has what was accepted.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::Domain;

use super::sessions::{Stage, failed, with_scratch};
use super::{Driver, EndpointIo, Source, Timer};
use crate::sys;
use crate::transport::session::Cause;

/// First and longest pause between two looks at a connection that is being ended.
const ENDING: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));

impl Driver<'_> {
    /// The endpoint is gone for the application; its connections may linger.
    pub(super) fn close(&mut self, endpoint: i32) {
        let _whole = sys::CancelGuard::new();
        match self.io.endpoints.remove(&endpoint) {
            Some(EndpointIo::Listener { listener, source, pause }) => {
                let _ = self.poller.remove(listener.source());
                if let Some(pause) = pause {
                    self.io.timers.stop(pause, Timer::Accept(endpoint));
                }
                if let Some(source) = source {
                    self.remove(source);
                }
            }
            Some(EndpointIo::Dialer(point)) => {
                if let Some(redial) = point.redial {
                    self.io.timers.stop(redial, Timer::Redial(endpoint));
                }
            }
            Some(EndpointIo::Single(_)) | None => {}
        }
        let mut held = self.lock();
        held.network -= 1;
        let linger = held.options.linger();
        let since = held.life.closed_since().unwrap_or_else(sys::now);
        held.release();
        let give_up = linger.map(|linger| since + linger);
        let mine = |source: &Source| match source {
            Source::Connecting(owner, ..) => *owner == endpoint,
            Source::Session(connection) => connection.endpoint == endpoint,
            Source::Listener(_) => false,
        };
        let sources: Vec<usize> =
            self.io.sources.iter().filter(|(_, source)| mine(source)).map(|(key, _)| key).collect();
        for source in sources {
            self.start_linger(source, give_up);
        }
        self.with(|state| state.has_left(endpoint));
    }

    fn start_linger(&mut self, source: usize, give_up: Option<Instant>) {
        let Some(connection) = self.connection(source) else {
            self.remove(source);
            return;
        };
        match connection.stage {
            Stage::Open(pipe) => {
                connection.stage = Stage::Lingering { pipe, give_up, pause: ENDING.0, shut: false };
                self.io.in_transition += 1;
                self.with(|state| state.stats.dropped_connections += 1);
                self.continue_linger(source);
                // From here on reading only tells when the peer has finished.
                self.set_interest(source, |interest| interest.read = true);
            }
            Stage::Greeting => {
                let (endpoint, peer) = (connection.endpoint, Arc::clone(&connection.peer));
                self.with(|state| {
                    state.stats.dropped_connections += 1;
                    state.handshake_failed(endpoint, Some(&peer), Cause::Shutdown);
                });
                self.remove(source);
            }
            Stage::Lingering { .. } => {}
            Stage::Rejecting => {
                // It was told why, and has no more time to read it than others have for what they are sent.
                let until = connection.deadline.into_iter().chain(give_up).min();
                self.set_deadline(source, until);
            }
        }
    }

    /// One look at a connection that is being ended: everything written? everything read by the peer? time over?
    pub(super) fn continue_linger(&mut self, source: usize) {
        let Some(connection) = self.connection(source) else { return };
        let Stage::Lingering { pipe, give_up, pause, shut } = connection.stage else { return };
        let channel = Arc::clone(connection.session.channel());
        let mut held = self.lock();
        held.pipes.start_flush(pipe);
        let written = held.pipes.stream(pipe).is_none_or(|stream| stream.is_written());
        held.release();
        // On tcp the end of our side makes the peer's kernel acknowledge at once. On ipc it waits until the peer has read
        // everything: libnanomsg drops what it has not fetched when it sees the end.
        let unread = sys::pending_out(channel.stream()).is_some_and(|bytes| bytes > 0);
        let ipc = channel.stream().domain().is_ok_and(|domain| domain == Domain::UNIX);
        let mut shut = shut;
        if written && !shut && !(ipc && unread) {
            // A stream that fails here is gone.
            shut = channel.finish().unwrap_or(true) && !ipc;
        }
        let now = sys::now();
        let done = written && !channel.wants_write();
        if (done && sys::pending_out(channel.stream()) == Some(0)) || give_up.is_some_and(|at| at <= now) {
            return self.end(source, Cause::Shutdown);
        }
        let next = give_up.map_or(now + pause, |at| at.min(now + pause));
        let Some(connection) = self.connection(source) else { return };
        let pause = (pause * 2).min(ENDING.1);
        connection.stage = Stage::Lingering { pipe, give_up, pause, shut };
        self.set_deadline(source, Some(next));
    }

    /// What a peer still sends to an ending connection is of no use; its end is.
    pub(super) fn read_to_nothing(&mut self, source: usize) {
        let Some(connection) = self.connection(source) else { return };
        let channel = Arc::clone(connection.session.channel());
        // It is dropped, so it need not be decrypted.
        let outcome = with_scratch(|scratch| sys::recv(channel.stream(), scratch));
        match outcome {
            Ok(0) => self.end(source, Cause::Closed),
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => self.end(source, failed(&error)),
            _ => {}
        }
    }
}
