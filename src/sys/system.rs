//! Small questions to the system that std does not ask.

use std::ffi::CString;
#[cfg(not(simulated))]
use std::os::fd::AsRawFd;

#[cfg(not(simulated))]
use socket2::{Domain, Socket, Type};

use super::Uncancelled;

/// The flag of a write that raises no SIGPIPE. Apple's systems have none: socket2 makes sockets there that raise none.
#[cfg(portable_sys)]
pub(super) const NO_SIGPIPE: libc::c_int = if cfg!(target_vendor = "apple") { 0 } else { libc::MSG_NOSIGNAL };

/// A stream that does not block and that programs which are executed do not get.
#[cfg(not(simulated))]
pub(crate) fn stream_socket(domain: Domain) -> std::io::Result<Socket> {
    #[cfg(not(target_vendor = "apple"))]
    return Socket::new(domain, Type::STREAM.nonblocking(), None);
    #[cfg(target_vendor = "apple")]
    {
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// The number of the network interface with this name.
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name ends with a NUL, and is only read.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index > 0).then_some(index)
}

/// Writes lines to stderr, all at once, so that those of two threads stay apart. One that is full or closed is no reason to
/// fail. std's stderr has a lock, which a thread of the parent may have held when the process forked.
pub(crate) fn tell(lines: &[u8]) {
    let _whole = Uncancelled::new();
    // SAFETY: pointer and length describe `lines`.
    unsafe { libc::write(libc::STDERR_FILENO, lines.as_ptr().cast(), lines.len()) };
}

/// Whether the peer sends nothing more, whatever it has sent before. Some systems tell only once all of that was read.
#[cfg(portable_sys)]
pub(super) fn has_ended(source: super::Source<'_>) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    const END: libc::c_short = libc::POLLRDHUP;
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    const END: libc::c_short = 0;
    let _whole = Uncancelled::new();
    let mut entry = libc::pollfd { fd: source.as_raw_fd(), events: END, revents: 0 };
    // SAFETY: one entry, which outlives the call. It does not wait.
    unsafe { libc::poll(&raw mut entry, 1, 0) > 0 }
}

/// Ends a TCP connection on which something stays unacknowledged for so long, where the system can.
#[cfg(not(simulated))]
pub(crate) fn end_unacknowledged(stream: &Socket, timeout: std::time::Duration) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = stream.set_tcp_user_timeout(Some(timeout));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (stream, timeout);
}

/// Bytes that were written to the stream and that the other end has not taken (unix) or acknowledged (tcp) yet. `None`: the
/// system does not tell.
#[cfg(not(simulated))]
pub(crate) fn pending_out(socket: &Socket) -> Option<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: SIOCOUTQ (TIOCOUTQ) writes one int, and `count` is one.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if result < 0 { None } else { usize::try_from(count).ok() }
}
