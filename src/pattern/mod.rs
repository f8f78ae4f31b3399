//! Who gets which message. Pure: state machines without I/O, locks or clocks, told about pipes and time.
#![forbid(unsafe_code)]

pub(crate) mod backtrace;
mod bus;
#[cfg(any(test, fuzzing))]
mod harness;
#[cfg(any(test, fuzzing))]
pub(crate) mod model;
mod pair;
mod pipeline;
mod pool;
mod prefix_table;
mod pubsub;
mod replying;
mod reqrep;
mod routing;
mod survey;

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pipe::PipeId;
pub(crate) use pubsub::{Demand, DeviceId};
use routing::newest::Newest;
pub(crate) use routing::overflow::Policy;

/// A socket type's number: its family times 16, plus the role.
pub(crate) type Protocol = u16;

pub(crate) const PAIR: Protocol = 16;
pub(crate) const PUB: Protocol = 32;
pub(crate) const SUB: Protocol = 33;
/// The same two as they introduce themselves where subscriptions travel from one to the other.
const PUB_FORWARDING: Protocol = 34;
const SUB_FORWARDING: Protocol = 35;
pub(crate) const REQ: Protocol = 48;
pub(crate) const REP: Protocol = 49;
pub(crate) const PUSH: Protocol = 80;
pub(crate) const PULL: Protocol = 81;
pub(crate) const SURVEYOR: Protocol = 98;
pub(crate) const RESPONDENT: Protocol = 99;
pub(crate) const BUS: Protocol = 112;

/// Order among pipes, 1 (best) to 16, in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Priorities {
    pub send: u8,
    pub recv: u8,
}

/// The pattern takes no further pipe now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// What a pattern can do with its pipes.
pub(crate) trait Pipes {
    /// Hands the message to a pipe. With `last` the body may be taken out of it; otherwise it stays, for other pipes.
    /// Answers whether the pipe would take another one; if not, or on `WouldBlock`, [`Pattern::writable`] follows when it
    /// does. On an error, of which `NoMemory` is the other one, the message is as it was.
    fn send(&mut self, pipe: PipeId, message: &mut Outgoing<'_>, last: bool) -> Result<bool>;

    /// Puts the oldest message that came in into `message`, its header still in the body, and answers whether there are
    /// more. `None`: there is none.
    fn recv(&mut self, pipe: PipeId, message: &mut Message) -> Option<bool>;
}

/// A socket type's behaviour. `send` and `recv` answer at once; `WouldBlock` means "not now", and waiting is done above.
pub(crate) trait Pattern: Send {
    /// Whether nn_send exists for this type at all.
    fn sends(&self) -> bool {
        true
    }
    fn receives(&self) -> bool {
        true
    }

