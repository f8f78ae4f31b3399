//! The operating system below us, as a contract: what the rooms above may use, and what it promises. With `ffi` the only
//! room that may use unsafe code; everything it offers is safe to call. No room above names a system.
//!
//! | name | promise |
//! | --- | --- |
//! | [`now`], [`nap`], [`yield_now`] | the clock, a pause that is no cancellation point, a chance for other threads |
//! | [`spawn`], [`has_many_cpus`] | a thread without signals, whose waits end as exactly as the system can, and whether it can run beside its maker |
//! | [`Mutex`], [`Condvar`] | never poisoned, never in a table that a fork could leave locked |
//! | [`Parker`], [`current_parker`] | one thread's sleep: a wakeup before it is not lost, a signal handler ends it, being stopped and continued does not |
//! | [`Poller`] | one socket's sources under keys of 64 bits, level-triggered: what is ready is found by every look until it is served. One thread at a time waits; any thread ends the wait by `notify` |
//! | [`Hub`] | what the worker waits for: each armed poller reports once that it has something |
//! | [`WaitSet`] | several pollers and a parker that one thread waits for: a wait costs what is ready |
//! | [`Stream`], [`recv`], [`fill`], [`send`], [`send_vectored`] | a non-blocking byte stream; no SIGPIPE, no cancellation point |
//! | [`Adopted`], [`Claim`] | descriptors of the program's that become streams: claimed, looked at, taken; each once at a time |
//! | [`pending_out`], [`end_unacknowledged`] | bytes the peer does not have yet, and a limit to how long that may last, where the system tells and can |
//! | [`ends_of`], [`round_trip_time`], [`timestamps`] | what the system reports of a connection: addresses, the process, the round-trip time; and the time of an event |
//! | [`shared_memory`] | segments and pages that two processes map, and descriptors that pass between them; where there is none nothing of it can be made |
//! | [`files`] | files that name sockets: whose they are, and a lock on their folder |
//! | [`Readiness`] | a descriptor that a program can wait for; where the system can, also one in which a poller is |
//! | [`Tripwire`] | ends the waits of a process that has closed our descriptors |
//! | [`generation`], [`at_exit`], [`CancelGuard`] | fork, exit and pthread_cancel |
//!
//! There are two implementations, and a third for the simulator, where one thread runs at a time, in an order that a seed
//! decides (`simulated`). `linux` makes its own system calls. `portable` (the feature `portable-sys`, and every
//! system but Linux) has std and the crate polling: one poller for the process, served by the worker's thread. Both stand on
//! what all systems of one kind have in common: `unix` or `windows`, the same names in each.

pub(crate) mod atomic;
mod errno;
mod interest;
#[cfg(not(simulated))]
mod random;
#[cfg(not(shared_memory))]
#[path = "unshared_memory.rs"]
pub(crate) mod shared_memory;
#[cfg(simulated)]
pub(crate) mod simulated;
#[cfg_attr(simulated, allow(dead_code, reason = "a part of it is simulated"))]
mod standard;
#[cfg(not(simulated))]
mod sync;
mod threads;
mod unparked;

#[cfg(unix)]
#[path = "unix/mod.rs"]
mod os;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod os;

#[cfg(not(any(portable_sys, simulated)))]
#[path = "linux/mod.rs"]
mod imp;
#[cfg(all(portable_sys, not(simulated)))]
#[path = "portable/mod.rs"]
mod imp;

#[cfg(simulated)]
use simulated as imp;

pub(crate) use errno::{code_of, is_timeout, number_of};
#[cfg(unix)]
use imp::forked;
#[cfg(shared_memory)]
pub(crate) use imp::shared_memory;
#[cfg(simulated)]
pub(crate) use imp::{
    AsSource, Condvar, HashMap, JoinHandle, Mutex, MutexGuard, RawSource, Source, Stream, at_exit, ends_of,
    has_many_cpus, nap, now, pending_out, random, round_trip_time, spawn, timestamps, yield_now,
};
pub(crate) use imp::{Events, Hub, Parker, Poller, Readiness, Tripwire, WaitSet};
#[cfg(unix)]
pub(crate) use imp::{fill, recv, send, send_vectored};
pub(crate) use interest::Interest;
#[cfg(all(portable_sys, not(simulated)))]
use os::AsSource;
#[cfg(not(simulated))]
pub(crate) use os::descriptors::Stream;
#[cfg(not(simulated))]
pub(crate) use os::errors::is_in_progress;
#[cfg(tls)]
pub(crate) use os::errors::no_permission;
pub(crate) use os::errors::{
    c_text_of, concerns_only_the_peer, errno_of, errno_place, error_of, exhausted, is_exhausted, refused, reset,
    text_of, timed_out, unreachable,
};
#[cfg(all(unix, not(simulated)))]
pub(crate) use os::errors::{no_such_descriptor, no_such_name, not_connected};
#[cfg(any(ipc, tls))]
pub(crate) use os::files;
#[cfg(all(any(test, fuzzing), not(simulated)))]
pub(crate) use os::pair;
#[cfg(windows)]
pub(crate) use os::pipe;
use os::process;
#[cfg(windows)]
pub(crate) use os::stream::{fill, recv, send, send_vectored};
#[cfg(not(simulated))]
pub(crate) use os::system::{
    allow_rebinding, end_unacknowledged, ends_of, pending_out, round_trip_time, stream_socket, timestamps,
};
pub(crate) use os::system::{interface_index, tell};
#[cfg(all(unix, not(simulated)))]
pub(crate) use os::{Adopted, Claim, Facts};
#[cfg(not(simulated))]
pub(crate) use os::{RawSource, Source};
pub(crate) use process::{CancelGuard, generation, on_fork};
#[cfg(not(simulated))]
pub(crate) use process::{at_exit, nap, spawn};
#[cfg(not(simulated))]
pub(crate) use random::random;
#[cfg(not(simulated))]
pub(crate) use standard::{JoinHandle, has_many_cpus, now, yield_now};
#[cfg(not(simulated))]
pub(crate) use sync::{Condvar, Mutex, MutexGuard};
pub(crate) use threads::{current_parker, forget_parker};
pub(crate) use unparked::Unparked;

/// A map whose order may lead to system calls: in the simulator it is the same in every run.
#[cfg(not(simulated))]
pub(crate) use std::collections::HashMap;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// What only systems have names for.
    const NAMES: [&str; 5] = ["libc", "std::os::fd", "epoll", "eventfd", "rustix"];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { sources(&entry, found) } else { found.push(entry) }
        }
    }

    /// `ffi` speaks C, and nanocat is a program.
    #[test]
    fn no_room_above_names_a_system() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&root, &mut files);
        let above =
            files.iter().filter(|file| !["sys", "ffi", "bin"].iter().any(|room| file.starts_with(root.join(room))));
        let mut looked_at = 0;
        for file in above {
            looked_at += 1;
            let text = fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let named: Vec<&str> = lines.filter(|line| NAMES.iter().any(|name| line.contains(name))).collect();
            assert!(named.is_empty(), "{}: {named:?}", file.display());
        }
        assert!(looked_at > 60, "{looked_at}");
    }
}
