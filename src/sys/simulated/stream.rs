//! Streams and what listens for them, in the simulated network.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};
use std::marker::PhantomData;
use std::net::Shutdown;
use std::time::Duration;

use crate::peer::Ends;
use socket2::{Domain, SockAddr};

use super::history::NONE;
use super::scheduler::{point, with};

/// A stream, or what listens for them.
#[derive(Debug)]
pub(crate) struct Stream {
    id: u64,
}

/// What a poller can watch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(super) id: u64,
    of: PhantomData<&'a Stream>,
}

pub(crate) trait AsSource {
    fn as_source(&self) -> Source<'_>;
}

impl AsSource for Stream {
    fn as_source(&self) -> Source<'_> {
        Source { id: self.id, of: PhantomData }
    }
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

fn made(
    what: &'static str,
    make: impl FnOnce(&mut super::scheduler::World, u64) -> io::Result<()>,
) -> io::Result<Stream> {
    point(10);
    with(|world| {
        if world.refuses() {
            world.note("is refused a descriptor", [NONE; 3]);
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let id = world.id();
        make(world, id)?;
        world.note(what, [id as i64, NONE, NONE]);
        Ok(Stream { id })
    })
}

impl Stream {
    /// `local`: as a Unix stream.
    pub(crate) fn listen(port: u16, local: bool) -> io::Result<Self> {
        made("listens", |world, id| world.network.listen(id, port, local))
    }

    pub(crate) fn dial(port: u16, local: bool) -> io::Result<Self> {
        made("dials", |world, id| {
            world.network.dial(id, port, local, &mut world.rng);
            Ok(())
        })
    }

    pub(crate) fn accept(&self) -> io::Result<Self> {
        point(10);
        with(|world| {
            let refused = world.refuses();
            let accepted = world.network.accept(self.id, &mut world.rng, refused);
            match &accepted {
                Ok(id) => world.note("accepts", [*id as i64, NONE, NONE]),
                Err(error) => world.note("does not accept", [error.raw_os_error().unwrap_or(0).into(), NONE, NONE]),
            }
            accepted.map(|id| Self { id })
        })
    }

    pub(crate) fn shutdown(&self, _how: Shutdown) -> io::Result<()> {
        point(5);
        with(|world| {
            world.note("shuts", [self.id as i64, NONE, NONE]);
            world.network.shut(self.id, &mut world.rng);
        });
        Ok(())
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(with(|world| world.network.take_error(self.id)))
    }

    pub(crate) fn domain(&self) -> io::Result<Domain> {
        Ok(if with(|world| world.network.is_local(self.id)) { Domain::UNIX } else { Domain::IPV4 })
    }

    /// Has none.
    pub(crate) fn local_addr(&self) -> io::Result<SockAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SockAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn set_linger(&self, _time: Option<Duration>) -> io::Result<()> {
        with(|world| world.network.abort_on_close(self.id));
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        point(5);
        with(|world| {
            world.note("closes", [self.id as i64, NONE, NONE]);
            world.network.close(self.id, &mut world.rng);
            world.pollers.forget_source(self.id);
        });
    }
}

/// Writes to a stream.
pub(crate) fn send(stream: &Stream, bytes: &[u8]) -> io::Result<usize> {
    point(10);
    with(|world| {
        let sent = world.network.send(stream.id, bytes, &mut world.rng);
        let count = sent.as_ref().map_or(-1, |count| *count as i64);
        world.note("sends", [stream.id as i64, count, bytes.len() as i64]);
        if count > 0 {
            world.progress();
        }
        sent
    })
}

/// The same, from several places.
pub(crate) fn send_vectored(stream: &Stream, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let joined: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
    send(stream, &joined)
}

fn receive(stream: &Stream, most: usize) -> io::Result<Vec<u8>> {
    point(10);
    with(|world| {
        let received = world.network.recv(stream.id, most, &mut world.rng);
        let count = received.as_ref().map_or(-1, |bytes| bytes.len() as i64);
        world.note("reads", [stream.id as i64, count, NONE]);
        if count > 0 {
            world.progress();
        }
        received
    })
}

/// Reads from a stream.
pub(crate) fn recv(stream: &Stream, buffer: &mut [u8]) -> io::Result<usize> {
    let bytes = receive(stream, buffer.len())?;
    buffer[..bytes.len()].copy_from_slice(&bytes);
    Ok(bytes.len())
}

/// Reads once, first into the spare capacity of `first` (at most `limit` bytes), then into `second`. Returns how many
/// bytes went where; `(0, 0)` is the end of the stream.
pub(crate) fn fill(
    stream: &Stream,
    first: &mut Vec<u8>,
    limit: usize,
    second: &mut [u8],
) -> io::Result<(usize, usize)> {
    let limit = limit.min(first.capacity() - first.len());
    let bytes = receive(stream, limit + second.len())?;
    let (body, behind) = bytes.split_at(bytes.len().min(limit));
    first.extend_from_slice(body);
    second[..behind.len()].copy_from_slice(behind);
    Ok((body.len(), behind.len()))
}

/// Bytes that were written to the stream and that the other end does not have yet.
pub(crate) fn pending_out(stream: &Stream) -> Option<usize> {
    point(2);
    Some(with(|world| world.network.pending_out(stream.id)))
}

/// There are no addresses.
pub(crate) fn ends_of(_stream: &Stream) -> Ends {
    Ends::default()
}

pub(crate) fn round_trip_time(_stream: &Stream) -> Option<u32> {
    None
}
