//! The parts patterns are made of.
#![forbid(unsafe_code)]

pub(super) mod exclusive;
