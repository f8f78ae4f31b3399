//! A connection as sessions and writers use it: the system's stream, or TLS on it.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};
use std::net::Shutdown;

use super::tls::Tls;
use crate::message::shared::Handed;
use crate::peer::Certificate;
use crate::sys::shared_memory::{self, Descriptor};
use crate::sys::{self, Stream};

pub(crate) enum Channel {
    Plain(Stream),
    #[cfg_attr(not(tls), allow(dead_code, reason = "there is no TLS"))]
    Tls(Box<Tls>),
}

impl From<Stream> for Channel {
    fn from(stream: Stream) -> Self {
        Self::Plain(stream)
    }
}

impl From<Tls> for Channel {
    fn from(tls: Tls) -> Self {
        Self::Tls(Box::new(tls))
    }
}

impl Channel {
    /// The system's: to wait for, and to ask about.
    #[inline]
    pub(crate) fn stream(&self) -> &Stream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(tls) => tls.stream(),
        }
    }

    /// Whether both sides still make up what protects what they will say. What is written meanwhile waits.
    pub(crate) fn is_handshaking(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.is_handshaking(),
        }
    }

    /// Whether it is protected. Its reads bring whole records, more than they are asked for.
    #[inline]
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Reads from it, as [`sys::recv`] does. No more than `wanted` bytes are asked for, of a plain stream.
    #[inline]
    pub(crate) fn recv(&self, buffer: &mut [u8], wanted: usize) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => sys::recv(stream, &mut buffer[..wanted]),
            Self::Tls(tls) => tls.recv(buffer, wanted),
        }
    }

    /// Likewise, as [`sys::fill`] does.
    pub(crate) fn fill(&self, first: &mut Vec<u8>, limit: usize, second: &mut [u8]) -> io::Result<(usize, usize)> {
        match self {
            Self::Plain(stream) => sys::fill(stream, first, limit, second),
            Self::Tls(tls) => tls.fill(first, limit, second),
        }
    }

    /// Whether there is more to read that the system does not report, because it was read already.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.has_more(),
        }
    }

    /// Writes to it, as [`sys::send`] does. What is not taken has to be offered again, before anything else.
    #[inline]
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => sys::send(stream, bytes),
            Self::Tls(tls) => tls.send_vectored(&[IoSlice::new(bytes)]),
        }
    }

    /// The same, from several places.
    #[inline]
    pub(crate) fn send_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => sys::send_vectored(stream, parts),
            Self::Tls(tls) => tls.send_vectored(parts),
        }
    }

    /// The same, with a descriptor where the stream passes such things on.
    pub(crate) fn send_along(&self, parts: &[IoSlice<'_>], handed: Option<&Handed>) -> io::Result<usize> {
        match (self, handed) {
            (Self::Plain(stream), Some(handed)) => shared_memory::send_with(stream, parts, handed.descriptor()),
            _ => self.send_vectored(parts),
        }
    }

    /// Begins with these bytes, and with the sign that large messages may come by reference if `shares`.
    pub(crate) fn greet(&self, bytes: &[u8], shares: bool) -> io::Result<usize> {
        match self {
            Self::Plain(stream) if shares => shared_memory::greet(stream, bytes),
            _ => self.send(bytes),
        }
    }

    /// Whether large messages could go by reference.
    pub(crate) fn can_share(&self) -> bool {
        matches!(self, Self::Plain(stream) if shared_memory::can_share(stream))
    }

    /// Reads as [`Channel::fill`] does, and takes a descriptor that comes along.
    pub(crate) fn fill_with(
        &self,
        first: &mut Vec<u8>,
        limit: usize,
        second: &mut [u8],
        found: &mut Vec<Descriptor>,
    ) -> io::Result<(usize, usize)> {
        match self {
            Self::Plain(stream) => shared_memory::fill_with(stream, first, limit, second, found),
            Self::Tls(tls) => tls.fill(first, limit, second),
        }
    }

    /// Writes what waits here for the system. False: that takes no more, and something still waits.
    pub(crate) fn flush(&self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(true),
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// Whether something waits here for the system.
    #[inline]
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.wants_write(),
        }
    }

    /// Ends our side. False: the system does not take what has to be said for that yet.
    pub(crate) fn finish(&self) -> io::Result<bool> {
        match self {
            Self::Plain(stream) => stream.shutdown(Shutdown::Write).map(|()| true),
            Self::Tls(tls) => tls.finish(),
        }
    }

    /// What the peer has shown of itself.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.certificate(),
        }
    }
}
