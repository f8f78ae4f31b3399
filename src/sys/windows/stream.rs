//! What is read from and written to a stream: by socket2, or as pipes do it.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};

use super::super::imp;
use super::descriptors::{Kind, Stream};

/// As `portable` has it.
pub(crate) fn fill(
    stream: &Stream,
    first: &mut Vec<u8>,
    limit: usize,
    second: &mut [u8],
) -> io::Result<(usize, usize)> {
    match stream.kind() {
        Kind::Socket(socket) => imp::fill(socket, first, limit, second),
        Kind::Pipe(pipe) => pipe.fill(first, limit, second),
    }
}

pub(crate) fn recv(stream: &Stream, buffer: &mut [u8]) -> io::Result<usize> {
    match stream.kind() {
        Kind::Socket(socket) => imp::recv(socket, buffer),
        Kind::Pipe(pipe) => pipe.recv(buffer),
    }
}

pub(crate) fn send(stream: &Stream, bytes: &[u8]) -> io::Result<usize> {
    match stream.kind() {
        Kind::Socket(socket) => imp::send(socket, bytes),
        Kind::Pipe(pipe) => pipe.send_vectored(&[IoSlice::new(bytes)]),
    }
}

pub(crate) fn send_vectored(stream: &Stream, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    match stream.kind() {
        Kind::Socket(socket) => imp::send_vectored(socket, parts),
        Kind::Pipe(pipe) => pipe.send_vectored(parts),
    }
}
