//! Bytes to frames and back. Pure: any input gives a frame, "more", or an error; nothing here can panic on it.
#![forbid(unsafe_code)]

pub(crate) mod length_prefix;
pub(crate) mod sp_header;
#[cfg(test)]
mod vectors;
pub(crate) mod ws_frame;
mod ws_text;
pub(crate) mod ws_upgrade;

use length_prefix::LengthPrefix;
use ws_frame::{Mask, Role};

/// The peer broke the protocol, in which way; its connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation(pub &'static str);

/// What the first bytes of a frame announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHead {
    /// Bytes before the payload.
    pub head: usize,
    /// Bytes of payload that follow, as the peer claims.
    pub payload: u64,
}

/// How frames look on a byte stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Prefixed(LengthPrefix),
    /// With the opcode of messages that name none.
    WebSocket(Role, u8),
}

impl Framing {
    /// Whether payloads have to be masked, and so cannot go out as they are.
    pub(crate) fn masks(self) -> bool {
        matches!(self, Self::WebSocket(Role::Client, _))
    }

    /// The bytes before a payload of this size. `opcode` counts only where the wire has one, `mask` where it masks.
    #[inline]
    pub(crate) fn prefix(self, payload: usize, opcode: u8, mask: impl FnOnce() -> Mask) -> Prefix {
        let mut bytes = [0; ws_frame::LONGEST];
        let (length, mask) = match self {
            Self::Prefixed(prefix) => (prefix.encode(payload, &mut bytes), None),
            Self::WebSocket(role, usual) => {
                let opcode = if ws_frame::is_data(opcode) { opcode } else { usual };
                let mask = (role == Role::Client).then(mask);
                (ws_frame::encode(payload, opcode, mask, &mut bytes), mask)
            }
        };
        Prefix { bytes, length: length as u8, mask }
    }
}

/// The bytes before a payload, and the mask to put on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefix {
    bytes: [u8; ws_frame::LONGEST],
    length: u8,
    pub mask: Option<Mask>,
}

impl Prefix {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Masks a frame that starts with this prefix, if it has to be.
    #[inline]
    pub(crate) fn mask(&self, frame: &mut [u8]) {
        if let Some(mask) = self.mask {
            ws_frame::apply_mask(&mut frame[usize::from(self.length)..], mask, 0);
        }
    }
}
