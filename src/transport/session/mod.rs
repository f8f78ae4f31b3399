//! One connection over any byte stream: greeted, then read frame by frame.
//!
//! One read takes what the kernel has and decodes every whole frame in it. The tail of an unfinished small frame is kept
//! here; a large body is read straight into its own memory, which grows as the bytes arrive and never by what the peer
//! claims.
#![forbid(unsafe_code)]

mod greeting;
mod websocket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use greeting::{Forwarding, Greeting, Protocols};

use crate::codec::length_prefix::LengthPrefix;
use crate::codec::reference::{self, Frame, Said};
use crate::codec::ws_frame::{self, Head};
use crate::codec::{Framing, Violation, sp_header};
use crate::message::{Body, Chunk, INLINE_MAX, stack_length};
use crate::pipe::Inbox;
use crate::sys;
use crate::sys::shared_memory::{self, Descriptor};
use crate::transport::channel::Channel;
use crate::transport::sharing::Borrowing;
use crate::transport::tls::Failure;
use greeting::{Greeted, HandshakeState, is_for_later};
use websocket::Reassembly;

/// Bytes offered to one read.
pub(crate) const SCRATCH: usize = 64 * 1024;

/// Unfinished frames above this size are read straight into their own memory.
const LARGE: usize = 4 * 1024;

/// A body above this size is refused at once if the machine could never hold it.
const PROBE_ABOVE: usize = 1 << 30;

/// Memory given to a large body before its peer has shown that it sends such.
const FIRST_RESERVE: usize = 256 * 1024;

/// Time for the handshake of TLS. The greeting's own time follows.
const HANDSHAKE_TIME: Duration = greeting::WS_TIME;

/// Bytes looked at for the length of a header.
const LOOK: usize = 32;

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed its side.
    Closed,
    /// The connection failed, or the peer broke the protocol.
    Broken(Cause),
    /// The peer does not take our offer that subscriptions travel. It may be dialled again without.
    Declined,
    /// We part with the peer, and tell it why with these bytes.
    Rejected(Vec<u8>, Cause),
}

/// Why a connection has ended, as its events report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The peer has ended it in order.
    Closed,
    /// The system tells this error.
    Failed(i32),
    /// TLS has failed.
    Tls(Failure),
    /// The peer broke the protocol: which rule.
    Violation(&'static str),
    /// Its greeting is of another version of SP.
    Version,
    /// Its socket type does not fit ours.
    Type,
    /// It has shown no sign of life.
    Timeout,
    /// Our pattern has no room for it.
    Refused,
    /// nn_shutdown or nn_close.
    Shutdown,
}

impl From<Violation> for End {
    fn from(violation: Violation) -> Self {
        let Violation(rule) = violation;
        Self::Broken(if violation == sp_header::OTHER_VERSION { Cause::Version } else { Cause::Violation(rule) })
    }
}

impl End {
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Self::Closed | Self::Declined => Cause::Closed,
            Self::Broken(cause) | Self::Rejected(_, cause) => *cause,
        }
    }

    #[cold]
    fn failed(error: &io::Error) -> Self {
        if let Some(failure) = error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
            // The peer gets time to read the alert, which says why.
            return Self::Rejected(Vec::new(), Cause::Tls(*failure));
        }
        Self::Broken(Cause::Failed(sys::code_of(error, &sys::reset())))
    }

    const NO_MEMORY: Self = Self::Broken(Cause::Violation("There is no memory for its message."));
    const TOO_LARGE: Self = Self::Broken(Cause::Violation("A message exceeds NN_RCVMAXSIZE."));
}

/// What one read brought, besides frames: all may come at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Bytes have come.
    pub came: bool,
    /// The handshake of TLS is over, and the peer has so long for its greeting.
    pub secured: Option<Duration>,
    /// The peer's greeting is complete.
    pub greeted: Option<Introduction>,
    /// Whole control frames that have to go out.
    pub replies: Vec<u8>,
    /// The same about shared memory, and what the peer has said about ours.
    pub answers: Vec<u8>,
    pub heard: Vec<Heard>,
    /// The connection ends here.
    pub end: Option<End>,
}

/// What a peer says of memory that we share with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Ready,
    Mapped { number: u32, done: bool },
    Taken,
}

/// What a peer's greeting has told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Introduction {
    /// Its socket type.
    pub protocol: u16,
    /// Subscriptions travel.
    pub forwards: bool,
    /// Large messages go by reference.
    pub shares: bool,
    /// What it has to be sent before anything else, if we agree. Empty: nothing.
    pub answer: Vec<u8>,
    /// What it is sent if there is no room for it.
    pub refusal: &'static [u8],
}

