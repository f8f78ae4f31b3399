//! Would tell a thread that waits that the program has closed our descriptors. Condition variables, which is what threads
//! wait for here, cannot be closed: there is nothing that would have to be told, and a call that the closed descriptors leave
//! without events waits until its socket is closed.
#![forbid(unsafe_code)]

use std::io;

#[derive(Debug)]
pub(crate) struct Tripwire;

impl Tripwire {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn is_whole(&self) -> bool {
        true
    }
}
