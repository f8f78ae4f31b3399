//! Linux: epoll, futexes, eventfds and system calls of our own. A caller that waits drives its socket itself.

mod futex;
mod hub;
mod park;
mod polled;
mod poller;
mod readiness;
#[cfg(shared_memory)]
pub(crate) mod shared_memory;
mod stream;
mod tripwire;

pub(crate) use hub::Hub;
pub(crate) use park::Parker;
pub(crate) use poller::{Events, Poller, WaitSet};
pub(crate) use readiness::Readiness;
pub(crate) use stream::{fill, recv, send, send_vectored};
pub(crate) use tripwire::Tripwire;
pub(in crate::sys) use tripwire::forked;
