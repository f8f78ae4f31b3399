//! Writing. Never under the lock: a thread undertakes to write a pipe's outbox (`Busy`) and then does it alone.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};
use std::time::Duration;

use arrayvec::ArrayVec;

use super::core::{Direct, WaitFor, Wrote};
use super::turn::READ_INTERVAL;
use super::wait::Timeout;
use super::{Socket, StateGuard};
use crate::codec::Prefix;
use crate::error::{Error, Result};
use crate::message::Outgoing;
use crate::panics::{self, FailPoint};
use crate::pipe::{Outbox, PipeId};
use crate::sys;
use crate::transport::channel::Channel;

/// Frames up to this size are put together before they are written: one buffer is cheaper for the kernel than three, and
/// the copy is cheaper than the difference.
const JOINED: usize = 512;

/// A frame in one buffer.
type Joined = ArrayVec<u8, JOINED>;

fn failure(error: &io::Error) -> Wrote {
    match error.kind() {
        io::ErrorKind::WouldBlock => Wrote::Part,
        // The peer has closed, which what it sent last tells as well.
        io::ErrorKind::BrokenPipe => Wrote::Failed(None),
        _ => Wrote::Failed(sys::errno_of(error)),
    }
}

fn write_all(channel: &Channel, batch: &mut Outbox) -> Wrote {
    while !batch.is_empty() {
        let before = batch.bytes();
        if let Err(error) = batch.write(|slices, handed| channel.send_along(slices, handed)) {
            return failure(&error);
        }
        if batch.bytes() == before {
            return Wrote::Failed(None);
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
    pub(super) fn write_through(
        &self,
        mut held: StateGuard<'_>,
        message: &mut Outgoing<'_>,
        dont_wait: bool,
    ) -> Result<()> {
        if held.pipes.direct.is_empty() {
            return held.finish(|_| Ok(()));
        }
        let mut outcome = Ok(());
        let mut direct = std::mem::take(&mut held.pipes.direct);
        let patient = !dont_wait && direct.len() == 1 && message.size() >= PATIENT;
        let (presence, held) = held.begin_call(false);
        held.release();
        panics::fail_point(FailPoint::WriteThrough);
        for target in &mut direct {
            target.write(message);
        }
        let mut held = self.lock();
        held.pipes.batching.wrote(direct.len(), sys::now);
        if patient {
            held = self.write_on(held, &mut direct[0], message);
        }
        presence.end(&mut held);
        for target in &direct {
            match target.wrote {
                Wrote::All => {}
                Wrote::Part => match target.rest(message) {
                    Ok(rest) => held.wrote_part(target.pipe, rest),
                    // Half a frame is on the wire and there is no memory for the other half.
                    Err(error) => {
                        held.write_failed(target.pipe, None);
                        outcome = Err(error);
                    }
                },
                Wrote::Failed(code) => held.write_failed(target.pipe, code),
            }
            held.written_through(sys::now(), target.pipe);
        }
        if held.is_closing() {
            held.wake_closer();
        }
        held.release();
        outcome
    }

    /// Goes on writing a large message as the kernel makes room.
    fn write_on<'a>(
        &'a self,
        mut held: StateGuard<'a>,
        target: &mut Direct<Channel>,
        message: &Outgoing<'_>,
    ) -> StateGuard<'a> {
        let start = sys::now();
        let stop = Timeout::Until(start + STAMINA).min(Timeout::of(held.options.send_timeout));
        while target.wrote == Wrote::Part {
            // A connection that is gone gets no more of it.
            if stop.is_over() || held.pipes.stream(target.pipe).is_none() {
                break;
            }
            held.wrote_part(target.pipe, Outbox::default());
            let limit = Timeout::Until(sys::now() + PATIENCE).min(stop);
            let waited;
            (held, waited) = self.wait_until(held, WaitFor::Room(target.pipe), limit, |state| {
                let write_blocked = state.pipes.stream(target.pipe).is_some_and(|stream| stream.is_blocked());
                if write_blocked { Err(Error::WouldBlock) } else { Ok(()) }
            });
            if waited.is_err() {
                break;
            }
            held.release();
            target.write(message);
            held = self.lock();
        }
        held
    }

    /// What the caller has queued while other threads write goes out with that: it waits until it has, for a moment at most.
    pub(super) fn wait_for_writers(&self) {
        let mut until = None;
        while self.with(|state| state.pipes.are_written_to()) {
            let now = sys::now();
            if now > *until.get_or_insert(now + READ_INTERVAL) {
                return;
            }
            sys::yield_now();
        }
    }

    /// Writes a pipe's outbox until it is empty or the kernel is full. The caller is `Busy` with it.
    pub(super) fn flush(&self, id: PipeId) {
        let mut held = self.lock();
        let gathering = held.pipes.batching.batches_since(sys::now().checked_sub(Duration::from_millis(1)));
        while let Some(stream) = held.pipes.stream(id) {
            if stream.outbox.is_empty() || stream.is_blocked() {
                stream.stop_writing();
                if !gathering {
                    stream.outbox.rest();
                }
                held.room_changed(sys::now(), id);
                // The pattern may have used the room at once.
                if held.pipes.take_flush(id) {
                    continue;
                }
                break;
            }
            let mut batch = stream.outbox.take();
            let target = std::sync::Arc::clone(&stream.channel);
            let presence;
            (presence, held) = held.begin_call(false);
            held.release();
            panics::fail_point(FailPoint::Flush);
            let wrote = write_all(&target, &mut batch);
            held = self.lock();
            presence.end(&mut held);
            held.pipes.batching.flushed(sys::now);
            match wrote {
                Wrote::All => held.wrote_all(id, batch),
                Wrote::Part => held.wrote_part(id, batch),
                Wrote::Failed(code) => held.write_failed(id, code),
            }
        }
        if held.is_closing() {
            held.wake_closer();
        }
        held.release();
    }
}

