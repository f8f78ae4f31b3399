//! nanomsg's scalability protocols behind the C ABI of libnanomsg.
//!
//! The rooms, from the top; imports point only downward. `ffi` turns C arguments into one call of `socket`, which holds
//! the one lock over a [`pattern`](self) (who gets which message), its pipes, and its endpoints, and does all waiting.
//! `transport` says how messages travel and `codec` how they look on the wire; neither knows patterns. `pipe` is a
//! connection as a pattern sees it. `reactor` knows who drives a socket's descriptors and when; `sys` is the operating
//! system below. Unsafe code lives in the two outer walls, `ffi` and `sys`.

pub mod ffi;

mod socket;

mod pattern;

mod transport;

mod codec;

mod pipe;

mod reactor;

mod message;

mod error;

mod sys;

#[cfg(fuzzing)]
pub mod fuzzing;
