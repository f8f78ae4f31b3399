//! One connection as a pattern sees it: what has come in and waits for nn_recv, what was accepted and waits for the
//! kernel.
//!
//! Both queues keep small messages back to back in one buffer, so that a thousand of them cost a few memory moves and
//! no allocation; large bodies keep the memory they arrived in.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::message::shared::Handed;
use crate::message::{Body, INLINE_MAX, Message};

/// Names a pipe for as long as its socket lives: the slot may be used again, the serial is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PipeId {
    pub slot: u32,
    pub serial: u32,
}

/// Buffers of an idle pipe above this size are given back.
const IDLE_BUFFER: usize = 256;

/// Bytes of a record besides its payload.
const RECORD: usize = 2;

/// Marks a record whose body is a chunk of its own.
const LARGE: u8 = u8::MAX;
const _: () = assert!(INLINE_MAX < LARGE as usize);

/// Whole frames in the order they arrived.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Records of `[length or LARGE, opcode, bytes…]`.
    records: Vec<u8>,
    head: usize,
    large: VecDeque<Body>,
    bytes: usize,
    /// Of those, what lies in memory of the peers'.
    referenced: usize,
    count: usize,
}

impl Inbox {
    /// Bytes held, for the limit: payload, and a little for each message, so that empty ones count too.
    pub(crate) fn weight(&self) -> usize {
        self.bytes + self.count * RECORD
    }

    /// The same without what lies in memory of the peers'.
    pub(crate) fn own_weight(&self) -> usize {
        self.weight() - self.referenced
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Makes room for about `bytes` bytes of records at once.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.records.reserve(bytes);
    }

    #[inline]
    pub(crate) fn push_small(&mut self, opcode: u8, payload: &[u8]) {
        debug_assert!(payload.len() <= INLINE_MAX);
        self.records.extend_from_slice(&[payload.len() as u8, opcode]);
        self.records.extend_from_slice(payload);
        self.bytes += payload.len();
        self.count += 1;
    }

    /// Queues a body of any size without looking at where it lives, if it is not small.
    pub(crate) fn push(&mut self, opcode: u8, body: Body) {
        if body.len() <= INLINE_MAX { self.push_small(opcode, body.as_slice()) } else { self.push_large(opcode, body) }
    }

    pub(crate) fn push_large(&mut self, opcode: u8, payload: Body) {
        self.records.extend_from_slice(&[LARGE, opcode]);
        self.bytes += payload.len();
        if matches!(payload, Body::Block(_)) {
            self.referenced += payload.len();
        }
        self.count += 1;
        self.large.push_back(payload);
    }

    /// Queues `front` and `back` as one small message.
    #[inline]
    pub(crate) fn push_joined(&mut self, front: &[u8], back: &[u8]) {
        let length = front.len() + back.len();
        debug_assert!(length <= INLINE_MAX);
        self.records.extend_from_slice(&[length as u8, 0]);
        self.records.extend_from_slice(front);
        self.records.extend_from_slice(back);
        self.bytes += length;
        self.count += 1;
    }

    /// Takes the oldest message, its whole payload in the body. False: there is none.
    #[inline]
    pub(crate) fn pop(&mut self, message: &mut Message) -> bool {
        let Some(&[length, opcode]) = self.records[self.head..].first_chunk::<2>() else { return false };
        self.head += 2;
        message.header.clear();
        message.opcode = opcode;
        if length == LARGE {
            let Some(body) = self.large.pop_front() else { return false };
            if matches!(body, Body::Block(_)) {
                self.referenced -= body.len();
            }
            message.body = body;
        } else {
            let end = self.head + usize::from(length);
            message.body.set_small(&self.records[self.head..end]);
            self.head = end;
        }
        self.count -= 1;
        self.bytes -= message.body.len();
        if self.count == 0 {
            self.clear();
        }
        true
    }

    /// Drops everything and keeps no more memory than an idle pipe may have.
    pub(crate) fn clear(&mut self) {
        (self.head, self.bytes, self.referenced, self.count) = (0, 0, 0, 0);
        self.records.clear();
        if self.records.capacity() > IDLE_BUFFER || self.large.capacity() > 0 {
            self.shrink();
        }
    }

    #[inline(never)]
    fn shrink(&mut self) {
        // Not `shrink_to`: the memory allocator asks the kernel for each large block that it has to make smaller, and learns
        // from one that is given back that it had better keep it.
        self.records = Vec::with_capacity(IDLE_BUFFER);
        self.large.clear();
        self.large.shrink_to(4);
    }

    /// Keeps no more memory than the content needs.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.records.drain(..self.head);
        self.head = 0;
        self.records.shrink_to_fit();
        self.large.shrink_to_fit();
    }

    /// Moves everything from `other` behind what is here. Costs nothing when this inbox is empty.
    pub(crate) fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
        } else {
            // What was handed out already makes room first: the buffer is as large as its content, not as its history.
            self.records.drain(..self.head);
            self.head = 0;
            self.records.extend_from_slice(&other.records[other.head..]);
            self.large.append(&mut other.large);
            self.bytes += other.bytes;
            self.referenced += other.referenced;
            self.count += other.count;
            *other = Self::default();
        }
    }
}

