//! Header and body, cheap to move and to share.
//!
//! A small body lives inside the message itself; a larger one in a [`Chunk`], memory that can be handed to a C caller
//! and taken back without a copy.
#![forbid(unsafe_code)]

pub(crate) mod shared;
pub(crate) mod spare;

use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::peer::Peer;
use shared::Block;

/// The routing header: usually empty, one request id, or a short backtrace.
pub(crate) type Header = SmallVec<[u8; 16]>;

/// Bodies up to this many bytes are stored inside the message.
pub(crate) const INLINE_MAX: usize = 104;

/// Bytes kept free in front of a chunk's data. `ffi` writes there what it needs to find the chunk again behind a bare
/// pointer.
pub(crate) const HEADROOM: usize = 32;

/// Bytes kept free in front of that, or nearly as many, so that a short header can be put before a body without moving it.
const LEAD: usize = 32;

/// What C programs may rely on for the address of a message, as for malloc's: they cast it to structures of their own.
pub(crate) const ALIGNMENT: usize = 16;

/// How long a stack of 32-bit words is that a body begins with: up to the first one with its top bit set. Only for where to
/// put it in memory, so of a long one, or one that has not arrived whole, the usual length will do.
pub(crate) fn stack_length(front: &[u8]) -> usize {
    const WORD: usize = 4;
    let bottom = front.chunks_exact(WORD).take(LEAD / WORD).position(|word| word[0] & 0x80 != 0);
    (bottom.unwrap_or_default() + 1) * WORD
}

/// Heap memory for one body: `bytes[start..]`, with at least [`HEADROOM`] bytes before it.
#[derive(Debug)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    start: usize,
}

impl Chunk {
    /// An empty chunk with room for `capacity` bytes. Fails with `NoMemory` and never aborts.
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self> {
        Self::headed(0, capacity)
    }

    /// The same for data of which the first `ahead` bytes will be taken off: what is behind them is aligned.
    pub(crate) fn headed(ahead: usize, capacity: usize) -> Result<Self> {
        let total = capacity.checked_add(LEAD + HEADROOM).ok_or(Error::NoMemory)?;
        let mut bytes = spare::take(total).unwrap_or_default();
        bytes.try_reserve_exact(total).map_err(|_| Error::NoMemory)?;
        let start = LEAD + HEADROOM - (bytes.as_ptr().addr() % ALIGNMENT + ahead % ALIGNMENT) % ALIGNMENT;
        bytes.resize(start, 0);
        Ok(Self { bytes, start })
    }

    pub(crate) fn copy_of(data: &[u8]) -> Result<Self> {
        Self::copy_headed(0, data)
    }

    pub(crate) fn copy_headed(ahead: usize, data: &[u8]) -> Result<Self> {
        let mut chunk = Self::headed(ahead, data.len())?;
        chunk.bytes.extend_from_slice(data);
        Ok(chunk)
    }

    /// The same bytes where C may have them: they stay where they are, unless more or less was taken off in front of them
    /// than is usual.
    pub(crate) fn aligned(mut self) -> Result<Self> {
        let off = self.as_slice().as_ptr().addr() % ALIGNMENT;
        if off == 0 {
            return Ok(self);
        }
        let Some(start) = self.start.checked_sub(off).filter(|&start| start >= HEADROOM) else {
            return Self::copy_of(self.as_slice());
        };
        self.bytes.copy_within(self.start.., start);
        self.bytes.truncate(self.bytes.len() - off);
        self.start = start;
        Ok(self)
    }

    /// The vector and the offset of the data in it: what `ffi` needs to turn a chunk into a pointer.
    pub(crate) fn into_parts(mut self) -> (Vec<u8>, usize) {
        (std::mem::take(&mut self.bytes), self.start)
    }

