//! In the place of memory that processes share, where there is none: every message goes over its stream.
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "nothing of this can be made")]

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::sync::atomic::AtomicU32;

use super::Stream;

pub(crate) const PAGE: usize = 4096;
pub(crate) const WORDS: usize = PAGE / size_of::<u32>();

fn none<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

#[derive(Debug)]
pub(crate) struct Descriptor(Infallible);

#[derive(Debug)]
pub(crate) struct Segment(Infallible);

impl Segment {
    pub(crate) fn create(_length: usize) -> io::Result<Self> {
        none()
    }

    pub(crate) fn adopt(descriptor: Descriptor, _length: usize) -> io::Result<Self> {
        match descriptor.0 {}
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        match self.0 {}
    }

    pub(crate) fn len(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn at(&self, _offset: usize, _length: usize) -> *mut u8 {
        match self.0 {}
    }

    pub(crate) fn bytes(&self, _offset: usize, _length: usize) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn write(&self, _offset: usize, _data: &[u8]) {
        match self.0 {}
    }

    pub(crate) fn commit(&self, _offset: usize, _length: usize) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn was_written(&self, _offset: usize, _length: usize) -> bool {
        match self.0 {}
    }

    pub(crate) fn make_private(&self, _offset: usize, _length: usize) {
        match self.0 {}
    }

    pub(crate) fn leave_to_parent(&self) {
        match self.0 {}
    }

    pub(crate) fn forget_writes(&self, _offset: usize, _length: usize) {
        match self.0 {}
    }
}

pub(crate) fn forget_pagemap() {}

pub(crate) fn at_fork(_prepare: extern "C" fn(), _parent: extern "C" fn(), _child: extern "C" fn()) {}

#[derive(Debug)]
pub(crate) struct Page(Infallible);

impl Page {
    pub(crate) fn create() -> io::Result<(Self, Descriptor)> {
        none()
    }

    pub(crate) fn adopt(descriptor: &Descriptor) -> io::Result<Self> {
        match descriptor.0 {}
    }

    pub(crate) fn word(&self, _index: usize) -> &AtomicU32 {
        match self.0 {}
    }
}

pub(crate) fn greet(stream: &Stream, bytes: &[u8]) -> io::Result<usize> {
    super::send(stream, bytes)
}

pub(crate) fn is_sign(descriptor: &Descriptor) -> bool {
    match descriptor.0 {}
}

pub(crate) fn can_share(_stream: &Stream) -> bool {
    false
}

pub(crate) fn own_user() -> u32 {
    0
}

pub(crate) fn send_with(_stream: &Stream, _parts: &[IoSlice<'_>], descriptor: &Descriptor) -> io::Result<usize> {
    match descriptor.0 {}
}

pub(crate) fn fill_with(
    stream: &Stream,
    first: &mut Vec<u8>,
    limit: usize,
    second: &mut [u8],
    _found: &mut Vec<Descriptor>,
) -> io::Result<(usize, usize)> {
    super::fill(stream, first, limit, second)
}
