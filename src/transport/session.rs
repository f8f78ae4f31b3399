//! One connection over any byte stream: greeted, then read frame by frame.
//!
//! One read takes what the kernel has and decodes every whole frame in it. The tail of an unfinished small frame is kept
//! here; a large body is read straight into its own memory, which grows as the bytes arrive and never by what the peer
//! claims.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use socket2::Socket;

use crate::codec::Framing;
use crate::codec::Violation;
use crate::codec::sp_header;
use crate::message::{Chunk, INLINE_MAX};
use crate::pipe::Inbox;
use crate::sys;

/// Bytes offered to one read.
pub(crate) const SCRATCH: usize = 64 * 1024;

/// Unfinished frames above this size are read straight into their own memory.
const LARGE: usize = 4 * 1024;

/// A body above this size is refused at once if the machine could never hold it.
const ABSURD: usize = 1 << 30;

/// Memory given to a large body before its peer has shown that it sends such.
const FIRST_RESERVE: usize = 256 * 1024;

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed its side.
    Closed,
    /// The connection failed, or the peer broke the protocol.
    Broken,
}

impl From<Violation> for End {
    fn from(_: Violation) -> Self {
        Self::Broken
    }
}

/// What one read brought, besides frames: all three may come at once.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The peer's greeting is complete: its socket type.
    pub greeted: Option<u16>,
    /// The connection ends here.
    pub end: Option<End>,
}

impl From<End> for Progress {
    fn from(end: End) -> Self {
        Self { greeted: None, end: Some(end) }
    }
}

pub(crate) struct Session {
    stream: Arc<Socket>,
    framing: Framing,
    greeted: bool,
    /// Bytes of an unfinished greeting or small frame.
    partial: Vec<u8>,
    large: Option<Box<Large>>,
    /// The last frame was a large one, and the next one may be.
    bulky: bool,
    /// The largest body this peer has sent completely.
    proven: usize,
}

/// A large body on its way in.
struct Large {
    chunk: Chunk,
    missing: usize,
}

impl Large {
    /// Makes room to read into. At most doubles what has arrived, or what the peer has proven to send.
    fn grow(&mut self, proven: usize) -> Result<(), End> {
        if self.chunk.spare() > 0 {
            return Ok(());
        }
        let step = self.chunk.len().max(FIRST_RESERVE).max(proven.saturating_sub(self.chunk.len()));
        self.chunk.reserve(self.missing.min(step)).map_err(|_| End::Broken)
    }
}

impl Session {
    /// Sends our greeting at once, without waiting for the peer's.
    pub(crate) fn start(stream: Socket, framing: Framing, protocol: u16) -> Result<Self, End> {
        let greeting = sp_header::encode(protocol);
        match sys::send(&stream, &greeting) {
            // A fresh connection has room for eight bytes.
            Ok(sp_header::LEN) => {}
            _ => return Err(End::Broken),
        }
        let stream = Arc::new(stream);
        Ok(Self { stream, framing, greeted: false, partial: Vec::new(), large: None, bulky: false, proven: 0 })
    }