/// A message with its prefix, as it goes over the wire; nothing is copied. One that has to be masked is short enough to be
/// joined.
struct Framed<'a> {
    prefix: &'a Prefix,
    header: &'a [u8],
    body: &'a [u8],
}

impl Framed<'_> {
    fn total(&self) -> usize {
        self.prefix.as_slice().len() + self.header.len() + self.body.len()
    }

    /// The whole frame, masked if it has to be. False: it is too long for one buffer.
    #[inline]
    fn join(&self, frame: &mut Joined) -> bool {
        let joined = [self.prefix.as_slice(), self.header, self.body]
            .into_iter()
            .all(|part| part.is_empty() || frame.try_extend_from_slice(part).is_ok());
        if joined {
            self.prefix.mask(frame);
        }
        joined
    }

    /// Everything from byte `skip` on.
    fn parts(&self, mut skip: usize) -> [&[u8]; 3] {
        [self.prefix.as_slice(), self.header, self.body].map(|part| {
            let skipped = skip.min(part.len());
            skip -= skipped;
            &part[skipped..]
        })
    }
}

impl Direct<Channel> {
    #[inline]
    fn framed<'a>(&'a self, message: &'a Outgoing<'_>) -> Framed<'a> {
        Framed { prefix: &self.prefix, header: &message.header, body: message.body() }
    }

    /// Writes from where it stands, once.
    fn write(&mut self, message: &Outgoing<'_>) {
        let framed = self.framed(message);
        let total = framed.total();
        let mut frame = Joined::new();
        let sent = if framed.join(&mut frame) {
            self.channel.send(&frame[self.written..])
        } else {
            self.channel.send_vectored(&framed.parts(self.written).map(IoSlice::new))
        };
        match sent {
            Ok(sent) => {
                self.written += sent;
                self.wrote = if self.written == total { Wrote::All } else { Wrote::Part };
            }
            Err(error) => self.wrote = failure(&error),
        }
    }

    /// What was not written, in memory that outlives the call.
    fn rest(&self, message: &mut Outgoing<'_>) -> Result<Outbox> {
        let mut rest = Outbox::default();
        let framed = self.framed(message);
        let mut frame = Joined::new();
        if framed.join(&mut frame) {
            rest.push_bytes([&frame[self.written..], &[], &[]]);
            return Ok(rest);
        }
        let [prefix, header, body] = framed.parts(self.written);
        if Outbox::copies(body.len()) {
            rest.push_bytes([prefix, header, body]);
        } else {
            let done = framed.body.len() - body.len();
            rest.push_bytes([prefix, header, &[]]);
            rest.push_body(message.share_body()?, done);
        }
        Ok(rest)
    }
}

#[cfg(all(test, not(simulated)))]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::pattern::{PUB, SUB};
    use crate::socket::OptionInput;
    use crate::socket::core::Writing;
    use crate::socket::library::Library;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn subscribe(socket: &Socket, topic: &[u8]) {
        socket.set_option(i32::from(SUB), 1, OptionInput { bytes: topic, address: 0 }).unwrap();
    }

    /// Another thread writes what was held, and has not seen a new topic yet: the call that queues it returns once it is out.
    #[test]
    fn a_subscription_waits_for_the_thread_that_writes() {
        let library = Arc::new(Library::new(sys::generation(), Arc::default()));
        let [publisher, subscriber] = [PUB, SUB].map(|protocol| {
            Socket::new(Arc::clone(&library), sys::generation(), protocol, false, "test".to_owned()).unwrap()
        });
        let id = publisher.bind(b"tcp://127.0.0.1:0").unwrap();
        let address = publisher.with(|state| state.endpoints[&id].whole_address());
        let dialled = subscriber.connect(&address).unwrap();
        let until = Instant::now() + PATIENCE;
        // This test is the thread that writes.
        let pipe = loop {
            assert!(Instant::now() < until, "there is no connection");
            let begun = subscriber.with(|state| {
                let pipe = *state.pipes.of_endpoint(dialled).first()?;
                let idle = state.pipes.stream(pipe).filter(|stream| stream.writing == Writing::Idle)?;
                idle.writing = Writing::Busy;
                Some(pipe)
            });
            match begun {
                Some(pipe) => break pipe,
                None => std::thread::yield_now(),
            }
        };
        let start = Instant::now();
        subscribe(&subscriber, b"given up");
        assert!(start.elapsed() >= READ_INTERVAL, "not for ever, if that thread does not go on");
        std::thread::scope(|scope| {
            let call = scope.spawn(|| {
                subscribe(&subscriber, b"seen");
                subscriber.with(|state| state.pipes.stream(pipe).unwrap().outbox.is_empty())
            });
            subscriber.flush(pipe);
            assert!(call.join().unwrap(), "it is still queued");
        });
        subscriber.close(Instant::now()).unwrap();
        publisher.close(Instant::now()).unwrap();
    }
}