    /// A connection has been made. It becomes usable with the first [`Pattern::writable`].
    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused>;
    /// Whether connections to come shall carry subscriptions, if the peer likes that too.
    fn offers_forwarding(&self) -> bool {
        false
    }
    /// It has turned out that this connection does. Comes right after [`Pattern::add`].
    fn forward_on(&mut self, _pipe: PipeId) {}
    /// The connection is gone, with everything in it.
    fn remove(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, now: Instant);
    /// Messages wait in a pipe that was empty.
    fn readable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, now: Instant);
    /// The pipe takes messages (again).
    fn writable(&mut self, _pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {}
    /// The pipe takes no messages for now.
    fn blocked(&mut self, _pipe: PipeId) {}
    /// The pipe takes no messages any more.
    fn deaf(&mut self, pipe: PipeId) {
        self.blocked(pipe);
    }
    /// The peer has gone. What it sent is still there to be received, and that is all that is left of the pipe: it holds no
    /// place that another one could have.
    fn orphaned(&mut self, pipe: PipeId) {
        self.deaf(pipe);
    }
    /// The pipe will be removed, but writes what it was given before: for this once it takes whatever waits for it here.
    fn hand_over(&mut self, _pipe: PipeId, _pipes: &mut dyn Pipes) {}
    /// Whether [`Pattern::add`] would take another pipe now.
    fn has_room(&self) -> bool {
        true
    }

    /// Whether what peers have said decides where the next message goes.
    fn needs_read_before_send(&self) -> bool {
        false
    }
    /// `now` counts only where [`Pattern::keeps_time`].
    fn send(&mut self, _message: &mut Outgoing<'_>, _pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        Err(Error::NotSupported)
    }
    /// Whether something may have to happen some time after a send or a change: without it there is never a deadline.
    fn keeps_time(&self) -> bool {
        false
    }
    /// `now` may be some time ago, but not before the last send that was timed. Writes what is received into `message`: passing it up by value would cost a copy for each step.
    fn recv(&mut self, _message: &mut Message, _pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        Err(Error::NotSupported)
    }

    /// What NN_SNDFD and NN_RCVFD say.
    fn can_send(&self) -> bool {
        false
    }
    fn can_recv(&self) -> bool {
        false
    }

    /// Whether a sender may succeed though `can_send` says no: which peers get a message depends on the message.
    fn can_send_some(&self) -> bool {
        false
    }
    /// A pipe in which something was left that has to be read soon: `readable` is called for it again.
    fn unread(&self) -> Option<PipeId> {
        None
    }

    /// When [`Pattern::expire`] wants to be called.
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn expire(&mut self, _pipes: &mut dyn Pipes, _now: Instant) {}

    /// NN_MAXTTL: messages that have made more hops are dropped, where hops are counted.
    fn set_max_hops(&mut self, _max: u8) {}

    /// An option at the level of the socket type. The value is as the caller passed it.
    fn set_option(&mut self, _option: i32, _value: &[u8]) -> Result<()> {
        Err(Error::NoSuchOption)
    }
    fn option(&self, _option: i32) -> Result<i32> {
        Err(Error::NoSuchOption)
    }

    /// Where unread messages are replaced by newer ones (NN_CONFLATE). `None`: this pattern has no such place.
    fn newest(&self) -> Option<&Newest> {
        None
    }
    fn conflates(&self) -> bool {
        self.newest().is_some()
    }
    /// Messages that were replaced.
    fn conflated(&self) -> u64 {
        self.newest().map_or(0, Newest::replaced)
    }
    /// Those with the same first bytes, so many, from now on. `None`: none are. `limit`: bytes of different ones to hold.
    fn set_conflation(&mut self, _prefix: Option<usize>, _limit: usize, _pipes: &mut dyn Pipes) {}

    /// Whether what becomes of messages for peers that are full can be chosen (NN_OVERFLOW).
    fn overflows(&self) -> bool {
        false
    }
    /// `limit`: bytes that wait for each such peer, where they do.
    fn set_overflow(&mut self, _policy: Policy, _limit: usize) {}
    /// Messages that a peer has missed because it was full, counted for each.
    fn overflowed(&self) -> u64 {
        0
    }

    /// Tells peers what an option or a device has changed about what is wanted.
    fn forward(&mut self, _pipes: &mut dyn Pipes, _now: Instant) {}

    /// For a device, at the end that sends: starts or stops to note how what is wanted changes.
    fn watch_demand(&mut self, _device: DeviceId, _on: bool) {}
    /// Whether it has changed since the last [`Pattern::take_demand`].
    fn demand_changed(&self, _device: DeviceId) -> bool {
        false
    }
    fn take_demand(&mut self, _device: DeviceId) -> Option<Demand> {
        None
    }
    /// At the end that receives: what is wanted, and what has changed about it. `None`: this device is gone.
    fn set_demand(&mut self, _device: DeviceId, _demand: Option<Demand>) {}

    /// Messages that were not sent to a peer which had not asked for them, counted for each.
    fn filtered(&self) -> u64 {
        0
    }

    /// The best priority with a writable pipe, or -1 (NN_STAT_CURRENT_SND_PRIORITY; 0 where it has no meaning).
    fn send_priority(&self) -> i32 {
        0
    }
}

/// The pattern of a socket type, cooked or raw. `None`: no such type. `seed` is what nobody outside can guess: request
/// ids, survey ids and the names of pipes start from it. `forward`: subscriptions travel, unless an option says otherwise.
pub(crate) fn open(protocol: Protocol, raw: bool, seed: u64, forward: bool) -> Option<Box<dyn Pattern>> {
    let start = seed as u32;
    Some(match (protocol, raw) {
        (PAIR, _) => Box::new(pair::Pair::default()),
        (PUB, _) => Box::new(pubsub::Pub::new(forward)),
        (SUB, _) => Box::new(pubsub::Sub::new(forward)),
        (REQ, false) => Box::new(reqrep::Req::new(start)),
        (REQ, true) => Box::new(reqrep::XReq::default()),
        (REP | RESPONDENT, false) => Box::new(replying::Replier::default()),
        (REP | RESPONDENT, true) => Box::new(replying::XReplier::new(start)),
        (PUSH, _) => Box::new(pipeline::Push::default()),
        (PULL, _) => Box::new(pipeline::Pull::default()),
        (SURVEYOR, false) => Box::new(survey::Surveyor::new(start)),
        (SURVEYOR, true) => Box::new(survey::XSurveyor::default()),
        (BUS, false) => Box::new(bus::Bus::cooked()),
        (BUS, true) => Box::new(bus::Bus::raw(seed)),
        _ => return None,
    })
}

/// How a socket of this type introduces itself where subscriptions travel.
pub(crate) fn forwarding(protocol: Protocol) -> Option<Protocol> {
    match protocol {
        PUB => Some(PUB_FORWARDING),
        SUB => Some(SUB_FORWARDING),
        _ => None,
    }
}

/// Whether sockets of these two types may talk to each other.
pub(crate) fn compatible(ours: Protocol, peer: Protocol) -> bool {
    peer == peer_of(ours)
}

/// Whether a socket of this type may have no room for another peer.
pub(crate) fn is_limited(protocol: Protocol) -> bool {
    protocol == PAIR
}

/// The only type that talks to this one.
pub(crate) fn peer_of(protocol: Protocol) -> Protocol {
    match protocol {
        PUB => SUB,
        SUB => PUB,
        REQ => REP,
        REP => REQ,
        PUSH => PULL,
        PULL => PUSH,
        SURVEYOR => RESPONDENT,
        RESPONDENT => SURVEYOR,
        same => same,
    }
}

/// The least that NN_RCVMAXSIZE has to be where subscriptions come in.
pub(crate) fn shortest_limit(protocol: Protocol) -> i32 {
    if protocol == PUB { 1 + pubsub::TOPIC_MAX as i32 } else { 0 }
}

/// Reads a pipe empty whose peer has nothing to say to this socket type.
fn discard(pipe: PipeId, pipes: &mut dyn Pipes) {
    let mut message = Message::default();
    while pipes.recv(pipe, &mut message) == Some(true) {}
}

/// An option's value, as the caller passed it.
fn int_option(value: &[u8]) -> Result<i32> {
    value.try_into().map(i32::from_ne_bytes).map_err(|_| Error::Invalid)
}

/// The same, where it is 0 or 1.
fn bool_option(value: &[u8]) -> Result<bool> {
    match int_option(value)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::Invalid),
    }
}

