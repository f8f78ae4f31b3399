//! Lease, waiters, mailbox and parker under loom: every order of steps of small sets of threads, a lost wakeup being a
//! deadlock that loom reports.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --profile checks --test loom
//! ```
//!
//! The four are the library's own files, the parker of both systems. They have their locks, atomics and fences from
//! `crate::sys`, which is [`sys`] here: loom's atomics, and above them the kernel's futex and descriptors and std's lock.
//! Each model puts the least around them that a socket is:
//!
//! | model | has | stands for |
//! | --- | --- | --- |
//! | `parker` | both parkers | their threads and those that wake them |
//! | `mail` | mailbox, waiters, parker | sockets of one process: the notes are numbers, `StateGuard::release` is short |
//! | `socket` | lease, waiters, parker | `src/socket/{wait,turn,poll,close}.rs` in the same order of steps, with a poller that is a flag; and the worker |
//!
//! What is wrong in those loops and right in the third model is not found here; the simulator runs them as they are.
//!
//! Each model bounds the involuntary switches of an order of steps (3, or 2 where three threads or more run);
//! `LOOM_MAX_PREEMPTIONS` replaces that bound.

#![cfg(loom)]

#[path = "../../src/reactor/lease.rs"]
#[allow(dead_code, reason = "nothing is gathered in the models, and nobody panics")]
mod lease;
mod mail;
#[path = "../../src/socket/mailbox.rs"]
mod mailbox;
mod parker;
mod socket;
mod sys;
#[path = "../../src/socket/core/waiters.rs"]
#[allow(dead_code, reason = "the models have no device and no kernel that is full")]
mod waiters;

/// What a [`waiters::WaitFor`] names.
mod pattern {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct DeviceId;
}

mod pipe {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct PipeId;
}

/// Runs every order of steps of a model that has at most so many involuntary switches between threads.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 5_000;
    builder.check(model);
}
