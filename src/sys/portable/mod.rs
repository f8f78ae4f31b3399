//! Every system: std, socket2 and the crate polling. One poller for the process, which the worker's thread waits for; callers
//! sleep on condition variables until it has something for them.
//!
//! It is slower than a way of its own for a system, and what such a way is measured and checked by. What it does not give: a
//! signal handler does not end a sleep ([`Unparked::Interrupted`](super::Unparked) never comes), and a program that closes our
//! descriptors is not noticed by those who wait ([`Tripwire`]).

mod hub;
mod park;
mod poller;
mod readiness;
mod stream;
mod tripwire;
mod wait_set;

pub(crate) use hub::Hub;
pub(crate) use park::Parker;
pub(crate) use poller::{Events, Poller};
pub(crate) use readiness::Readiness;
pub(crate) use stream::{fill, recv, send, send_vectored};
pub(crate) use tripwire::Tripwire;
pub(crate) use wait_set::WaitSet;

#[cfg_attr(windows, allow(dead_code, reason = "nobody forks there"))]
/// In the child of a fork: nothing of the parent's is touched, and nothing of it has to be let go.
pub(in crate::sys) fn forked() {}
