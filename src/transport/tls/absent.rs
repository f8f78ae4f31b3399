//! What stands for TLS where the library is built without: no stream is ever of this kind.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io::{self, IoSlice};

use crate::error::{Error, Result};
use crate::peer::Certificate;
use crate::sys::Stream;

/// There are none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options(());

impl Options {
    pub(crate) fn change(_: i32, _: &[u8]) -> Result<Change> {
        Err(Error::NoSuchOption)
    }

    pub(crate) fn value(&self, _: i32) -> Result<Reading> {
        Err(Error::NoSuchOption)
    }
}

/// What setting an option does.
pub(crate) type Change = Box<dyn FnOnce(&mut Options)>;

#[derive(Debug)]
#[allow(dead_code, reason = "no option has a value")]
pub(crate) enum Reading {
    Int(i32),
    Text(Vec<u8>),
}

pub(crate) struct Tls(Infallible);

impl Tls {
    pub(crate) fn stream(&self) -> &Stream {
        match self.0 {}
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn recv(&self, _: &mut [u8], _: usize) -> io::Result<usize> {
        match self.0 {}
    }

    pub(crate) fn fill(&self, _: &mut Vec<u8>, _: usize, _: &mut [u8]) -> io::Result<(usize, usize)> {
        match self.0 {}
    }

    pub(crate) fn has_more(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn send_vectored(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.0 {}
    }

    pub(crate) fn flush(&self) -> io::Result<bool> {
        match self.0 {}
    }

    pub(crate) fn wants_write(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn finish(&self) -> io::Result<bool> {
        match self.0 {}
    }

    pub(crate) fn certificate(&self) -> Option<Certificate> {
        match self.0 {}
    }
}