/// Frames that the kernel has not taken yet, already in wire format.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// A buffer kept for the next batch.
    spare: Vec<u8>,
}

#[derive(Debug)]
enum Piece {
    Bytes {
        bytes: Vec<u8>,
        done: usize,
    },
    Body {
        body: Body,
        done: usize,
    },
    /// A whole frame, with a descriptor that goes along with its first byte.
    Handing {
        bytes: Vec<u8>,
        done: usize,
        handed: Handed,
    },
}

impl Piece {
    fn rest(&self) -> &[u8] {
        match self {
            Self::Bytes { bytes, done } | Self::Handing { bytes, done, .. } => &bytes[*done..],
            Self::Body { body, done } => &body.as_slice()[*done..],
        }
    }
}

/// Bodies from this size on are queued as they are instead of being copied behind their prefix.
const COPY_MAX: usize = 8 * 1024;

/// Slices in one vectored write.
const SLICES: usize = 32;

impl Outbox {
    /// Bytes that wait, prefixes included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether a body of this size would be copied if it were queued.
    pub(crate) fn copies(body: usize) -> bool {
        body < COPY_MAX
    }

    /// Queues bytes that continue or start a frame, and shows where they are now.
    #[inline]
    pub(crate) fn push_bytes(&mut self, parts: [&[u8]; 3]) -> &mut [u8] {
        // A piece that is partly written is not extended: it would never end, and keep what was written.
        if !matches!(self.pieces.back(), Some(Piece::Bytes { done: 0, .. })) {
            let bytes = std::mem::take(&mut self.spare);
            self.pieces.push_back(Piece::Bytes { bytes, done: 0 });
        }
        let Some(Piece::Bytes { bytes, .. }) = self.pieces.back_mut() else { return &mut [] };
        let start = bytes.len();
        for part in parts {
            bytes.extend_from_slice(part);
            self.bytes += part.len();
        }
        &mut bytes[start..]
    }

    /// Queues a body behind its prefix, from its byte `done` on, without a copy.
    pub(crate) fn push_body(&mut self, body: Body, done: usize) {
        self.bytes += body.len() - done;
        self.pieces.push_back(Piece::Body { body, done });
    }

    /// Queues a frame with which a descriptor goes.
    pub(crate) fn push_handing(&mut self, bytes: &[u8], handed: Handed) {
        self.bytes += bytes.len();
        self.pieces.push_back(Piece::Handing { bytes: bytes.to_vec(), done: 0, handed });
    }

    /// Takes the whole content for a write, leaving an empty outbox that keeps the spare buffer.
    pub(crate) fn take(&mut self) -> Self {
        let spare = std::mem::take(&mut self.spare);
        let content = std::mem::take(self);
        self.spare = spare;
        content
    }

