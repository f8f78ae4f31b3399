//! A system that is made up: threads that run one at a time in an order drawn from a seed, a clock set by hand, and a
//! network in memory that refuses, delays, stalls and cuts. It keeps the contract and promises no more, so that what holds
//! here does not hold by the luck of one kernel.
//!
//! `scheduler` has the threads and the clock, `network` the bytes, `memory` counts what is in use. The rest is the contract in terms of these two.

mod history;
mod memory;
mod network;
mod park;
mod poller;
mod readiness;
mod scheduler;
mod stream;
mod sync;

pub(crate) use memory::{most, used};
pub(crate) use network::Weather;
pub(crate) use park::Parker;
pub(crate) use poller::{Events, Hub, Poller, WaitSet};
pub(crate) use readiness::{Readiness, Tripwire, is_readable, wait_readable};
pub(crate) use scheduler::{
    Given, Leftovers, Rng, begin, digest, elapsed, fail, has_many_cpus, leftovers, losses, me, nap, note, now,
    progress, random, spawn, steps, unseen, yield_now,
};
pub(crate) use stream::{
    AsSource, Source, Stream, ends_of, fill, pending_out, recv, round_trip_time, send, send_vectored,
};
pub(crate) use sync::{Condvar, Mutex, MutexGuard};

pub(crate) use scheduler::JoinHandle;

/// A descriptor as a program sees it.
pub(crate) type RawSource = i32;

/// Its order is the same in every run.
pub(crate) type HashMap<K, V> =
    std::collections::HashMap<K, V, std::hash::BuildHasherDefault<std::hash::DefaultHasher>>;

static AT_EXIT: std::sync::OnceLock<extern "C" fn()> = std::sync::OnceLock::new();

/// Runs `action` when the simulated process exits.
pub(crate) fn at_exit(action: extern "C" fn()) {
    AT_EXIT.get_or_init(|| action);
}

/// The simulated process exits, as far as the library hears of it.
pub(crate) fn exit() {
    if let Some(action) = AT_EXIT.get() {
        action();
    }
}

/// Wall clock and monotonic clock are the same one.
pub(crate) fn timestamps() -> (u64, u64) {
    let time = elapsed().as_nanos() as u64;
    (time, time)
}

/// Nobody forks here.
pub(super) fn forked() {}
