//! The lease, the mailbox and the parker under loom: every interleaving of small sets of threads, a lost wakeup being a
//! deadlock that loom reports.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --profile checks --test loom_lease
//! ```
//!
//! The lease is the library's own file. What surrounds them is a model: written again here, as short as it
//! can be and in the same order of steps. What is wrong in the originals and right here is not found.
//!
//! | model | follows |
//! | --- | --- |
//! | `socket` | `src/socket/{wait,turn,close}.rs`, and `Held` of `src/socket/mod.rs` |
//! | `mailbox` | `src/socket/neighbours.rs` |
//! | `parker` | `src/sys/park.rs` |
//!
//! Who changes the order of steps in one of those files changes it here as well.
//!
//! Each model bounds the involuntary switches of an interleaving (3, or 2 where four threads run);
//! `LOOM_MAX_PREEMPTIONS` replaces that bound.

#![cfg(loom)]

#[path = "../../src/reactor/lease.rs"]
mod lease;
mod mailbox;
mod parker;
mod socket;

/// Runs every interleaving of a model that has at most so many involuntary switches between threads.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 5_000;
    builder.check(model);
}
