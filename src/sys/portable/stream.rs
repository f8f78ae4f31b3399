//! Streams, by socket2. Its calls are cancellation points where libc's are.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read};

use socket2::Socket;

use super::super::CancelGuard;
use super::super::os::system::NO_SIGPIPE;

/// Spare capacity has to be written to before it can be lent to a read. That is done for as many bytes as have come before,
/// within these limits: done for all of a large message at each of its reads, it would take longer than the reads, and a
/// peer that only announces one is not to take memory.
const LEAST_SPARE: usize = 16 * 1024;
const MOST_SPARE: usize = 256 * 1024;

/// Reads once, first into the spare capacity of `first` (at most `limit` bytes), then into `second`. Returns how many
/// bytes went where; `(0, 0)` is the end of the stream.
pub(crate) fn fill(
    mut socket: &Socket,
    first: &mut Vec<u8>,
    limit: usize,
    second: &mut [u8],
) -> io::Result<(usize, usize)> {
    let _whole = CancelGuard::new();
    let old = first.len();
    let limit = limit.min(first.capacity() - old);
    let taken = limit.min(old.clamp(LEAST_SPARE, MOST_SPARE));
    first.resize(old + taken, 0);
    // What belongs behind the first part must not come before it is full.
    let second = if taken < limit { &mut [] } else { second };
    let received = socket.read_vectored(&mut [IoSliceMut::new(&mut first[old..]), IoSliceMut::new(second)]);
    let into_first = received.as_ref().map_or(0, |received| taken.min(*received));
    first.truncate(old + into_first);
    Ok((into_first, received? - into_first))
}

/// Reads from a stream.
pub(crate) fn recv(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    let _whole = CancelGuard::new();
    socket.read(buffer)
}

/// Writes to a stream, never raising SIGPIPE. A signal does not end it early.
pub(crate) fn send(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    uninterrupted(|| socket.send_with_flags(bytes, NO_SIGPIPE))
}

/// The same, from several places.
pub(crate) fn send_vectored(socket: &Socket, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    uninterrupted(|| socket.send_vectored_with_flags(parts, NO_SIGPIPE))
}

fn uninterrupted(mut write: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    let _whole = CancelGuard::new();
    loop {
        match write() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Socket, Socket) {
        let (near, far) = crate::sys::pair().unwrap();
        (near.into(), far.into())
    }

    #[test]
    fn what_is_beyond_the_limit_goes_to_the_second_place() {
        let (near, far) = pair();
        send_vectored(&near, &[IoSlice::new(b"abc"), IoSlice::new(b"defgh")]).unwrap();
        let (mut first, mut second) = (Vec::with_capacity(100), [0; 2]);
        first.push(b'>');
        assert_eq!(fill(&far, &mut first, 4, &mut second).unwrap(), (4, 2));
        assert_eq!((&first[..], &second), (&b">abcd"[..], b"ef"));
        assert_eq!(fill(&far, &mut first, 4, &mut second).unwrap(), (2, 0));
        assert_eq!(&first[..], b">abcdgh");
        drop(near);
        assert_eq!(fill(&far, &mut first, 4, &mut second).unwrap(), (0, 0));
        assert_eq!(&first[..], b">abcdgh");
    }

    #[test]
    fn a_large_first_place_is_filled_before_the_second() {
        let (near, far) = pair();
        near.set_send_buffer_size(4 * MOST_SPARE).unwrap();
        near.set_nonblocking(true).unwrap();
        far.set_nonblocking(true).unwrap();
        let sent: Vec<u8> = (0..2 * MOST_SPARE + 5).map(|at| at as u8).collect();
        let (mut first, mut second) = (Vec::with_capacity(2 * MOST_SPARE), [0; 100]);
        let (mut written, mut behind) = (0, 0);
        while written < sent.len() || behind < 5 {
            written += send(&near, &sent[written..]).unwrap_or(0);
            let missing = 2 * MOST_SPARE - first.len();
            match fill(&far, &mut first, missing, &mut second[behind..]) {
                Ok((into_first, into_second)) => {
                    assert_eq!(into_first, missing.min(into_first));
                    behind += into_second;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert_eq!([&first[..], &second[..behind]].concat(), sent);
        assert_eq!(first.capacity(), 2 * MOST_SPARE);
    }
}
