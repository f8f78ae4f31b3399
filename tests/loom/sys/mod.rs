//! `crate::sys` of the library's files that run here.

pub(crate) mod atomic;
pub(crate) mod linux;
mod mutex;
#[path = "../../../src/sys/unparked.rs"]
mod unparked;

pub(crate) use linux::Parker;
pub(crate) use mutex::{Mutex, MutexGuard};
pub(crate) use unparked::Unparked;
