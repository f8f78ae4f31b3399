//! What is of Windows: under the same names as what is of Unix.

pub(in crate::sys) mod descriptors;
pub(in crate::sys) mod errors;
#[cfg(any(ipc, tls))]
#[cfg_attr(not(ipc), allow(dead_code, reason = "TLS only reads files"))]
pub(crate) mod files;
mod numbers;
mod operation;
pub(crate) mod pipe;
pub(in crate::sys) mod process;
mod signals;
pub(in crate::sys) mod stream;
pub(in crate::sys) mod system;
pub(in crate::sys) mod watches;

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket};
use std::sync::Arc;

use signals::Signals;

/// What a poller can watch.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Socket(BorrowedSocket<'a>),
    /// Events that tell of something that is no socket.
    Signals(&'a Arc<Signals>),
}

pub(crate) trait AsSource {
    fn as_source(&self) -> Source<'_>;
}

impl AsSource for Source<'_> {
    fn as_source(&self) -> Source<'_> {
        *self
    }
}

impl<T: AsSource> AsSource for &T {
    fn as_source(&self) -> Source<'_> {
        (**self).as_source()
    }
}

impl AsSource for End {
    fn as_source(&self) -> Source<'_> {
        Source::Socket(self.as_socket())
    }
}

/// A SOCKET, which is what a program can wait for here.
pub(crate) use std::os::windows::io::RawSocket as RawSource;

/// Two ends of a connection within this process.
pub(crate) type End = TcpStream;

/// Over the loopback interface, where others may connect as well: they are sent away.
pub(crate) fn pair() -> io::Result<(End, End)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let own = near.local_addr()?;
    loop {
        let (far, from) = listener.accept()?;
        if from == own {
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            return Ok((near, far));
        }
    }
}

pub(in crate::sys) fn source_of(end: &End) -> Source<'_> {
    Source::Socket(end.as_socket())
}

pub(in crate::sys) fn raw_of(end: &End) -> RawSource {
    end.as_raw_socket()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_pair_over_loopback_belongs_together() {
        let (mut near, mut far) = pair().unwrap();
        assert_eq!(near.local_addr().unwrap(), far.peer_addr().unwrap());
        near.write_all(b"x").unwrap();
        far.read_exact(&mut [0]).unwrap();
    }
}