impl From<End> for Progress {
    fn from(end: End) -> Self {
        Self { end: Some(end), ..Self::default() }
    }
}

pub(crate) struct Session {
    channel: Arc<Channel>,
    /// What protects the greeting is not made up yet.
    handshaking: bool,
    framing: Framing,
    /// What the peer has not said yet. `None`: it is greeted.
    awaited: Option<HandshakeState>,
    talk: Reassembly,
    /// Bodies begin with a header that somebody will take off.
    headed: bool,
    /// Bytes of an unfinished greeting or small frame.
    partial: Vec<u8>,
    /// How many bytes of a greeting have been looked at in vain.
    looked: usize,
    large: Option<Box<Large>>,
    /// The last frame was a large one, with so many bytes before it, and the next one may be.
    last_was_large: Option<usize>,
    /// The largest body this peer has sent completely.
    largest_received: usize,
    /// `None`: no message comes by reference.
    sharing: Option<Box<Sharing>>,
}

/// What is known of a peer's memory.
#[derive(Debug, Default)]
struct Sharing {
    borrowing: Borrowing,
    /// Descriptors are taken along: those of the greeting, and all others once the peer has asked.
    takes: bool,
    /// Those that no frame was read for yet.
    found: Vec<Descriptor>,
}

/// Descriptors that wait for their frames: a frame stands at the beginning of what one read brings, with the descriptor.
const FOUND_MAX: usize = 4;

/// A large body on its way in.
struct Large {
    chunk: Chunk,
    missing: usize,
    /// Of a WebSocket frame.
    head: Option<Head>,
}

impl Large {
    /// Makes room to read into. At most doubles what has arrived, or what the peer has proven to send.
    fn grow(&mut self, largest_received: usize) -> Result<(), End> {
        if self.chunk.spare() > 0 {
            return Ok(());
        }
        let step = self.chunk.len().max(FIRST_RESERVE).max(largest_received.saturating_sub(self.chunk.len()));
        self.chunk.reserve(self.missing.min(step)).map_err(|_| End::NO_MEMORY)
    }
}

impl Session {
    /// Sends our greeting at once, without waiting for the peer's.
    pub(crate) fn start(channel: Channel, greeting: Greeting, protocols: Protocols) -> Result<Self, End> {
        let framing = greeting.framing();
        let headed = protocols.headed();
        let handshaking = channel.is_handshaking();
        let awaited = Some(greeting.begin(&channel, protocols)?);
        Ok(Self {
            channel: Arc::new(channel),
            handshaking,
            framing,
            awaited,
            talk: Reassembly::default(),
            headed,
            partial: Vec::new(),
            looked: 0,
            large: None,
            last_was_large: None,
            largest_received: 0,
            sharing: protocols.shares.then(|| Box::new(Sharing { takes: true, ..Sharing::default() })),
        })
    }

    /// How long the peer may take to greet us, before [`Session::go_on`] has to be asked.
    pub(crate) fn greeting_time(&self) -> Duration {
        if self.handshaking {
            return HANDSHAKE_TIME;
        }
        self.awaited.map_or(Duration::ZERO, HandshakeState::time)
    }

    /// The peer has not greeted us in time. `Some`: it may wait for us to begin, which we do, and has so much longer.
    pub(crate) fn go_on(&mut self) -> Option<Duration> {
        if self.handshaking {
            return None;
        }
        let (awaited, time) = self.awaited?.goes_on(&self.channel)?;
        self.awaited = Some(awaited);
        Some(time)
    }

    pub(crate) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// What asks the peer of a WebSocket for a sign of life; nothing on other streams.
    pub(crate) fn ping(&self) -> Vec<u8> {
        match self.framing {
            Framing::WebSocket(role, _) => websocket::ping(role),
            Framing::Prefixed(_) => Vec::new(),
        }
    }

    /// Reads once. Whole frames go to `frames`; one of more than `limit` bytes (if there is a limit) ends the connection.
    /// What stands before the end is good.
    pub(crate) fn read(&mut self, scratch: &mut [u8], limit: Option<u64>, frames: &mut Inbox) -> Progress {
        let before = self.large.is_some();
        let mut progress = Progress::default();
        self.read_once(scratch, limit, frames, &mut progress);
        // A prefix alone has been read, and the rest of its frame most likely waits behind it.
        let prefix_only =
            !before && self.last_was_large.is_some() && (self.large.is_some() || !self.partial.is_empty());
        if prefix_only && progress.end.is_none() {
            self.read_once(scratch, limit, frames, &mut progress);
        }
        // The system does not tell of what was read and decrypted already.
        while progress.end.is_none() && self.channel.has_more() {
            self.read_once(scratch, limit, frames, &mut progress);
        }
        if self.handshaking && !self.channel.is_handshaking() {
            self.handshaking = false;
            progress.secured = Some(self.greeting_time());
        }
        progress
    }

