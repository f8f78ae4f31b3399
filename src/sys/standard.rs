//! What std has for every system.
#![forbid(unsafe_code)]

use std::thread;
use std::time::Instant;

/// The time, as all rooms above ask for it.
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A thread of the library's own.
pub(crate) type JoinHandle = thread::JoinHandle<()>;

/// Lets other threads have the processor.
pub(crate) fn yield_now() {
    thread::yield_now();
}

/// Whether two threads of ours can run at the same time.
pub(crate) fn has_many_cpus() -> bool {
    thread::available_parallelism().is_ok_and(|count| count.get() > 1)
}
