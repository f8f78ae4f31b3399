//! Large messages in memory that processes share (docs/shared-memory.md).
//!
//! A *segment* is memory that this process has made and that its peers map, or one that a peer has made; a *block* is a part of
//! one that holds a message. [`pool`] has the segments that are ours, and finds the block behind a pointer that a program has.
//! What both ends of a connection know of that is `transport::sharing`'s.
#![forbid(unsafe_code)]

mod block;
pub(crate) mod pool;

use std::sync::Arc;

pub(crate) use block::{Block, Hold, Origin};

use crate::sys::shared_memory::{Descriptor, Segment, WORDS};

/// Words of a page, by index; a word has 32 bits. This one counts the messages that the reader's program has taken.
pub(crate) const TAKEN: usize = 0;

/// The count at which the sender wants a `taken` frame; 0: it wants none. It is a cache line of 64 bytes away from `TAKEN`, because
/// different processors write to the two.
pub(crate) const WANTED: usize = 16;

/// From here on there is a word for each block that may be lent at a time: the number of the loan that was returned.
pub(crate) const FIRST_SLOT: usize = 64;
pub(crate) const SLOTS: usize = WORDS - FIRST_SLOT;

/// A descriptor on its way to a peer.
#[derive(Debug)]
pub(crate) enum Handed {
    Page(Descriptor),
    Segment(Arc<Segment>),
}

impl Handed {
    pub(crate) fn descriptor(&self) -> &Descriptor {
        match self {
            Self::Page(descriptor) => descriptor,
            Self::Segment(segment) => segment.descriptor(),
        }
    }
}
