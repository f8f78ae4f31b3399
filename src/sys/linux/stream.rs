//! Streams: reads and writes that no signal and no cancellation ends half way, reads into memory that is not initialised
//! yet, and what the kernel still holds.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use socket2::{MaybeUninitSlice, Socket};

/// Reads once, first into the spare capacity of `first` (at most `limit` bytes), then into `second`. Returns how many
/// bytes went where; `(0, 0)` is the end of the stream.
pub(crate) fn fill(
    socket: &Socket,
    first: &mut Vec<u8>,
    limit: usize,
    second: &mut [u8],
) -> io::Result<(usize, usize)> {
    let old = first.len();
    let spare = first.spare_capacity_mut();
    let limit = limit.min(spare.len());
    // SAFETY: initialised bytes may be seen as possibly uninitialised ones; the kernel writes no uninitialised ones into
    // them.
    let second = unsafe { &mut *(std::ptr::from_mut(second) as *mut [MaybeUninit<u8>]) };
    let mut parts = [MaybeUninitSlice::new(&mut spare[..limit]), MaybeUninitSlice::new(second)];
    // SAFETY: the header describes `parts`, which are laid out as iovecs (socket2 promises it) and outlive the call.
    let received = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (parts.as_mut_ptr().cast(), parts.len() as _);
        direct!(SYS_recvmsg, socket.as_raw_fd(), &raw mut message, 0)?
    };
    let into_first = received.min(limit);
    // SAFETY: the kernel has initialised the first `into_first` bytes of the spare capacity.
    unsafe { first.set_len(old + into_first) };
    Ok((into_first, received - into_first))
}

/// Makes the system call itself, not libc's cancellation point around it: what is held while waiting here could not be
/// cleaned up by a cancelled thread, and the bookkeeping costs a tenth of a short message's way.
macro_rules! direct {
    ($name:ident, $($argument:expr),*) => {{
        let result = libc::syscall(libc::$name, $($argument),*);
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as usize) }
    }};
}
pub(super) use direct;

/// Writes to a stream, never raising SIGPIPE. A signal does not end it early.
pub(crate) fn send(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    loop {
        let none = std::ptr::null::<libc::sockaddr>();
        // SAFETY: pointer and length describe `bytes`; there is no address.
        let sent = unsafe {
            direct!(SYS_sendto, socket.as_raw_fd(), bytes.as_ptr(), bytes.len(), libc::MSG_NOSIGNAL, none, 0)
        };
        match sent {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The same, from several places.
pub(crate) fn send_vectored(socket: &Socket, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: all zeros is a valid msghdr: no address, no control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (parts.as_ptr().cast_mut().cast(), parts.len() as _);
    loop {
        // SAFETY: the header describes `parts`, which are laid out as iovecs (std promises it) and are only read.
        let sent = unsafe { direct!(SYS_sendmsg, socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
        match sent {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Reads from a stream.
pub(crate) fn recv(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: pointer and length describe `buffer`; the address is not asked for.
    unsafe { direct!(SYS_recvfrom, socket.as_raw_fd(), buffer.as_mut_ptr(), buffer.len(), 0, none, none) }
}
