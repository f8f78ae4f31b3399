//! What a program can wait for outside of the library.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};

use super::super::os::{End, pair, raw_of, source_of};
use super::super::process::DropUncancelled;
use super::super::{CancelGuard, RawSource, Source};
use super::Poller;

/// A descriptor that is readable while it is set: one end of a connection that a byte lies in.
#[derive(Debug)]
pub(crate) struct Readiness {
    shown: DropUncancelled<End>,
    hidden: DropUncancelled<End>,
}

impl Readiness {
    pub(crate) fn new() -> io::Result<Self> {
        let (hidden, shown) = pair()?;
        hidden.set_nonblocking(true)?;
        shown.set_nonblocking(true)?;
        Ok(Self { shown: shown.into(), hidden: hidden.into() })
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
        raw_of(&self.shown)
    }

    pub(super) fn source(&self) -> Source<'_> {
        source_of(&self.shown)
    }

    /// Makes it readable.
    pub(crate) fn set(&self) {
        let _whole = CancelGuard::new();
        // One that takes no more bytes is readable already.
        let _ = (&*self.hidden).write(&[1]);
    }

    /// Makes it quiet.
    pub(crate) fn clear(&self) {
        let _whole = CancelGuard::new();
        let mut bytes = [0; 64];
        while (&*self.shown).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(mut end: impl Read) -> bool {
        match end.read(&mut [0; 1]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            read => read.unwrap() > 0,
        }
    }

    #[test]
    fn it_is_readable_while_it_is_set() {
        let readiness = Readiness::new().unwrap();
        assert!(!is_readable(&*readiness.shown));
        (0..200).for_each(|_| readiness.set());
        assert!(is_readable(&*readiness.shown));
        readiness.clear();
        assert!(!is_readable(&*readiness.shown));
        readiness.set();
        assert!(is_readable(&*readiness.shown));
    }
}
