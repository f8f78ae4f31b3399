//! How the sleep of a [`Parker`](super::Parker) has ended.
#![forbid(unsafe_code)]

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unparked {
    Woken,
    TimedOut,
    /// A signal handler ran.
    #[cfg_attr(portable_sys, allow(dead_code, reason = "std does not tell of it"))]
    Interrupted,
}
