//! From WebSocket frames to messages: masks off, pieces joined, pings answered.
#![forbid(unsafe_code)]

use super::{Cause, End, Session};
use crate::codec::ws_frame::{self, Close, Event, FrameSequence, Head, Mask, Role};
use crate::message::{Body, Chunk, INLINE_MAX};
use crate::pipe::Inbox;
use crate::sys;

/// What is remembered between the frames of a peer.
#[derive(Default)]
pub(super) struct Reassembly {
    conversation: FrameSequence,
    /// The pieces of the message that is coming in.
    message: Option<Chunk>,
}

/// A payload that has arrived.
pub(super) enum Payload<'a> {
    Passing {
        bytes: &'a mut [u8],
        /// So many of them will be taken off.
        ahead: usize,
    },
    Own(Chunk),
}

impl Payload<'_> {
    fn bytes(&mut self) -> &mut [u8] {
        match self {
            Self::Passing { bytes, .. } => bytes,
            Self::Own(chunk) => chunk.as_mut_slice(),
        }
    }

    fn into_chunk(self) -> Result<Chunk, Close> {
        match self {
            Self::Passing { bytes, ahead } => Chunk::copy_headed(ahead, bytes).map_err(|_| Close::NO_MEMORY),
            Self::Own(chunk) => Ok(chunk),
        }
    }
}

/// We close, because of what the peer has done, or in answer to its own close, which names no reason of ours.
#[cold]
fn close_frame(close: Close, role: Role) -> End {
    let cause = if close.reason.is_empty() { Cause::Closed } else { Cause::Violation(close.reason) };
    End::Rejected(ws_frame::close_frame(close, own_mask(role)), cause)
}

/// Our own control frames are masked like all we send.
fn own_mask(role: Role) -> Option<Mask> {
    (role == Role::Client).then(sys::random)
}

/// A question whose answer is a pong.
pub(super) fn ping(role: Role) -> Vec<u8> {
    ws_frame::ping_frame(own_mask(role))
}

impl Reassembly {
    /// The head of a frame: whether it may come now, and is not too large.
    fn begins(&self, head: Head, limit: Option<u64>) -> Result<usize, Close> {
        self.conversation.begins(head)?;
        let before = self.message.as_ref().map_or(0, Chunk::len) as u64;
        if !head.is_control() && limit.is_some_and(|limit| head.payload.saturating_add(before) > limit) {
            return Err(Close::TOO_LARGE);
        }
        usize::try_from(head.payload).map_err(|_| Close::TOO_LARGE)
    }

    /// A whole frame.
    fn takes(
        &mut self,
        head: Head,
        mut payload: Payload<'_>,
        role: Role,
        frames: &mut Inbox,
        replies: &mut Vec<u8>,
    ) -> Result<(), Close> {
        let bytes = payload.bytes();
        ws_frame::apply_mask(bytes, head.mask, 0);
        match self.conversation.takes(head, bytes)? {
            Event::Nothing => {}
            Event::Ping => replies.extend_from_slice(&ws_frame::pong_frame(bytes, own_mask(role))),
            Event::Piece { opcode, last } => match (self.message.take(), payload) {
                (None, Payload::Passing { bytes, .. }) if last && bytes.len() <= INLINE_MAX => {
                    frames.push_small(opcode, bytes)
                }
                (None, payload) if last => frames.push(opcode, payload.into_chunk()?.into()),
                (None, payload) => self.message = Some(payload.into_chunk()?),
                (Some(mut message), mut payload) => {
                    message.append(payload.bytes()).map_err(|_| Close::NO_MEMORY)?;
                    if last {
                        frames.push(opcode, Body::from(message));
                    } else {
                        self.message = Some(message);
                    }
                }
            },
        }
        Ok(())
    }
}

impl Session {
    pub(super) fn decode_websocket(
        &mut self,
        bytes: &mut [u8],
        role: Role,
        limit: Option<u64>,
        frames: &mut Inbox,
        replies: &mut Vec<u8>,
    ) -> Result<(), End> {
        let close_frame = |close| close_frame(close, role);
        let mut at = 0;
        while let Some(head) = ws_frame::decode(&bytes[at..], role).map_err(close_frame)? {
            let payload = self.talk.begins(head, limit).map_err(close_frame)?;
            let arrived = &mut bytes[at + head.length..];
            self.expects(payload, head.length);
            if arrived.len() < payload {
                if self.begin_large(payload, arrived, Some(head)).map_err(|_| close_frame(Close::NO_MEMORY))? {
                    at = bytes.len();
                }
                break;
            }
            at += head.length + payload;
            let bytes = &mut arrived[..payload];
            let ahead = self.ahead(bytes, Some(head));
            let payload = Payload::Passing { bytes, ahead };
            self.talk.takes(head, payload, role, frames, replies).map_err(close_frame)?;
        }
        self.keep(&bytes[at..]);
        Ok(())
    }

    /// A large payload is complete.
    pub(super) fn take_large(
        &mut self,
        head: Head,
        chunk: Chunk,
        role: Role,
        frames: &mut Inbox,
        replies: &mut Vec<u8>,
    ) -> Result<(), End> {
        let taken = self.talk.takes(head, Payload::Own(chunk), role, frames, replies);
        taken.map_err(|close| close_frame(close, role))
    }
}
