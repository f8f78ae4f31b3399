//! Writing. Never under the lock: a thread undertakes to write a pipe's outbox (`flushing`) and then does it alone.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};

use smallvec::SmallVec;
use socket2::Socket as Stream;

use super::io::Command;
use super::pipes::Direct;
use super::state::State;
use super::{Held, Socket};
use crate::codec::length_prefix::LengthPrefix;
use crate::message::Outgoing;
use crate::pattern::Pipes;
use crate::pipe::{Outbox, PipeId};
use crate::sys;

/// How far a write has come.
enum Wrote {
    All,
    /// The kernel takes no more for now.
    Part,
    Failed,
}

fn send(stream: &Stream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    loop {
        match stream.send_vectored_with_flags(slices, libc::MSG_NOSIGNAL) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Frames up to this size are put together before they are written: one buffer is cheaper for the kernel than three, and
/// the copy is cheaper than the difference.
const JOINED: usize = 512;

fn send_joined(stream: &Stream, parts: [&[u8]; 3]) -> io::Result<usize> {
    let mut frame = [0; JOINED];
    let mut length = 0;
    for part in parts {
        frame[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    sys::send(stream, &frame[..length])
}

fn failure(error: &io::Error) -> Wrote {
    if error.kind() == io::ErrorKind::WouldBlock { Wrote::Part } else { Wrote::Failed }
}

fn write_all(stream: &Stream, batch: &mut Outbox) -> Wrote {
    while !batch.is_empty() {
        let before = batch.bytes();
        if let Err(error) = batch.write(|slices| send(stream, slices)) {
            return failure(&error);
        }
        if batch.bytes() == before {
            return Wrote::Failed;
        }
    }
    Wrote::All
}

impl Socket {
    /// Ends a send: writes the message from its sender's memory to the pipes that were idle.
    pub(super) fn write_through(&self, mut held: Held<'_>, message: &mut Outgoing<'_>) {
        if held.pipes.direct.is_empty() {
            return;
        }
        let direct = std::mem::take(&mut held.pipes.direct);
        held.inside += 1;
        drop(held);
        let mut done: SmallVec<[(Wrote, Outbox); 1]> = SmallVec::new();
        for target in &direct {
            done.push(write_one(target, message));
        }
        let mut held = self.lock();
        held.inside -= 1;
        held.pipes.tempo.wrote(std::time::Instant::now());
        for (target, (wrote, rest)) in direct.iter().zip(done) {
            held.wrote(self, target.pipe, &wrote, rest);
            if let Some(stream) = held.pipes.stream(target.pipe) {
                stream.flushing = false;
            }
            // Others may have queued meanwhile, counting on us.
            held.pipes.start_flush(target.pipe);
            held.room_changed(self, target.pipe);
        }
        if held.closing {
            held.wake_closer();
        }
    }

    /// Writes a pipe's outbox until it is empty or the kernel is full. The caller has set `flushing`.
    pub(super) fn flush(&self, id: PipeId) {
        let mut held = self.lock();
        loop {
            let Some(stream) = held.pipes.stream(id) else { break };
            if stream.outbox.is_empty() || stream.stuck {
                stream.flushing = false;
                break;
            }
            let mut batch = stream.outbox.take();
            let target = std::sync::Arc::clone(&stream.stream);
            held.inside += 1;
            drop(held);
            let wrote = write_all(&target, &mut batch);
            held = self.lock();
            held.inside -= 1;
            held.wrote(self, id, &wrote, batch);
        }
        held.room_changed(self, id);
        if held.closing {
            held.wake_closer();
        }
    }
}

/// Frames a message and writes it in one call, no copy. What the kernel did not take is copied.
fn write_one(target: &Direct, message: &mut Outgoing<'_>) -> (Wrote, Outbox) {
    let mut prefix = [0; LengthPrefix::LONGEST];
    let size = message.size();
    let head = target.framing.encode(size, &mut prefix);
    let total = head + size;
    let parts = [&prefix[..head], &message.header, message.body()];
    let sent = if total <= JOINED { send_joined(&target.stream, parts) } else { send(&target.stream, &parts.map(IoSlice::new)) };
    let written = match sent {
        Ok(written) if written == total => return (Wrote::All, Outbox::default()),
        Ok(written) => written,
        Err(error) => match failure(&error) {
            Wrote::Part => 0,
            failed => return (failed, Outbox::default()),
        },
    };
    let mut rest = Outbox::default();
    let front = head + message.header.len();
    let body_done = written.saturating_sub(front);
    if Outbox::copies(message.body().len() - body_done) {
        let mut skip = written;
        let parts = parts.map(|part| {
            let skipped = skip.min(part.len());
            skip -= skipped;
            &part[skipped..]
        });
        rest.push_bytes(parts);
    } else {
        let header = message.header.clone();
        match message.share_body() {
            Ok(body) => {
                let mut skip = written;
                let parts = [&prefix[..head], &header, &[]].map(|part: &[u8]| {
                    let skipped = skip.min(part.len());
                    skip -= skipped;
                    &part[skipped..]
                });
                rest.push_bytes(parts);
                rest.push_body(body, body_done);
            }
            // Half a frame is on the wire and there is no memory for the other half.
            Err(_) => return (Wrote::Failed, Outbox::default()),
        }
    }
    (Wrote::Part, rest)
}

impl State {
    /// Notes how a write ended and queues what it left over.
    fn wrote(&mut self, socket: &Socket, id: PipeId, wrote: &Wrote, rest: Outbox) {
        let Some(stream) = self.pipes.stream(id) else { return };
        let source = stream.source;
        match wrote {
            Wrote::All => stream.outbox.restore(rest),
            Wrote::Part => {
                stream.outbox.restore(rest);
                if !std::mem::replace(&mut stream.stuck, true) {
                    self.pipes.stuck += 1;
                }
                self.commands.push(Command::AwaitRoom(source, id));
            }
            Wrote::Failed => {
                // Nothing more goes out; what the peer has sent is read to its end, where the connection ends.
                stream.outbox.clear();
                let _ = stream.stream.shutdown(std::net::Shutdown::Write);
                if let Some(pipe) = self.pipes.get(id) {
                    pipe.ended = true;
                }
                self.pattern.blocked(id);
                self.commands.push(Command::Broken(source, id));
                self.changed();
            }
        }
        let _ = socket;
    }

    /// Tells the pattern if the pipe has become full, or has room again.
    pub(super) fn room_changed(&mut self, socket: &Socket, id: PipeId) {
        let Some(pipe) = self.pipes.get(id) else { return };
        let was_full = pipe.full;
        match (was_full, self.pipes.is_writable(id)) {
            (true, true) => self.pipe_writable(socket, id),
            (false, false) => self.pattern.blocked(id),
            _ => {}
        }
    }
}
