//! The lease, the mailbox and the parker under loom: every interleaving of small sets of threads, a lost wakeup being a
//! deadlock that loom reports.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --profile checks --test loom_lease
//! ```
//!
//! The lease and the handoff are the library's own files. What surrounds it is written again here, as short as it can be and in the same
//! order of steps: `socket` follows `src/socket/{wait,turn,close}.rs` and `Held`, `joint` follows `src/socket/joint.rs` and
//! the loop of `src/socket/device.rs`, `mailbox` follows
//! `src/socket/neighbours.rs`, `parker` follows `src/sys/park.rs`. A change of those files is a change of this one.
//!
//! Each model bounds the involuntary switches of an interleaving (3, or 2 where four threads run);
//! `LOOM_MAX_PREEMPTIONS` replaces that bound.

#![cfg(loom)]

#[path = "../../src/transport/handoff.rs"]
mod handoff;
mod joint;
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
