//! What a program can wait for outside of the library.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use super::super::process::Sheltered;
use super::super::{RawSource, Uncancelled};
use super::Poller;

#[cfg(unix)]
type End = std::os::unix::net::UnixStream;
#[cfg(not(unix))]
type End = std::net::TcpStream;

/// A descriptor that is readable while it is set: one end of a connection that a byte lies in.
#[derive(Debug)]
pub(crate) struct Readiness {
    shown: Sheltered<End>,
    hidden: Sheltered<End>,
}

#[cfg(unix)]
fn pair() -> io::Result<(End, End)> {
    End::pair()
}

/// Over the loopback interface, where others may connect as well: they are sent away.
#[cfg(any(not(unix), test))]
fn loopback_pair() -> io::Result<(std::net::TcpStream, std::net::TcpStream)> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    let near = std::net::TcpStream::connect(listener.local_addr()?)?;
    let own = near.local_addr()?;
    loop {
        let (far, from) = listener.accept()?;
        if from == own {
            near.set_nodelay(true)?;
            return Ok((near, far));
        }
    }
}

#[cfg(not(unix))]
use loopback_pair as pair;

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
        self.shown.as_raw_fd()
    }

    /// Makes it readable.
    pub(crate) fn set(&self) {
        let _whole = Uncancelled::new();
        // One that takes no more bytes is readable already.
        let _ = (&*self.hidden).write(&[1]);
    }

    /// Makes it quiet.
    pub(crate) fn clear(&self) {
        let _whole = Uncancelled::new();
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

    /// What systems without pairs of local sockets have.
    #[test]
    fn a_pair_over_loopback_belongs_together() {
        let (mut near, mut far) = loopback_pair().unwrap();
        assert_eq!(near.local_addr().unwrap(), far.peer_addr().unwrap());
        near.write_all(b"x").unwrap();
        assert!(is_readable(&mut far));
    }
}
