//! A pipe's outbox: who writes it, and what a write has brought.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::pipes::{PipeEnd, Writing};
use super::{Command, Outside, State};
use crate::pipe::{Outbox, PipeId};

impl<O: Outside> State<O> {
    /// Nothing is left of a batch but its memory.
    pub(in crate::socket) fn wrote_all(&mut self, id: PipeId, batch: Outbox) {
        if let Some(stream) = self.pipes.stream(id) {
            stream.outbox.restore(batch);
        }
    }

    /// The kernel takes no more for now: the rest waits in front of what was queued meanwhile.
    #[cold]
    pub(in crate::socket) fn wrote_part(&mut self, id: PipeId, rest: Outbox) {
        let Some(stream) = self.pipes.stream(id) else { return };
        let source = stream.source;
        stream.outbox.restore(rest);
        let before = std::mem::replace(&mut stream.writing, Writing::Blocked { patient: true });
        if !matches!(before, Writing::Blocked { .. }) {
            self.pipes.write_blocked += 1;
        }
        self.commands.push(Command::AwaitRoom(source, id));
    }

    /// Nothing more goes out, by this error; what the peer has sent is read to its end, where the connection ends.
    #[cold]
    pub(in crate::socket) fn write_failed(&mut self, id: PipeId, code: Option<i32>) {
        let Some(stream) = self.pipes.stream(id) else { return };
        let source = stream.source;
        stream.outbox.clear();
        stream.writing = Writing::Failed;
        stream.failed_with = code;
        if let Some(pipe) = self.pipes.get(id) {
            pipe.full = true;
        }
        self.pattern.deaf(id);
        self.commands.push(Command::Broken(source, id));
        self.notify_waiters();
    }

    /// A sender has written its own message.
    pub(in crate::socket) fn written_through(&mut self, now: Instant, id: PipeId) {
        let Some(pipe) = self.pipes.get(id) else { return };
        let was_full = pipe.full;
        let PipeEnd::Stream(stream) = &mut pipe.end else { return };
        stream.stop_writing();
        // Others may have queued meanwhile, counting on us.
        if was_full || stream.writing == Writing::Failed || !stream.outbox.is_empty() {
            self.pipes.start_flush(id);
            self.room_changed(now, id);
        }
    }

    /// Tells the pattern if the pipe has become full, or has room again.
    pub(in crate::socket) fn room_changed(&mut self, now: Instant, id: PipeId) {
        let Some(pipe) = self.pipes.get(id) else { return };
        let was_full = pipe.full;
        match (was_full, self.pipes.is_writable(id)) {
            (true, true) => self.pipe_writable(now, id),
            (false, false) => {
                self.pattern.blocked(id);
                self.show_readiness();
            }
            _ => {}
        }
    }
}
