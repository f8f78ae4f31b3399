//! Streams: sockets, and named pipes.

use std::io;
use std::net::Shutdown;
use std::os::windows::io::AsSocket;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket};

use super::pipe::Pipe;
use super::{AsSource, Source};

/// A stream, or what listens for them.
#[derive(Debug)]
pub(crate) struct Stream(Kind);

#[derive(Debug)]
pub(super) enum Kind {
    Socket(Socket),
    Pipe(Pipe),
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Self {
        Self(Kind::Socket(socket))
    }
}

impl From<Pipe> for Stream {
    fn from(pipe: Pipe) -> Self {
        Self(Kind::Pipe(pipe))
    }
}

impl Stream {
    pub(crate) fn source(&self) -> Source<'_> {
        match &self.0 {
            Kind::Socket(socket) => Source::Socket(socket.as_socket()),
            Kind::Pipe(pipe) => pipe.source(),
        }
    }

    #[inline]
    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }

    #[inline]
    pub(super) fn socket(&self) -> Option<&Socket> {
        match &self.0 {
            Kind::Socket(socket) => Some(socket),
            Kind::Pipe(_) => None,
        }
    }

    #[inline]
    pub(super) fn pipe(&self) -> Option<&Pipe> {
        match &self.0 {
            Kind::Socket(_) => None,
            Kind::Pipe(pipe) => Some(pipe),
        }
    }

    /// Of a pipe that of a Unix stream: a connection within the machine, whose end discards what the peer has not read.
    pub(crate) fn domain(&self) -> io::Result<Domain> {
        self.socket().map_or(Ok(Domain::UNIX), |socket| Ok(socket.local_addr()?.domain()))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SockAddr> {
        self.of_a_socket(Socket::local_addr)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SockAddr> {
        self.of_a_socket(Socket::peer_addr)
    }

    pub(crate) fn listen(&self, backlog: i32) -> io::Result<()> {
        self.of_a_socket(|socket| socket.listen(backlog))
    }

    pub(crate) fn accept(&self) -> io::Result<(Socket, SockAddr)> {
        self.of_a_socket(Socket::accept)
    }

    /// A pipe is connected at once, or not made.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().map_or(Ok(None), Socket::take_error)
    }

    pub(crate) fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.socket().map_or(Ok(()), |socket| socket.set_linger(linger))
    }

    /// A pipe has no end of one direction: it ends as a whole.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().map_or(Ok(()), |socket| socket.shutdown(how))
    }

    fn of_a_socket<T>(&self, ask: impl FnOnce(&Socket) -> io::Result<T>) -> io::Result<T> {
        self.socket().map_or(Err(io::ErrorKind::Unsupported.into()), ask)
    }
}

impl AsSource for Stream {
    fn as_source(&self) -> Source<'_> {
        self.source()
    }
}