    fn read_once(&mut self, scratch: &mut [u8], limit: Option<u64>, frames: &mut Inbox, progress: &mut Progress) {
        if let Err(end) = self.try_read_once(scratch, limit, frames, progress) {
            progress.end = Some(end);
        }
    }

    fn try_read_once(
        &mut self,
        scratch: &mut [u8],
        limit: Option<u64>,
        frames: &mut Inbox,
        progress: &mut Progress,
    ) -> Result<(), End> {
        let received = match &mut self.large {
            Some(large) => {
                large.grow(self.largest_received)?;
                // Bytes may only overflow into the scratch if they are behind this body. The next one is probably as large,
                // so only its prefix is wanted there: the body has a better place to go.
                let prefix = if large.chunk.spare() < large.missing {
                    0
                } else if self.channel.is_tls() {
                    scratch.len()
                } else {
                    self.last_was_large.unwrap_or_default()
                };
                let missing = large.missing;
                let filled = match &mut self.sharing {
                    Some(sharing) if sharing.takes => {
                        let found = &mut sharing.found;
                        self.channel.fill_with(large.chunk.tail(), missing, &mut scratch[..prefix], found)
                    }
                    _ => self.channel.fill(large.chunk.tail(), missing, &mut scratch[..prefix]),
                };
                match filled {
                    Ok((0, 0)) => return Err(End::Closed),
                    Ok((body, behind)) => {
                        progress.came = true;
                        large.missing -= body;
                        if large.missing > 0 {
                            return Ok(());
                        }
                        behind
                    }
                    Err(error) if is_for_later(&error) => return Ok(()),
                    Err(error) => return Err(End::failed(&error)),
                }
            }
            None => {
                let kept = self.partial.len();
                scratch[..kept].copy_from_slice(&self.partial);
                let end = self.last_was_large.filter(|&prefix| kept < prefix).unwrap_or(scratch.len());
                let received = match &mut self.sharing {
                    Some(sharing) if sharing.takes => {
                        let room = &mut scratch[kept..end];
                        let found = &mut sharing.found;
                        self.channel.fill_with(&mut Vec::new(), 0, room, found).map(|(_, received)| received)
                    }
                    _ => self.channel.recv(&mut scratch[kept..], end - kept),
                };
                match received {
                    Ok(received) if received > 0 => {
                        progress.came = true;
                        kept + received
                    }
                    Err(error) if is_for_later(&error) => return Ok(()),
                    Err(error) if error.get_ref().is_some_and(|inner| inner.is::<Failure>()) => {
                        return Err(End::failed(&error));
                    }
                    Ok(_) | Err(_)
                        if self.awaited.is_some_and(HandshakeState::is_answer) && !self.channel.is_handshaking() =>
                    {
                        return Err(End::Declined);
                    }
                    Ok(_) => return Err(End::Closed),
                    Err(error) => return Err(End::failed(&error)),
                }
            }
        };
        if self.sharing.as_ref().is_some_and(|sharing| sharing.found.len() > FOUND_MAX) {
            return Err(Violation("Descriptors come without frames.").into());
        }
        if let Some(large) = self.large.take() {
            self.largest_received = self.largest_received.max(large.chunk.len());
            match (self.framing, large.head) {
                (Framing::WebSocket(role, _), Some(head)) => {
                    self.take_large(head, large.chunk, role, frames, &mut progress.replies)?;
                }
                _ => frames.push_large(0, large.chunk.into()),
            }
        }
        let mut bytes = &mut scratch[..received];
        if let Some(awaited) = self.awaited {
            if !awaited.is_worth_a_look(bytes, self.partial.len(), self.looked) {
                self.keep(bytes);
                return Ok(());
            }
            self.looked = bytes.len();
            let refusal = awaited.refusal();
            let Some(Greeted { peer, forwards, length, answer }) = awaited.hears(&self.channel, bytes)? else {
                self.keep(bytes);
                return Ok(());
            };
            let shares = self.agree_to_share();
            progress.greeted = Some(Introduction { protocol: peer, forwards, shares, answer, refusal });
            self.awaited = None;
            bytes = &mut bytes[length..];
        }
        match self.framing {
            Framing::Prefixed(prefix) => self.decode_prefixed(bytes, prefix, limit, frames, progress),
            Framing::WebSocket(role, _) => self.decode_websocket(bytes, role, limit, frames, &mut progress.replies),
        }
    }

