//! nanomsg's scalability protocols behind the C ABI of libnanomsg.
//!
//! A Rust program has [`Socket`], [`Message`], [`Requests`], [`Replies`], [`poll`] and [`device`]; a C program the functions
//! of [`ffi`].
//!
//! ```
//! use nanomsg::{Socket, SocketType};
//!
//! let (a, b) = (Socket::new(SocketType::Pair)?, Socket::new(SocketType::Pair)?);
//! a.bind("inproc://hello")?;
//! b.connect("inproc://hello")?;
//! b.send("Hello")?;
//! assert_eq!(a.recv()?, "Hello");
//! # Ok::<(), nanomsg::Error>(())
//! ```
//!
//! The modules, from the top; imports point only downward. `api` is the library for Rust, and `ffi` the one for C: each
//! turns arguments into one call of `socket`, which holds the one lock over a [`pattern`](self) (who gets which
//! message), its pipes, and its endpoints, and does all waiting. `transport` says how messages travel and `codec` how
//! they look on the wire; neither knows patterns. `pipe` is a connection as a pattern sees it. `reactor` knows which thread
//! drives a socket's descriptors and when; `sys` is the operating system below. Unsafe code is in the two outer
//! modules, `ffi` and `sys`.

mod api;

pub mod ffi;

mod socket;

mod pattern;

mod transport;

mod codec;

mod pipe;

mod reactor;

mod message;

mod panics;

mod sys;

mod error;

mod peer;

mod scratch;

#[cfg(all(ws, any(test, fuzzing)))]
pub mod fuzzing;

#[cfg(simulated)]
pub mod simulation;

#[cfg(all(test, ws))]
mod icount;

pub use api::{
    Endpoint, Error, Message, Overflow, Peer, PeerCertificate, PeerProcess, PollItem, Replies, Request, Requests,
    Result, Socket, SocketType, Statistic, TcpKeepalive, TlsVerify, TlsVersion, WsMessageType, device, loopback, poll,
};
