//! Who waits for descriptors and when. Knows keys, readiness, deadlines and whom to wake; never messages or schemes.
#![forbid(unsafe_code)]

pub mod lease;
pub mod timers;
pub mod worker;