/// A time option in milliseconds; every negative value is without end.
fn duration_option(millis: i32) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::harness::{A, FakePipes, with_priority};
    use super::*;
    use crate::message::{Body, Chunk, Outgoing};

    const ASKED: &[u8] = b"\x80\0\0\x01question";

    /// A socket with one peer: who answers has been asked, and who asks has asked before, if `busy`.
    fn begun(
        protocol: Protocol,
        raw: bool,
        busy: bool,
        policy: Policy,
        now: Instant,
    ) -> (Box<dyn Pattern>, FakePipes, Vec<u8>) {
        let (mut pattern, mut desk) = (open(protocol, raw, 7, false).unwrap(), FakePipes::default());
        pattern.set_overflow(policy, 100);
        pattern.add(A, with_priority(8)).unwrap();
        pattern.writable(A, &mut desk, now);
        let mut header = Vec::new();
        if matches!(protocol, REP | RESPONDENT) {
            desk.incoming.entry(A).or_default().push_back(ASKED.to_vec());
            pattern.readable(A, &mut desk, now);
            let mut question = Message::default();
            pattern.recv(&mut question, &mut desk, now).unwrap();
            header = question.header.to_vec();
        } else if busy {
            pattern.send(&mut Outgoing::borrowed(b"before"), &mut desk, now).unwrap();
        }
        (pattern, desk, header)
    }

    /// What a send that found no memory may leave behind: nothing, neither at the message nor at the socket.
    #[test]
    fn a_send_without_memory_has_not_happened() {
        let now = Instant::now();
        let every = [PAIR, PUB, REQ, REP, PUSH, SURVEYOR, RESPONDENT, BUS];
        for (protocol, raw, busy) in every
            .into_iter()
            .flat_map(|it| [(it, false, false), (it, false, true), (it, true, false), (it, true, true)])
        {
            let policies = [Policy::DropNew, Policy::DropOld, Policy::Wait];
            for (size, policy) in [10, 1000].into_iter().flat_map(|size| policies.map(|policy| (size, policy))) {
                let place = format!("{protocol}, raw: {raw}, busy: {busy}, {size} bytes, {policy:?}");
                let (mut pattern, mut desk, header) = begun(protocol, raw, busy, policy, now);
                let (mut other, mut other_desk, _) = begun(protocol, raw, busy, policy, now);

                let chunk = Chunk::copy_of(&vec![1; size]).unwrap();
                let lent = chunk.as_slice().as_ptr();
                let mut message = Outgoing::owned(chunk.into());
                message.header.extend_from_slice(&header);
                desk.exhausted = true;
                let later = now + Duration::from_millis(5);
                let sent = pattern.send(&mut message, &mut desk, later);
                assert_eq!(sent, Err(Error::NoMemory), "{place}");
                assert_eq!(message.header[..], header, "{place}");
                let back = message.into_body().and_then(|body| body.into_chunk().ok()).unwrap();
                assert_eq!((back.as_slice().as_ptr(), back.len()), (lent, size), "{place}");
                assert_eq!(pattern.deadline(), other.deadline(), "{place}");
                assert_eq!((pattern.can_send(), pattern.can_recv()), (other.can_send(), other.can_recv()), "{place}");
                assert_eq!(pattern.overflowed(), 0, "{place}");

                // From here on both do the same.
                desk.exhausted = false;
                for (pattern, desk) in [(&mut pattern, &mut desk), (&mut other, &mut other_desk)] {
                    pattern.remove(A, desk, later);
                    pattern.add(A, with_priority(8)).unwrap();
                    pattern.writable(A, desk, later);
                    let mut message = Outgoing::owned(Body::copy_of(b"after").unwrap());
                    message.header.extend_from_slice(&header);
                    pattern.send(&mut message, desk, later).unwrap();
                }
                assert_eq!(desk.sent, other_desk.sent, "{place}");
            }
        }
    }
}
