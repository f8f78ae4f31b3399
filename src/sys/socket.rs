//! Descriptors: reads into memory that is not initialised yet, event descriptors, what the kernel still holds.

use std::ffi::CString;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use socket2::{MaybeUninitSlice, Socket};

use super::process::Sheltered;

/// A stream, or what listens for them.
pub(crate) type Stream = Sheltered<Socket>;

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

/// Bytes that were written to the stream and that the other end has not taken (unix) or acknowledged (tcp) yet.
pub(crate) fn unsent(socket: &Socket) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: SIOCOUTQ (TIOCOUTQ) writes one int, and `count` is one.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if result < 0 { 0 } else { usize::try_from(count).unwrap_or(0) }
}

/// The number of the network interface with this name.
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name ends with a NUL, and is only read.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index > 0).then_some(index)
}

/// A wait without a tripwire is no longer than this: the next one fails if the program has closed our descriptors.
const LONGEST_BLIND_WAIT: Duration = Duration::from_secs(1);

/// One descriptor of a [`poll_readable`].
#[repr(transparent)]
pub(crate) struct Polled(libc::pollfd);

impl Polled {
    pub(crate) fn new(fd: BorrowedFd<'_>) -> Self {
        Self(libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 })
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits until one of the descriptors is readable, for `timeout` at most. The last of them is the tripwire's, if
/// `tripwire`. Fails with `Interrupted` after a signal handler has run, even one under SA_RESTART, and not when the
/// process was merely stopped and goes on (signal(7)). Fails if the program has closed one of them.
pub(crate) fn poll_readable(list: &mut [Polled], timeout: Option<Duration>, tripwire: bool) -> io::Result<()> {
    let longest = if tripwire { Duration::MAX } else { LONGEST_BLIND_WAIT };
    let limit = timeout.unwrap_or(Duration::MAX).min(longest);
    // A number of seconds that the kernel's type cannot hold is no limit.
    let seconds = libc::time_t::try_from(limit.as_secs()).ok();
    let mut time = seconds.map(|tv_sec| libc::timespec { tv_sec, tv_nsec: limit.subsec_nanos() as _ });
    let time = time.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut);
    let no_mask = std::ptr::null::<libc::sigset_t>();
    // SAFETY: pointer and length describe `list`, which is laid out as pollfds; it and the limit live until after the call.
    unsafe { direct!(SYS_ppoll, list.as_mut_ptr(), list.len(), time, no_mask, size_of::<u64>())? };
    let hung_up = tripwire && list.last().is_some_and(Polled::is_ready);
    if hung_up || list.iter().any(|entry| entry.0.revents & libc::POLLNVAL != 0) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    Ok(())
}

/// Writes lines to stderr, all at once, so that those of two threads stay apart. One that is full or closed is no reason to
/// fail. std's stderr has a lock, which a thread of the parent may have held when the process forked.
pub(crate) fn tell(lines: &[u8]) {
    // SAFETY: pointer and length describe `lines`.
    unsafe { libc::syscall(libc::SYS_write, libc::STDERR_FILENO, lines.as_ptr(), lines.len()) };
}

/// A descriptor that is readable while it is signalled (eventfd(2)).
#[derive(Debug)]
pub(crate) struct EventFd(Sheltered<OwnedFd>);

impl EventFd {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed; the result is checked before it is owned.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just created and nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }.into()))
    }

    pub(crate) fn signal(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight readable bytes, as eventfd wants them. A full counter is signalled already.
        unsafe { libc::syscall(libc::SYS_write, self.0.as_raw_fd(), one.as_ptr(), one.len()) };
    }

    pub(crate) fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: eight writable bytes, as eventfd wants them. An empty counter answers EAGAIN, which is as good.
        unsafe { libc::syscall(libc::SYS_read, self.0.as_raw_fd(), count.as_mut_ptr(), count.len()) };
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