    /// Offers the content to `write`, which says how many bytes it took. What is written up to a descriptor is written without it.
    pub(crate) fn write<E>(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>], Option<&Handed>) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        let mut along = None;
        for (slot, piece) in slices.iter_mut().zip(&self.pieces) {
            if let Piece::Handing { done: 0, handed, .. } = piece {
                if used > 0 {
                    break;
                }
                along = Some(handed);
            }
            *slot = IoSlice::new(piece.rest());
            used += 1;
            if along.is_some() {
                break;
            }
        }
        let written = write(&slices[..used], along)?;
        self.consume(written);
        Ok(written)
    }

    fn consume(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(piece) = self.pieces.front_mut() {
            let rest = piece.rest().len();
            if written < rest {
                let (Piece::Bytes { done, .. } | Piece::Body { done, .. } | Piece::Handing { done, .. }) = piece;
                *done += written;
                return;
            }
            written -= rest;
            if let Some(Piece::Bytes { mut bytes, .. }) = self.pieces.pop_front()
                && bytes.capacity() > self.spare.capacity()
            {
                bytes.clear();
                self.spare = bytes;
            }
        }
    }

    /// Puts what a write left over back in front of what was queued meanwhile.
    pub(crate) fn restore(&mut self, mut rest: Self) {
        if rest.spare.capacity() > self.spare.capacity() {
            self.spare = std::mem::take(&mut rest.spare);
        }
        if rest.is_empty() {
            return;
        }
        self.bytes += rest.bytes;
        rest.pieces.append(&mut self.pieces);
        self.pieces = rest.pieces;
    }

    /// Gives back memory that only a busy pipe needs.
    pub(crate) fn rest(&mut self) {
        if self.is_empty() {
            self.spare = Vec::new();
            self.pieces = VecDeque::new();
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn inbox_keeps_the_order_of_small_and_large() {
        let mut inbox = Inbox::default();
        inbox.push_small(0, b"a");
        inbox.push_large(2, Body::copy_of(&[7; 500]).unwrap());
        inbox.push_small(1, b"");
        assert_eq!(inbox.weight(), 501 + 3 * RECORD);
        let mut message = Message::default();
        assert!(inbox.pop(&mut message));
        assert_eq!(message.body.as_slice(), b"a");
        assert!(inbox.pop(&mut message));
        assert_eq!((message.body.as_slice(), message.opcode), (&[7; 500][..], 2));
        assert!(inbox.pop(&mut message) && message.body.as_slice().is_empty());
        assert!(!inbox.pop(&mut message) && inbox.is_empty() && inbox.weight() == 0);
    }

    #[test]
    fn an_inbox_that_is_never_empty_does_not_grow() {
        let mut inbox = Inbox::default();
        let mut message = Message::default();
        for round in 0..10_000 {
            let mut fresh = Inbox::default();
            fresh.push_small(0, &[0; 50]);
            inbox.append(&mut fresh);
            if round >= 10 {
                assert!(inbox.pop(&mut message));
            }
        }
        assert!(inbox.records.capacity() < 4096, "{}", inbox.records.capacity());
    }

    #[test]
    fn what_is_queued_during_a_write_comes_behind_what_that_leaves() {
        let mut outbox = Outbox::default();
        outbox.push_bytes([b"first", b"", b""]);
        let mut taken = outbox.take();
        outbox.push_bytes([b"second", b"", b""]);
        taken.write(|_, _| Ok::<_, ()>(2)).unwrap();
        outbox.restore(taken);
        let mut seen = Vec::new();
        while !outbox.is_empty() {
            let gather = |slices: &[IoSlice<'_>], _: Option<&Handed>| {
                let before = seen.len();
                slices.iter().for_each(|slice| seen.extend_from_slice(slice));
                Ok::<_, ()>(seen.len() - before)
            };
            outbox.write(gather).unwrap();
        }
        assert_eq!(seen, b"rstsecond");
    }

    #[test]
    fn an_outbox_that_is_never_empty_does_not_grow() {
        let mut outbox = Outbox::default();
        for _ in 0..10_000 {
            outbox.push_bytes([&[0; 50], b"", b""]);
            let mut taken = outbox.take();
            let spared = if taken.bytes() > 500 { 450 } else { taken.bytes() };
            let count = taken.bytes() - spared;
            taken.write(|_, _| Ok::<_, ()>(count)).unwrap();
            outbox.restore(taken);
        }
        let held: usize = outbox
            .pieces
            .iter()
            .map(|piece| if let Piece::Bytes { bytes, .. } = piece { bytes.capacity() } else { 0 })
            .sum();
        assert!(held < 8192, "{held}");
    }

    proptest! {
        #[test]
        fn inboxes_join_in_order(first in proptest::collection::vec(0usize..300, 0..20), second in proptest::collection::vec(0usize..300, 0..20), popped in 0usize..5) {
            let push = |inbox: &mut Inbox, len: usize| {
                let bytes = vec![len as u8; len];
                inbox.push(0, Body::copy_of(&bytes).unwrap());
            };
            let (mut a, mut b) = (Inbox::default(), Inbox::default());
            first.iter().for_each(|&len| push(&mut a, len));
            second.iter().for_each(|&len| push(&mut b, len));
            let mut expected: VecDeque<usize> = first.iter().chain(&second).copied().collect();
            let mut message = Message::default();
            for _ in 0..popped.min(first.len()) {
                prop_assert!(a.pop(&mut message));
                prop_assert_eq!(message.body.len(), expected.pop_front().unwrap());
            }
            a.append(&mut b);
            prop_assert!(b.is_empty());
            while a.pop(&mut message) {
                prop_assert_eq!(message.body.len(), expected.pop_front().unwrap());
            }
            prop_assert!(expected.is_empty());
        }

        #[test]
        fn outbox_loses_no_byte_however_it_is_written(sizes in proptest::collection::vec(0usize..20_000, 0..12), step in 1usize..9_000) {
            let mut outbox = Outbox::default();
            let mut expected = Vec::new();
            for (index, &size) in sizes.iter().enumerate() {
                let body = vec![index as u8; size];
                expected.extend_from_slice(b"head");
                expected.extend_from_slice(&body);
                if Outbox::copies(size) {
                    outbox.push_bytes([b"he", b"ad", &body]);
                } else {
                    outbox.push_bytes([b"he", b"ad", b""]);
                    outbox.push_body(Body::copy_of(&body).unwrap(), 0);
                }
            }
            let mut seen = Vec::new();
            while !outbox.is_empty() {
                let mut taken = outbox.take();
                outbox.push_bytes([b"", b"", b""]);
                taken.write(|slices, _| {
                    let flat: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                    let count = step.min(flat.len());
                    seen.extend_from_slice(&flat[..count]);
                    Ok::<_, ()>(count)
                }).unwrap();
                outbox.restore(taken);
            }
            prop_assert_eq!(seen, expected);
        }
    }
}
