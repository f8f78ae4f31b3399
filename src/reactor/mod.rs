//! Who waits for descriptors and when. Knows keys, readiness, deadlines and whom to wake; never messages or schemes.
#![forbid(unsafe_code)]

pub(crate) mod lease;
pub(crate) mod timers;
pub(crate) mod worker;