    pub(crate) fn stream(&self) -> &Arc<Socket> {
        &self.stream
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// Reads once. Whole frames go to `frames`; one of more than `limit` bytes (if there is a limit) ends the connection.
    /// What stands before the end is good.
    pub(crate) fn read(&mut self, scratch: &mut [u8], limit: Option<u64>, frames: &mut Inbox) -> Progress {
        let before = self.large.is_some();
        let progress = self.read_once(scratch, limit, frames);
        // A prefix alone has been read, and the rest of its frame most likely waits behind it.
        let prefix_only = !before && self.bulky && (self.large.is_some() || !self.partial.is_empty());
        if !prefix_only || progress.end.is_some() {
            return progress;
        }
        let rest = self.read_once(scratch, limit, frames);
        Progress { greeted: progress.greeted.or(rest.greeted), end: rest.end }
    }

    fn read_once(&mut self, scratch: &mut [u8], limit: Option<u64>, frames: &mut Inbox) -> Progress {
        let received = match &mut self.large {
            Some(large) => {
                if let Err(end) = large.grow(self.proven) {
                    return end.into();
                }
                // Bytes may only overflow into the scratch if they are behind this body. The next one is probably as large,
                // so only its prefix is wanted there: the body has a better place to go.
                let prefix = if large.chunk.spare() >= large.missing { self.framing.head_len() } else { 0 };
                let overflow = &mut scratch[..prefix];
                let missing = large.missing;
                match sys::fill(&self.stream, large.chunk.tail(), missing, overflow) {
                    Ok((0, 0)) => return End::Closed.into(),
                    Ok((body, behind)) => {
                        large.missing -= body;
                        if large.missing > 0 {
                            return Progress::default();
                        }
                        behind
                    }
                    Err(error) => return not_now(&error),
                }
            }
            None => {
                let kept = self.partial.len();
                scratch[..kept].copy_from_slice(&self.partial);
                let prefix = self.framing.head_len();
                let end = if self.bulky && kept < prefix { prefix } else { scratch.len() };
                match sys::recv(&self.stream, &mut scratch[kept..end]) {
                    Ok(0) => return End::Closed.into(),
                    Ok(received) => kept + received,
                    Err(error) => return not_now(&error),
                }
            }
        };
        if let Some(large) = self.large.take() {
            self.proven = self.proven.max(large.chunk.len());
            frames.push_large(0, large.chunk.into());
        }
        let mut bytes = &scratch[..received];
        let mut progress = Progress::default();
        if !self.greeted {
            let Some((greeting, rest)) = bytes.split_first_chunk() else {
                self.keep(bytes);
                return progress;
            };
            match sp_header::decode(*greeting) {
                Ok(protocol) => progress.greeted = Some(protocol),
                Err(violation) => return End::from(violation).into(),
            }
            self.greeted = true;
            bytes = rest;
        }
        progress.end = self.decode(bytes, limit, frames).err();
        progress
    }

    fn decode(&mut self, mut bytes: &[u8], limit: Option<u64>, frames: &mut Inbox) -> Result<(), End> {
        if self.framing.decode(bytes)?.is_some_and(|first| first.payload <= INLINE_MAX as u64) {
            // Small frames come in swarms.
            frames.reserve(bytes.len());
        }
        while let Some(frame) = self.framing.decode(bytes)? {
            if limit.is_some_and(|limit| frame.payload > limit) {
                return Err(End::Broken);
            }
            let payload = usize::try_from(frame.payload).map_err(|_| End::Broken)?;
            let arrived = &bytes[frame.head..];
            self.bulky = payload > LARGE;
            match arrived.split_at_checked(payload) {
                Some((body, rest)) if payload <= INLINE_MAX => {
                    frames.push_small(0, body);
                    bytes = rest;
                }
                Some((body, rest)) => {
                    frames.push_large(0, Chunk::copy_of(body).map_err(|_| End::Broken)?.into());
                    bytes = rest;
                }
                None if payload > ABSURD && Chunk::with_capacity(payload).is_err() => return Err(End::Broken),
                None if payload > LARGE => {
                    let room = payload.min(FIRST_RESERVE.max(self.proven));
                    let mut chunk = Chunk::with_capacity(room).map_err(|_| End::Broken)?;
                    chunk.extend(arrived);
                    self.large = Some(Box::new(Large { chunk, missing: payload - arrived.len() }));
                    bytes = &[];
                    break;
                }
                None => break,
            }
        }
        self.keep(bytes);
        Ok(())
    }

    fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            // An idle connection keeps no buffer.
            self.partial = Vec::new();
        } else {
            self.partial.clear();
            self.partial.extend_from_slice(rest);
        }
    }
}

fn not_now(error: &io::Error) -> Progress {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Progress::default(),
        _ => End::Broken.into(),
    }
}
