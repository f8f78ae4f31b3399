//! Signs of life that a WebSocket's peer is asked for (NN_WS_PING; RFC 6455, section 5.5.2).
#![forbid(unsafe_code)]

use std::time::Duration;

use super::Driver;
use crate::codec::Framing;
use crate::pipe::PipeId;
use crate::sys;
use crate::transport::session::Cause;

#[derive(Debug, Clone, Copy)]
pub(super) struct Ping {
    /// Between two looks.
    every: Duration,
    /// Something has come since the last look.
    heard: bool,
    /// It was asked.
    asked: bool,
}

impl Ping {
    /// Something has come.
    pub(super) fn heard(&mut self) {
        self.heard = true;
    }

    /// It was asked, and nothing has come since.
    pub(super) fn is_unanswered(&self) -> bool {
        self.asked && !self.heard
    }
}

impl Driver<'_> {
    /// A connection was opened. A WebSocket's peer has to show signs of life, if NN_WS_PING says so.
    pub(super) fn expect_life(&mut self, source: usize) {
        let Some(connection) = self.connection(source) else { return };
        if !matches!(connection.session.framing(), Framing::WebSocket(..)) {
            return;
        }
        let Some(every) = self.settings().ws_ping else { return };
        if let Some(connection) = self.connection(source) {
            connection.ping = Some(Ping { every, heard: false, asked: false });
            self.set_deadline(source, Some(sys::now() + every));
        }
    }

    /// Whether something has come since the last look. A peer that was silent is asked, and one that was asked is gone.
    pub(super) fn look_for_life(&mut self, source: usize, pipe: PipeId) {
        let Some(connection) = self.connection(source) else { return };
        let Some(mut ping) = connection.ping else { return };
        if ping.is_unanswered() {
            return self.end(source, Cause::Timeout);
        }
        let question = connection.session.ping();
        let room = self.with(|state| {
            let limit = state.pipes.send_buffer;
            let unread = state.pipes.stream(pipe).is_some_and(|stream| stream.paused);
            // Where we do not read, nothing can come. Where the peer does not, the question would not reach it.
            !unread && state.pipes.stream(pipe).is_some_and(|stream| stream.outbox.bytes() < limit)
        });
        let asks = !ping.heard && room;
        if asks {
            self.reply(source, &question);
        }
        ping = Ping { heard: false, asked: asks, ..ping };
        if let Some(connection) = self.connection(source) {
            connection.ping = Some(ping);
        }
        self.set_deadline(source, Some(sys::now() + ping.every));
    }
}
