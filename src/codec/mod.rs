//! Bytes to frames and back. Pure: any input gives a frame, "more", or an error; nothing here can panic on it.
#![forbid(unsafe_code)]

pub(crate) mod length_prefix;
pub(crate) mod sp_header;

/// How frames look on a byte stream. All that the rooms above know of it: a transport with frames of another shape makes this
/// an enum.
pub(crate) use length_prefix::LengthPrefix as Framing;

/// The peer broke the protocol; its connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation;

/// What the first bytes of a frame announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHead {
    /// Bytes before the payload.
    pub head: usize,
    /// Bytes of payload that follow, as the peer claims.
    pub payload: u64,
}
