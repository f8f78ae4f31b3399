//! Large messages by reference: what both ends of a connection know (docs/shared-memory.md). [`Lending`] is the sending end,
//! [`Borrowing`] the receiving one, and a connection has one of each. Neither makes a system call but to make or to map memory,
//! which happens once in many messages.
#![forbid(unsafe_code)]

mod borrowing;
mod lending;

pub(crate) use borrowing::Borrowing;
pub(crate) use lending::{Lending, Step};

/// Segments that one connection may have handed over at a time, and their bytes.
const SEGMENTS_MAX: usize = 256;
const MAPPED_MAX: u64 = if cfg!(target_pointer_width = "64") { 16 << 30 } else { 256 << 20 };

/// Bytes that one connection has lent at a time, messages in its reader's hands included: what is beyond goes by copy.
const LENT_MAX: usize = if cfg!(target_pointer_width = "64") { 256 << 20 } else { 64 << 20 };

/// Bytes of messages that the reader's program has not taken yet, unless NN_SNDBUF is set. What the kernel's buffers are to a stream: enough
/// that neither side waits for the other with messages of 1 MiB.
pub(crate) const TRANSIT: usize = 8 << 20;

/// Bytes from which a message goes by reference, unless NN_SHARED_MEMORY_MIN says otherwise. Below, a copy is about as quick.
pub(crate) const USUAL_MIN: usize = 16 * 1024;