    /// The inverse of [`Chunk::into_parts`]. `start` must leave the headroom free and lie inside `bytes`.
    pub(crate) fn from_parts(bytes: Vec<u8>, start: usize) -> Self {
        assert!(start >= HEADROOM && start <= bytes.len());
        Self { bytes, start }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Room left before the memory would have to grow.
    pub(crate) fn spare(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// Makes room for `more` further bytes. Fails with `NoMemory` and leaves the chunk as it was.
    pub(crate) fn reserve(&mut self, more: usize) -> Result<()> {
        self.bytes.try_reserve_exact(more).map_err(|_| Error::NoMemory)
    }

    pub(crate) fn extend(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    /// Puts bytes behind the data, making room in steps that grow with it.
    pub(crate) fn append(&mut self, data: &[u8]) -> Result<()> {
        if self.spare() < data.len() {
            self.reserve(data.len().max(self.len()))?;
        }
        self.extend(data);
        Ok(())
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// The vector itself, for a read straight into its spare capacity: nothing before `len` may be touched.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    fn skip(&mut self, count: usize) {
        self.start += count;
    }

    /// Puts bytes in front of the data if the room there suffices.
    fn try_prepend(&mut self, data: &[u8]) -> bool {
        let Some(start) = self.start.checked_sub(data.len()).filter(|&start| start >= HEADROOM) else { return false };
        self.bytes[start..self.start].copy_from_slice(data);
        self.start = start;
        true
    }
}

impl Drop for Chunk {
    #[inline]
    fn drop(&mut self) {
        spare::keep(std::mem::take(&mut self.bytes));
    }
}

/// The payload, wherever it lives.
#[derive(Debug)]
pub(crate) enum Body {
    Inline {
        bytes: [u8; INLINE_MAX],
        start: u8,
        end: u8,
    },
    Chunk(Chunk),
    Shared {
        chunk: Arc<Chunk>,
        skip: usize,
    },
    /// In memory that another process has too.
    Block(Block),
}

impl Body {
    pub(crate) const fn empty() -> Self {
        Self::Inline { bytes: [0; INLINE_MAX], start: 0, end: 0 }
    }

    #[inline]
    pub(crate) fn copy_of(data: &[u8]) -> Result<Self> {
        if data.len() <= INLINE_MAX {
            let mut bytes = [0; INLINE_MAX];
            bytes[..data.len()].copy_from_slice(data);
            Ok(Self::Inline { bytes, start: 0, end: data.len() as u8 })
        } else {
            Chunk::copy_of(data).map(Self::Chunk)
        }
    }

    /// Makes this a copy of at most [`INLINE_MAX`] bytes.
    #[inline]
    pub(crate) fn set_small(&mut self, data: &[u8]) {
        if !matches!(self, Self::Inline { .. }) {
            *self = Self::empty();
        }
        if let Self::Inline { bytes, start, end } = self {
            bytes[..data.len()].copy_from_slice(data);
            (*start, *end) = (0, data.len() as u8);
        }
    }

    #[inline(always)]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { bytes, start, end } => &bytes[usize::from(*start)..usize::from(*end)],
            Self::Chunk(chunk) => chunk.as_slice(),
            Self::Shared { chunk, skip } => &chunk.as_slice()[*skip..],
            Self::Block(block) => block.as_slice(),
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Inline { start, end, .. } => usize::from(end - start),
            Self::Chunk(chunk) => chunk.len(),
            Self::Shared { chunk, skip } => chunk.len() - skip,
            Self::Block(block) => block.len(),
        }
    }

    /// The bytes it begins with, as many as are in one place: of a block with a header in front, that.
    #[inline]
    pub(crate) fn front(&self) -> &[u8] {
        match self {
            Self::Block(block) if !block.front().is_empty() => block.front(),
            _ => self.as_slice(),
        }
    }

    /// Puts it in one place, if it is not.
    pub(crate) fn flatten(&mut self) -> Result<()> {
        if let Self::Block(block) = self
            && !block.front().is_empty()
        {
            *self = Self::joined(block.front(), block.as_slice())?;
        }
        Ok(())
    }

    /// Drops the first `count` bytes, of which there must be that many.
    pub(crate) fn skip(&mut self, count: usize) {
        assert!(count <= self.len());
        match self {
            Self::Inline { start, .. } => *start += count as u8,
            Self::Chunk(chunk) => chunk.skip(count),
            Self::Shared { skip, .. } => *skip += count,
            Self::Block(block) => block.skip(count),
        }
    }

    /// The bytes of `front` and then those of `back`: how header and body travel where there is no wire.
    pub(crate) fn joined(front: &[u8], back: &[u8]) -> Result<Self> {
        let total = front.len() + back.len();
        if total <= INLINE_MAX {
            let mut bytes = [0; INLINE_MAX];
            bytes[..front.len()].copy_from_slice(front);
            bytes[front.len()..total].copy_from_slice(back);
            return Ok(Self::Inline { bytes, start: 0, end: total as u8 });
        }
        let mut chunk = Chunk::headed(front.len(), total)?;
        chunk.extend(front);
        chunk.extend(back);
        Ok(Self::Chunk(chunk))
    }

    /// A second body with the same bytes. A chunk becomes shared; only small bodies are copied.
    pub(crate) fn share(&mut self) -> Self {
        match self {
            Self::Inline { bytes, start, end } => Self::Inline { bytes: *bytes, start: *start, end: *end },
            Self::Shared { chunk, skip } => Self::Shared { chunk: Arc::clone(chunk), skip: *skip },
            Self::Block(block) => Self::Block(block.share()),
            Self::Chunk(_) => {
                let Self::Chunk(chunk) = std::mem::replace(self, Self::empty()) else { unreachable!() };
                let chunk = Arc::new(chunk);
                *self = Self::Shared { chunk: Arc::clone(&chunk), skip: 0 };
                Self::Shared { chunk, skip: 0 }
            }
        }
    }

    /// The body as a chunk of its own: without a copy where nobody else shares it.
    pub(crate) fn into_chunk(self) -> Result<Chunk> {
        match self {
            Self::Inline { .. } | Self::Block(_) => Chunk::copy_of(self.as_slice()),
            Self::Chunk(chunk) => Ok(chunk),
            Self::Shared { chunk, skip } => match Arc::try_unwrap(chunk) {
                Ok(mut chunk) => {
                    chunk.skip(skip);
                    Ok(chunk)
                }
                Err(chunk) => Chunk::copy_of(&chunk.as_slice()[skip..]),
            },
        }
    }
}

impl From<Chunk> for Body {
    fn from(chunk: Chunk) -> Self {
        Self::Chunk(chunk)
    }
}

/// A message as a socket hands it out.
#[derive(Debug)]
pub(crate) struct Message {
    pub header: Header,
    pub body: Body,
    /// The WebSocket opcode it came with; 0 on every other transport.
    pub opcode: u8,
    /// Whom it came from, where that was asked for (NN_RECV_PEER).
    pub peer: Option<Arc<Peer>>,
}

impl Message {
    /// Drops it, for which a small one has nothing to do.
    #[inline]
    pub(crate) fn discard(self) {
        if !matches!(self.body, Body::Inline { .. }) || self.header.spilled() || self.peer.is_some() {
            return drop(self);
        }
        std::mem::forget(self);
    }
}

impl Default for Message {
    fn default() -> Self {
        Self { header: Header::new(), body: Body::empty(), opcode: 0, peer: None }
    }
}

/// A message on its way out. The body may still be the caller's own memory: it is copied only if it has to outlive the
/// call.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub header: Header,
    pub opcode: u8,
    payload: Payload<'a>,
    /// Where the body was before it was put into shared memory: a send that fails gives that back.
    before: Option<Payload<'a>>,
}

