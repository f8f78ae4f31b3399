//! What a program can wait for outside of the library.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use super::super::RawSource;
use super::Poller;
use super::history::NONE;
use super::scheduler::{Wait, deadline, point, wait, with};

/// Readable while it is set.
#[derive(Debug)]
pub(crate) struct Readiness(u64);

impl Readiness {
    pub(crate) fn new() -> io::Result<Self> {
        point(10);
        with(|world| {
            if world.refuses() {
                return Err(io::Error::from_raw_os_error(libc::EMFILE));
            }
            let id = world.id();
            world.readiness.insert(id, false);
            Ok(Self(id))
        })
    }

    /// One that is readable also while the poller has something: there is none.
    pub(crate) fn direct(_: &Poller) -> io::Result<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn is_direct(&self) -> bool {
        false
    }

    /// As a program sees it.
    pub(crate) fn raw(&self) -> RawSource {
        self.0 as RawSource
    }

    fn put(&self, set: bool) {
        with(|world| {
            world.note("shows", [self.0 as i64, set.into(), NONE]);
            world.readiness.insert(self.0, set);
        });
        point(10);
    }

    /// Makes it readable.
    pub(crate) fn set(&self) {
        self.put(true);
    }

    /// Makes it quiet.
    pub(crate) fn clear(&self) {
        self.put(false);
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        with(|world| world.readiness.remove(&self.0));
    }
}

/// As a program that polls it would find it. One that is closed is readable.
pub(crate) fn is_readable(source: RawSource) -> bool {
    with(|world| world.readiness.get(&(source as u64)).copied().unwrap_or(true))
}

/// Waits as a program does that polls it.
pub(crate) fn wait_readable(source: RawSource, timeout: Option<Duration>) {
    point(10);
    let until = deadline(timeout);
    wait(Wait::Readiness(source as u64), until);
}

/// Nobody closes our descriptors here.
#[derive(Debug)]
pub(crate) struct Tripwire;

impl Tripwire {
    pub(crate) fn new() -> io::Result<Self> {
        point(10);
        with(|world| {
            if world.refuses() {
                world.blind = true;
                return Err(io::Error::from_raw_os_error(libc::EMFILE));
            }
            Ok(Self)
        })
    }

    pub(crate) fn is_whole(&self) -> bool {
        true
    }
}
