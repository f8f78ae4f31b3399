//! Atomics, of std. What runs under loom as well has them from here, and locks from [`Mutex`](super::Mutex): there both are
//! loom's.
#![forbid(unsafe_code)]

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