#[derive(Debug)]
enum Payload<'a> {
    Borrowed(&'a [u8]),
    Owned(Body),
}

/// A message goes on as it came.
impl From<Message> for Outgoing<'static> {
    fn from(message: Message) -> Self {
        Self { header: message.header, opcode: message.opcode, payload: Payload::Owned(message.body), before: None }
    }
}

impl<'a> Outgoing<'a> {
    pub(crate) fn borrowed(body: &'a [u8]) -> Self {
        Self { header: Header::new(), opcode: 0, payload: Payload::Borrowed(body), before: None }
    }

    pub(crate) fn owned(body: Body) -> Self {
        Self { header: Header::new(), opcode: 0, payload: Payload::Owned(body), before: None }
    }

    #[inline(always)]
    pub(crate) fn body(&self) -> &[u8] {
        match &self.payload {
            Payload::Borrowed(body) => body,
            Payload::Owned(body) => body.as_slice(),
        }
    }

    /// Puts the body into shared memory, if there is room for it.
    pub(crate) fn place(&mut self) {
        if self.block().is_none()
            && let Some(block) = shared::pool::copy_of(self.body())
        {
            self.before = Some(std::mem::replace(&mut self.payload, Payload::Owned(Body::Block(block))));
        }
    }

    /// Where the body is in shared memory.
    pub(crate) fn block(&self) -> Option<&Block> {
        match &self.payload {
            Payload::Owned(Body::Block(block)) => Some(block),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.header.len() + self.body().len()
    }

    /// The body, leaving an empty one behind. Borrowed bytes are copied.
    pub(crate) fn take_body(&mut self) -> Result<Body> {
        match std::mem::replace(&mut self.payload, Payload::Borrowed(&[])) {
            Payload::Borrowed(body) => Body::copy_of(body).inspect_err(|_| self.payload = Payload::Borrowed(body)),
            Payload::Owned(body) => Ok(body),
        }
    }

    /// Header and body in one, to outlive the call. With `last` the body may be taken for it. On an error the message is
    /// as it was.
    pub(crate) fn joined_body(&mut self, last: bool) -> Result<Body> {
        if self.header.is_empty() {
            return if last { self.take_body() } else { self.share_body() };
        }
        if last
            && let Payload::Owned(Body::Chunk(chunk)) = &mut self.payload
            && chunk.try_prepend(&self.header)
        {
            return self.take_body();
        }
        Body::joined(&self.header, self.body())
    }

    /// A body with the same bytes, kept for later; this message keeps its own.
    pub(crate) fn copy_body(&mut self) -> Result<Body> {
        if self.body().len() <= INLINE_MAX { Body::copy_of(self.body()) } else { self.share_body() }
    }

    /// A body with the same bytes that may outlive the call; this message keeps its own.
    pub(crate) fn share_body(&mut self) -> Result<Body> {
        if let Payload::Borrowed(body) = self.payload {
            self.payload = Payload::Owned(Body::copy_of(body)?);
        }
        let Payload::Owned(body) = &mut self.payload else { unreachable!() };
        Ok(body.share())
    }

    /// What is left of an owned body: a failed send gives it back through this.
    pub(crate) fn into_body(self) -> Option<Body> {
        match self.before.unwrap_or(self.payload) {
            Payload::Owned(body) => Some(body),
            Payload::Borrowed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_header_goes_before_a_chunk_without_moving_it() {
        let body = Body::copy_of(&[1; 1000]).unwrap();
        let before = body.as_slice().as_ptr();
        let mut message = Outgoing::owned(body);
        message.header.extend_from_slice(&[9; 8]);
        let mut body = message.joined_body(true).unwrap();
        assert_eq!(body.as_slice()[..9], [9, 9, 9, 9, 9, 9, 9, 9, 1]);
        body.skip(8);
        assert_eq!(body.as_slice().as_ptr(), before);
    }

    #[test]
    fn what_is_behind_a_header_is_aligned() {
        for (ahead, size) in (0..80).flat_map(|ahead| [1, 200, 100_000].map(|size| (ahead, size))) {
            let (front, back) = (vec![1; ahead], vec![2; size]);
            let mut body = Body::joined(&front, &back).unwrap();
            body.skip(ahead);
            let there = body.as_slice().as_ptr();
            let inline = matches!(body, Body::Inline { .. });
            let chunk = body.into_chunk().and_then(Chunk::aligned).unwrap();
            assert_eq!((chunk.as_slice(), chunk.as_slice().as_ptr().addr() % ALIGNMENT), (&back[..], 0));
            assert!(inline || chunk.as_slice().as_ptr() == there, "and was not moved");
        }
    }

    #[test]
    fn whatever_is_taken_off_the_rest_can_be_aligned() {
        for (ahead, taken) in (0..40).flat_map(|ahead| (0..120).map(move |taken| (ahead, taken))) {
            let data: Vec<u8> = (0..200).collect();
            let mut body = Body::from(Chunk::copy_headed(ahead, &data).unwrap());
            body.skip(taken);
            let chunk = body.into_chunk().and_then(Chunk::aligned).unwrap();
            assert_eq!((chunk.as_slice(), chunk.as_slice().as_ptr().addr() % ALIGNMENT), (&data[taken..], 0));
        }
    }

    #[test]
    fn a_stack_ends_at_its_bottom() {
        for (front, length) in [
            (&b"\x80\0\0\x01body"[..], 4),
            (b"\0\0\0\x01\0\0\0\x02\x80\0\0\x01body", 12),
            (b"\0\0\0\x01\x80\0", 4),
            (b"", 4),
            (&[0; 100], 4),
        ] {
            assert_eq!(stack_length(front), length);
        }
    }

    #[test]
    fn an_absurd_size_is_an_error() {
        assert_eq!(Chunk::with_capacity(usize::MAX).unwrap_err(), Error::NoMemory);
        assert_eq!(Chunk::with_capacity(usize::MAX / 2).unwrap_err(), Error::NoMemory);
    }

    proptest! {
        #[test]
        fn bodies_keep_their_bytes(front in proptest::collection::vec(any::<u8>(), 0..80), back in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut body = Body::joined(&front, &back).unwrap();
            let whole = [front.clone(), back.clone()].concat();
            prop_assert_eq!(body.as_slice(), &whole[..]);
            let mut twin = body.share();
            twin.skip(front.len());
            prop_assert_eq!(twin.as_slice(), &back[..]);
            let (body, twin) = (body.into_chunk().unwrap(), twin.into_chunk().unwrap());
            prop_assert_eq!(body.as_slice(), &whole[..]);
            prop_assert_eq!(twin.as_slice(), &back[..]);
        }
    }
}
