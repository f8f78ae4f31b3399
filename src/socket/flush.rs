//! Writing. Never under the lock: a thread undertakes to write a pipe's outbox (`flushing`) and then does it alone.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use socket2::Socket as Stream;

use super::io::Command;
use super::pipes::Direct;
use super::state::State;
use super::wait::{Limit, Want};
use super::{Held, Socket};
use crate::codec::Prefix;
use crate::error::{Error, Result};
use crate::message::Outgoing;
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

/// A frame in one buffer.
type Joined = SmallVec<[u8; JOINED]>;

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

/// A large message is worth waiting for: while the kernel makes room its sender writes on from its own memory, instead of
/// copying the rest and coming back.
const PATIENT: usize = 16 * 1024;

/// How long a sender waits for room at a time. A peer that does not read is left with a copy of the rest.
const PATIENCE: Duration = Duration::from_millis(2);

/// And altogether, where NN_SNDTIMEO is not shorter. Some types' nn_send is known never to wait.
const STAMINA: Duration = Duration::from_millis(50);

impl Socket {
    /// Ends a send: writes the message from its sender's memory to the pipes that were idle.
    /// `NoMemory`: a connection had to be broken off in the middle of the message.
    pub(super) fn write_through(&self, mut held: Held<'_>, message: &mut Outgoing<'_>, dont_wait: bool) -> Result<()> {
        if held.pipes.direct.is_empty() {
            return Ok(());
        }
        let mut outcome = Ok(());
        let direct = std::mem::take(&mut held.pipes.direct);
        let patient = !dont_wait && direct.len() == 1 && message.size() >= PATIENT;
        held.inside += 1;
        drop(held);
        let mut done: SmallVec<[(Wrote, usize); 1]> =
            direct.iter().map(|target| Framed::new(target, message).write(&target.stream, 0)).collect();
        let mut held = self.lock();
        held.pipes.tempo.wrote(direct.len(), Instant::now);
        if patient {
            held = self.write_on(held, &direct[0], message, &mut done[0]);
        }
        held.inside -= 1;
        for (target, (wrote, written)) in direct.iter().zip(done) {
            match if let Wrote::Part = wrote { rest(target, message, written) } else { Ok(Outbox::default()) } {
                Ok(rest) => held.wrote(target.pipe, &wrote, rest),
                // Half a frame is on the wire and there is no memory for the other half.
                Err(error) => {
                    held.wrote(target.pipe, &Wrote::Failed, Outbox::default());
                    outcome = Err(error);
                }
            }
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
        outcome
    }

    /// Goes on writing a large message as the kernel makes room.
    fn write_on<'a>(
        &'a self,
        mut held: Held<'a>,
        target: &Direct,
        message: &Outgoing<'_>,
        done: &mut (Wrote, usize),
    ) -> Held<'a> {
        let start = Instant::now();
        let stop = Limit::Until(start + STAMINA).min(Limit::of(held.options.send_timeout));
        while let (Wrote::Part, written) = *done {
            if stop.is_over() {
                break;
            }
            held.wrote(target.pipe, &Wrote::Part, Outbox::default());
            let limit = Limit::Until(Instant::now() + PATIENCE).min(stop);
            let waited;
            (held, waited) = self.wait_until(held, Want::Send, limit, |state| {
                let stuck = state.pipes.stream(target.pipe).is_some_and(|stream| stream.stuck);
                if stuck { Err(Error::WouldBlock) } else { Ok(()) }
            });
            if waited.is_err() {
                break;
            }
            drop(held);
            *done = Framed::new(target, message).write(&target.stream, written);
            held = self.lock();
        }
        held
    }

    /// Writes a pipe's outbox until it is empty or the kernel is full. The caller has set `flushing`.
    pub(super) fn flush(&self, id: PipeId) {
        let mut held = self.lock();
        let gathering = held.pipes.tempo.gathers_since(Instant::now().checked_sub(Duration::from_millis(1)));
        while let Some(stream) = held.pipes.stream(id) {
            if stream.outbox.is_empty() || stream.stuck {
                stream.flushing = false;
                if !gathering {
                    stream.outbox.rest();
                }
                break;
            }
            let mut batch = stream.outbox.take();
            let target = std::sync::Arc::clone(&stream.stream);
            held.inside += 1;
            drop(held);
            let wrote = write_all(&target, &mut batch);
            held = self.lock();
            held.inside -= 1;
            held.wrote(id, &wrote, batch);
        }
        held.room_changed(self, id);
        if held.closing {
            held.wake_closer();
        }
    }
}

/// A message with its prefix, as it goes over the wire; nothing is copied. One that has to be masked is short enough to be
/// joined.
struct Framed<'a> {
    prefix: &'a Prefix,
    header: &'a [u8],
    body: &'a [u8],
}

impl<'a> Framed<'a> {
    fn new(target: &'a Direct, message: &'a Outgoing<'_>) -> Self {
        Self { prefix: &target.prefix, header: &message.header, body: message.body() }
    }

    fn total(&self) -> usize {
        self.prefix.as_slice().len() + self.header.len() + self.body.len()
    }

    /// The whole frame, masked if it has to be.
    fn join(&self, frame: &mut Joined) {
        for part in [self.prefix.as_slice(), self.header, self.body] {
            frame.extend_from_slice(part);
        }
        self.prefix.mask(frame);
    }

    /// Everything from byte `skip` on.
    fn parts(&self, mut skip: usize) -> [&[u8]; 3] {
        [self.prefix.as_slice(), self.header, self.body].map(|part| {
            let skipped = skip.min(part.len());
            skip -= skipped;
            &part[skipped..]
        })
    }

    /// Writes from byte `from` on, once; tells how far that has brought it.
    fn write(&self, stream: &Stream, from: usize) -> (Wrote, usize) {
        let total = self.total();
        let rest = total - from;
        let sent = if total <= JOINED {
            let mut frame = Joined::new();
            self.join(&mut frame);
            sys::send(stream, &frame[from..])
        } else {
            send(stream, &self.parts(from).map(IoSlice::new))
        };
        match sent {
            Ok(sent) if sent == rest => (Wrote::All, from + sent),
            Ok(sent) => (Wrote::Part, from + sent),
            Err(error) => (failure(&error), from),
        }
    }
}

/// What is left of a message from byte `written` on, in memory that outlives the call.
fn rest(target: &Direct, message: &mut Outgoing<'_>, written: usize) -> Result<Outbox> {
    let mut rest = Outbox::default();
    let framed = Framed::new(target, message);
    if framed.total() <= JOINED {
        let mut frame = Joined::new();
        framed.join(&mut frame);
        rest.push_bytes([&frame[written..], &[], &[]]);
        return Ok(rest);
    }
    let [prefix, header, body] = framed.parts(written);
    if Outbox::copies(body.len()) {
        rest.push_bytes([prefix, header, body]);
    } else {
        let done = framed.body.len() - body.len();
        rest.push_bytes([prefix, header, &[]]);
        rest.push_body(message.share_body()?, done);
    }
    Ok(rest)
}

impl State {
    /// Notes how a write ended and queues what it left over.
    fn wrote(&mut self, id: PipeId, wrote: &Wrote, rest: Outbox) {
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
                stream.deaf = true;
                if let Some(pipe) = self.pipes.get(id) {
                    pipe.full = true;
                }
                self.pattern.blocked(id);
                self.commands.push(Command::Broken(source, id));
                self.changed();
            }
        }
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