    fn decode_prefixed(
        &mut self,
        mut bytes: &[u8],
        framing: LengthPrefix,
        limit: Option<u64>,
        frames: &mut Inbox,
        progress: &mut Progress,
    ) -> Result<(), End> {
        if framing.decode(bytes).is_ok_and(|first| first.is_some_and(|first| first.payload <= INLINE_MAX as u64)) {
            // Small frames come in swarms.
            frames.reserve(bytes.len());
        }
        loop {
            let frame = match framing.decode(bytes) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(violation) => match self.hear(bytes, limit, frames, progress, violation)? {
                    Some(length) => {
                        bytes = &bytes[length..];
                        continue;
                    }
                    None => break,
                },
            };
            if limit.is_some_and(|limit| frame.payload > limit) {
                return Err(End::TOO_LARGE);
            }
            let payload = usize::try_from(frame.payload).map_err(|_| End::TOO_LARGE)?;
            let arrived = &bytes[frame.head..];
            self.expects(payload, frame.head);
            match arrived.split_at_checked(payload) {
                Some((body, rest)) if payload <= INLINE_MAX => {
                    frames.push_small(0, body);
                    bytes = rest;
                }
                Some((body, rest)) => {
                    let chunk = Chunk::copy_headed(self.ahead(body, None), body);
                    frames.push_large(0, chunk.map_err(|_| End::NO_MEMORY)?.into());
                    bytes = rest;
                }
                None => {
                    if self.begin_large(payload, arrived, None)? {
                        bytes = &[];
                    }
                    break;
                }
            }
        }
        self.keep(bytes);
        Ok(())
    }

    /// The peer is greeted: whether it has given the sign that we have given.
    fn agree_to_share(&mut self) -> bool {
        let Some(sharing) = &mut self.sharing else { return false };
        let agreed = sharing.found.first().is_some_and(shared_memory::is_sign);
        sharing.found.clear();
        sharing.takes = false;
        if !agreed {
            self.sharing = None;
        }
        agreed
    }

    /// Looks at a frame that is no message, and says how long it is. `None`: there is more to come.
    #[cold]
    fn hear(
        &mut self,
        bytes: &[u8],
        limit: Option<u64>,
        frames: &mut Inbox,
        progress: &mut Progress,
        violation: Violation,
    ) -> Result<Option<usize>, End> {
        let Some(sharing) = &mut self.sharing else { return Err(violation.into()) };
        let Some((said, length)) = reference::decode(bytes)? else { return Ok(None) };
        self.last_was_large = None;
        match said {
            Said::Ask if !sharing.takes => {
                sharing.takes = true;
                progress.answers.extend_from_slice(Frame::ready().as_slice());
            }
            Said::Ask => return Err(Violation("It has asked for that before.").into()),
            Said::Memory { number, length } => {
                let descriptor = (!sharing.found.is_empty()).then(|| sharing.found.remove(0));
                let done = sharing.takes && sharing.borrowing.map(number, length, descriptor);
                progress.answers.extend_from_slice(Frame::mapped(number, done).as_slice());
            }
            Said::Forget { number } => sharing.borrowing.forget(number),
            Said::Reference(loan, header) => {
                if limit.is_some_and(|limit| loan.length.saturating_add(header.len() as u64) > limit) {
                    return Err(End::TOO_LARGE);
                }
                let block = sharing.borrowing.resolve(&loan, header);
                let mut body = Body::Block(block.map_err(|refused| Violation(refused.0))?);
                if let Body::Block(block) = &body
                    && !block.front().is_empty()
                    && (!self.headed || block.len() <= INLINE_MAX)
                {
                    // It is copied, and so taken.
                    if block.is_taken() {
                        progress.answers.extend_from_slice(Frame::taken().as_slice());
                    }
                    body.flatten().map_err(|_| End::NO_MEMORY)?;
                }
                frames.push(0, body);
            }
            Said::Ready => progress.heard.push(Heard::Ready),
            Said::Mapped { number, done } => progress.heard.push(Heard::Mapped { number, done }),
            Said::Taken => progress.heard.push(Heard::Taken),
        }
        Ok(Some(length))
    }

    /// How many bytes will be taken off a body that begins like this: it is put where the rest is aligned.
    fn ahead(&self, arrived: &[u8], head: Option<Head>) -> usize {
        if !self.headed {
            return 0;
        }
        let mut front = [0; LOOK];
        let front = &mut front[..arrived.len().min(LOOK)];
        front.copy_from_slice(&arrived[..front.len()]);
        if let Some(head) = head {
            ws_frame::apply_mask(front, head.mask, 0);
        }
        stack_length(front)
    }

    /// A frame of this size is there or on its way.
    fn expects(&mut self, payload: usize, head: usize) {
        self.last_was_large = (payload > LARGE).then_some(head);
    }

    /// The rest of a large body is read straight into its own memory. False: it is not that large.
    fn begin_large(&mut self, payload: usize, arrived: &[u8], head: Option<Head>) -> Result<bool, End> {
        if payload > PROBE_ABOVE && Chunk::with_capacity(payload).is_err() {
            return Err(End::NO_MEMORY);
        }
        if payload <= LARGE {
            return Ok(false);
        }
        let room = payload.min(FIRST_RESERVE.max(self.largest_received));
        let ahead = self.ahead(arrived, head);
        let mut chunk = Chunk::headed(ahead, room.max(arrived.len())).map_err(|_| End::NO_MEMORY)?;
        chunk.extend(arrived);
        self.large = Some(Box::new(Large { chunk, missing: payload - arrived.len(), head }));
        Ok(true)
    }

    fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            // An idle connection keeps no buffer.
            if self.partial.capacity() > 0 {
                self.partial = Vec::new();
            }
        } else {
            self.partial.clear();
            self.partial.extend_from_slice(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::codec::sp_header;
    use crate::message::{ALIGNMENT, Message};

    /// What is received when a REQ sends this.
    fn received(payload: &[u8]) -> Message {
        let (near, mut far) = sys::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let protocols = Protocols { own: 49, peer: 48, forwarding: None, limited: false, shares: false };
        let stream = socket2::Socket::from(near);
        let mut session =
            Session::start(Channel::Plain(stream.into()), Greeting::SpServer(LengthPrefix::Plain), protocols).unwrap();
        let mut wire = sp_header::encode(48).to_vec();
        wire.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        wire.extend_from_slice(payload);
        std::thread::scope(|scope| {
            scope.spawn(move || far.write_all(&wire).unwrap());
            let (mut scratch, mut frames, mut message) = (vec![0; SCRATCH], Inbox::default(), Message::default());
            while !frames.pop(&mut message) {
                assert_eq!(session.read(&mut scratch, None, &mut frames).end, None);
            }
            message
        })
    }

    /// Of a length above 4 GiB the lower half must not count, where usize has 32 bits.
    #[test]
    fn a_length_that_memory_cannot_have_is_not_cut() {
        let (near, mut far) = sys::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let protocols = Protocols { own: 49, peer: 48, forwarding: None, limited: false, shares: false };
        let stream = socket2::Socket::from(near);
        let mut session =
            Session::start(Channel::Plain(stream.into()), Greeting::SpServer(LengthPrefix::Plain), protocols).unwrap();
        let length = (1u64 << 32) + 5;
        far.write_all(&[&sp_header::encode(48)[..], &length.to_be_bytes(), b"hello"].concat()).unwrap();
        let (mut scratch, mut frames, mut message) = (vec![0; SCRATCH], Inbox::default(), Message::default());
        // The greeting, and what is behind it.
        let ends: Vec<_> = (0..3).map_while(|_| session.read(&mut scratch, None, &mut frames).end).collect();
        assert!(!frames.pop(&mut message));
        if usize::BITS == 32 {
            assert_eq!(ends.first(), Some(&End::TOO_LARGE));
        }
    }

    /// And so a large one goes to C as it was read.
    #[test]
    fn what_is_behind_the_header_is_aligned_where_it_arrives() {
        for hops in 1..7 {
            for size in [101, 1000, 5000, 100_000, 1 << 20] {
                let mut payload = vec![0; 4 * hops + size];
                payload[4 * (hops - 1)] = 0x80;
                let mut body = received(&payload).body;
                body.skip(4 * hops);
                let small = matches!(body, Body::Inline { .. });
                assert!(
                    small || body.as_slice().as_ptr().addr().is_multiple_of(ALIGNMENT),
                    "{hops} hops, {size} bytes"
                );
            }
        }
    }
}
