//! `crate::sys` of the library's files that run here.

pub(crate) mod atomic;
mod condvar;
pub(crate) mod linux;
mod mutex;
pub(crate) mod portable;
#[path = "../../../src/sys/unparked.rs"]
mod unparked;

use condvar::Condvar;
pub(crate) use linux::Parker;
pub(crate) use mutex::{Mutex, MutexGuard};
pub(crate) use unparked::Unparked;
