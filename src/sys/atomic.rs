//! Atomics, of std. What runs under loom as well has them from here, and locks from [`Mutex`](super::Mutex): there both are
//! loom's.
#![forbid(unsafe_code)]

#[cfg(not(any(portable_sys, simulated)))]
pub(crate) use std::sync::atomic::AtomicU32;
pub(crate) use std::sync::atomic::{AtomicBool, Ordering, fence};
