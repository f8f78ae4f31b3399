//! A message in shared memory, and what happens at its end.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use super::super::Header;
use super::{TAKEN, WANTED, pool};
use crate::sys;
use crate::sys::shared_memory::{Page, Segment};

/// A part of a segment, or of what is left of one, with the header that came before it.
#[derive(Debug)]
pub(crate) struct Block {
    hold: Arc<Hold>,
    /// Where the message begins within its block, and how long it is without the header.
    start: usize,
    length: usize,
    /// The stack of words that belongs in front, which has come by way of the stream.
    front: Header,
}

/// The block itself. Its last holder gives it back.
#[derive(Debug)]
pub(crate) struct Hold {
    pub segment: Arc<Segment>,
    pub offset: usize,
    pub capacity: usize,
    /// A program has had a pointer to it.
    exposed: AtomicBool,
    generation: u32,
    origin: Origin,
}

#[derive(Debug)]
pub(crate) enum Origin {
    /// The pool's.
    Own,
    /// A peer's, to whom it is given back here.
    Peer { page: Arc<Page>, word: usize, number: u32 },
}

impl Hold {
    pub(crate) fn new(segment: Arc<Segment>, offset: usize, capacity: usize, origin: Origin) -> Self {
        let exposed = AtomicBool::new(false);
        Self { segment, offset, capacity, exposed, generation: sys::generation(), origin }
    }

    /// The program has written to it, or may have, and nobody else sees that.
    fn was_changed(&self) -> bool {
        matches!(self.origin, Origin::Peer { .. })
            && self.exposed.load(Ordering::Relaxed)
            && self.segment.was_written(self.offset, self.capacity)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.generation != sys::generation() {
            // It is the parent's to give back.
            return;
        }
        match &self.origin {
            Origin::Own => pool::put_back(&self.segment, self.offset),
            Origin::Peer { page, word, number } => {
                if self.was_changed() {
                    self.segment.forget_writes(self.offset, self.capacity);
                }
                page.word(*word).store(*number, Ordering::Release);
            }
        }
    }
}

impl Block {
    pub(crate) fn new(hold: Hold, length: usize, front: Header) -> Self {
        Self { hold: Arc::new(hold), start: 0, length, front }
    }

    /// What is behind the header.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.hold.segment.bytes(self.hold.offset + self.start, self.length)
    }

    pub(crate) fn len(&self) -> usize {
        self.front.len() + self.length
    }

    pub(crate) fn front(&self) -> &[u8] {
        &self.front
    }

    /// Drops the first `count` bytes.
    pub(crate) fn skip(&mut self, count: usize) {
        let in_front = count.min(self.front.len());
        self.front.drain(..in_front);
        self.start += count - in_front;
        self.length -= count - in_front;
    }

    /// Before the process forks: what a child finds must stay as it is, whatever the parent and its peers do with the block. Of our
    /// own it gets the bytes back afterwards, with where they belong.
    pub(super) fn prepare_fork(&self) -> Option<(Arc<Segment>, usize, Vec<u8>)> {
        let Hold { segment, offset, capacity, origin, .. } = &*self.hold;
        match origin {
            Origin::Peer { .. } => {
                segment.make_private(*offset, *capacity);
                None
            }
            Origin::Own => {
                let mut bytes = Vec::new();
                bytes.try_reserve_exact(self.length).ok()?;
                bytes.extend_from_slice(self.as_slice());
                Some((Arc::clone(segment), offset + self.start, bytes))
            }
        }
    }

    /// The same message once more.
    pub(crate) fn share(&self) -> Self {
        Self { hold: Arc::clone(&self.hold), start: self.start, length: self.length, front: self.front.clone() }
    }

    /// Nobody else has it.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.hold) == 1
    }

    /// Where a program finds it, who may write to it from now on: it is alone.
    pub(crate) fn expose(&self) -> *mut u8 {
        self.hold.exposed.store(true, Ordering::Relaxed);
        self.hold.segment.at(self.hold.offset + self.start, self.length)
    }

    /// The program takes a message that has come by reference. True: its sender waits to be told.
    pub(crate) fn is_taken(&self) -> bool {
        let Origin::Peer { page, .. } = &self.hold.origin else { return false };
        let taken = page.word(TAKEN).fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        fence(Ordering::SeqCst);
        let wanted = page.word(WANTED).load(Ordering::Relaxed);
        let due = wanted != 0 && taken.wrapping_sub(wanted) < u32::MAX / 2;
        if due {
            page.word(WANTED).store(0, Ordering::Relaxed);
        }
        due
    }

    /// Cuts it off. False: it is shorter.
    pub(crate) fn cut(&mut self, length: usize) -> bool {
        let fits = length <= self.length;
        if fits {
            self.length = length;
        }
        fits
    }

    /// Whether others may see it where it is: what a program has written into a peer's block they would not.
    pub(crate) fn can_be_lent(&self) -> bool {
        self.front.is_empty() && self.hold.generation == sys::generation() && !self.hold.was_changed()
    }

    pub(crate) fn hold(&self) -> &Arc<Hold> {
        &self.hold
    }

    /// Offset and length in its segment.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.hold.offset + self.start, self.length)
    }

    pub(crate) fn write(&self, data: &[u8]) {
        self.hold.segment.write(self.hold.offset + self.start, data);
    }
}
