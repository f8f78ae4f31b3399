//! The operating system below us, as a contract: what the rooms above may use, and what it promises. With `ffi` the only
//! room that may use unsafe code; everything it offers is safe to call. No room above names a system.
//!
//! | name | promise |
//! | --- | --- |
//! | [`now`], [`nap`], [`spawn`] | the clock, a pause that is no cancellation point, a thread without signals |
//! | [`Mutex`], [`Condvar`] | never poisoned, never in a table that a fork could leave locked |
//! | [`Parker`], [`current_parker`] | one thread's sleep: a wakeup before it is not lost, a signal handler ends it, being stopped and continued does not |
//! | [`Poller`] | one socket's sources under keys of 64 bits, level-triggered: what is ready is found by every look until it is served. One thread at a time waits; any thread ends the wait by `notify` |
//! | [`Hub`] | what the worker waits for: each armed poller reports once that it has something |
//! | [`WaitSet`] | several pollers and a parker that one thread waits for: a wait costs what is ready |
//! | [`Stream`], [`recv`], [`fill`], [`send`], [`send_vectored`] | a non-blocking byte stream; no SIGPIPE, no cancellation point |
//! | [`pending_out`] | bytes the peer does not have yet, where the system tells |
//! | [`Readiness`] | a descriptor that a program can wait for |
//! | [`Tripwire`] | ends the waits of a process that has closed our descriptors |
//! | [`generation`], [`at_exit`], [`Uncancelled`] | fork, exit and pthread_cancel |
//!
//! There are two implementations. `linux` makes its own system calls. `portable` (the feature `portable-sys`, and every
//! system but Linux) has std and the crate polling: one poller for the process, served by the worker's thread.

pub(crate) mod atomic;
mod errors;
mod interest;
mod process;
mod random;
mod sync;
mod system;
mod threads;
mod unparked;

#[cfg(not(portable_sys))]
#[path = "linux/mod.rs"]
mod imp;
#[cfg(portable_sys)]
#[path = "portable/mod.rs"]
mod imp;

pub(crate) use errors::{code_of, concerns_only_the_peer, exhausted, is_exhausted, is_in_progress, refused};
use imp::forked;
pub(crate) use imp::{Events, Hub, Parker, Poller, Readiness, Tripwire, WaitSet, fill, recv, send, send_vectored};
pub(crate) use interest::Interest;
pub(crate) use process::{Uncancelled, at_exit, generation, nap, now, on_fork, spawn};
pub(crate) use random::random;
pub(crate) use sync::{Condvar, Mutex, MutexGuard};
pub(crate) use system::{interface_index, pending_out, tell};
pub(crate) use threads::{current_parker, forget_parker};
pub(crate) use unparked::Unparked;

/// A stream, or what listens for them.
pub(crate) type Stream = process::Sheltered<socket2::Socket>;

/// What a [`Poller`] can watch.
pub(crate) use std::os::fd::{AsFd as AsSource, BorrowedFd as Source};

/// A descriptor as a program sees it.
pub(crate) use std::os::fd::RawFd as RawSource;
