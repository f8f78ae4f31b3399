//! Who waits for descriptors and when. Knows keys, readiness, deadlines and whom to wake; never messages or schemes.
#![forbid(unsafe_code)]

pub(crate) mod lease;
pub(crate) mod timers;
pub(crate) mod worker;

use std::time::Instant;

/// When the worker comes back to a socket, apart from its poller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Next {
    pub pace: Option<TickRate>,
    pub deadline: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TickRate {
    /// A caller has the lease.
    Slow,
    /// Gathered output waits to be flushed.
    Fast,
}
