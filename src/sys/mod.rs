//! The operating system below us: what std and the crates lack. With `ffi` the only room that may use unsafe code;
//! everything it offers is safe to call.

mod park;
mod poller;
mod process;
mod random;
mod socket;
mod sync;
mod tripwire;
mod watch;

pub(crate) use park::{Parker, Unparked, current_parker, forget_parker};
pub(crate) use poller::{Events, Interest, Poller, WaitSet};
pub(crate) use process::{Uncancelled, at_exit, generation, nap, on_fork, without_signals};
pub(crate) use random::random;
pub(crate) use socket::{
    EventFd, Stream, fill, interface_index, recv, send, send_vectored, tell, unsent,
};
pub(crate) use sync::{Condvar, Mutex, MutexGuard};
use socket::{Polled, poll_readable};
pub(crate) use tripwire::Tripwire;
pub(crate) use watch::{Nest, NestEvents};

#[cfg(not(target_os = "linux"))]
compile_error!("only Linux has its walls built: src/sys needs a sibling for this system");
