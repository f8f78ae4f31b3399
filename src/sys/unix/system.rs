//! Small questions to the system that std does not ask.

use std::ffi::CString;
#[cfg(not(simulated))]
use std::os::fd::AsRawFd;

#[cfg(not(simulated))]
use socket2::{Domain, SockAddr, Socket, Type};

use super::super::CancelGuard;
#[cfg(not(simulated))]
use crate::peer::{Ends, Process};

/// The flag of a write that raises no SIGPIPE. Apple's systems have none: socket2 makes sockets there that raise none.
#[cfg(portable_sys)]
pub(in crate::sys) const NO_SIGPIPE: libc::c_int = if cfg!(target_vendor = "apple") { 0 } else { libc::MSG_NOSIGNAL };

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

/// A port is free as soon as nobody listens on it: connections that end do not keep it.
#[cfg(not(simulated))]
pub(crate) fn allow_rebinding(socket: &Socket) -> std::io::Result<()> {
    socket.set_reuse_address(true)
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
    let _whole = CancelGuard::new();
    // SAFETY: pointer and length describe `lines`.
    unsafe { libc::write(libc::STDERR_FILENO, lines.as_ptr().cast(), lines.len()) };
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

/// What the system tells of both ends of a stream.
#[cfg(not(simulated))]
pub(crate) fn ends_of(stream: &Socket) -> Ends {
    let text = |address: std::io::Result<SockAddr>| address.ok().and_then(|address| text_of(&address));
    Ends { address: text(stream.peer_addr()), local: text(stream.local_addr()), process: process_of(stream) }
}

/// IP address and port. A Unix socket is known by its process: those that dial have no name, and ours listen under another one than
/// they are dialled by.
#[cfg(not(simulated))]
fn text_of(address: &SockAddr) -> Option<Box<str>> {
    address.as_socket().map(|address| address.to_string().into())
}

/// The process at the other end of a Unix socket (SO_PEERCRED, unix(7)).
#[cfg(all(not(simulated), any(target_os = "linux", target_os = "android")))]
fn process_of(stream: &Socket) -> Option<Process> {
    if stream.domain().ok()? != Domain::UNIX {
        return None;
    }
    // SAFETY: all zeros is a valid ucred.
    let mut found: libc::ucred = unsafe { std::mem::zeroed() };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `size` is the size of `found`, which the system fills.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut size,
        )
    };
    // Of a socket that a process elsewhere has (another namespace) there is no number.
    (result == 0 && found.pid > 0).then_some(Process { pid: found.pid, uid: found.uid, gid: found.gid })
}

/// The same on Apple's systems: the number by LOCAL_PEERPID (sys/un.h), the rest by getpeereid(3).
#[cfg(all(not(simulated), target_vendor = "apple"))]
fn process_of(stream: &Socket) -> Option<Process> {
    if stream.local_addr().ok()?.domain() != Domain::UNIX {
        return None;
    }
    let mut process = Process { pid: 0, uid: 0, gid: 0 };
    let mut size = size_of::<libc::pid_t>() as libc::socklen_t;
    // SAFETY: `size` is the size of the number, which the system fills.
    let named = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_LOCAL,
            libc::LOCAL_PEERPID,
            (&raw mut process.pid).cast(),
            &raw mut size,
        )
    };
    // SAFETY: both numbers are the system's to fill.
    let owned = unsafe { libc::getpeereid(stream.as_raw_fd(), &raw mut process.uid, &raw mut process.gid) };
    (named == 0 && owned == 0 && process.pid > 0).then_some(process)
}

/// The same on FreeBSD (LOCAL_PEERCRED, unix(4)), which tells the number since version 13.
#[cfg(all(not(simulated), target_os = "freebsd"))]
fn process_of(stream: &Socket) -> Option<Process> {
    /// The level of options of Unix sockets (sys/un.h).
    const SOL_LOCAL: libc::c_int = 0;
    if stream.local_addr().ok()?.domain() != Domain::UNIX {
        return None;
    }
    // SAFETY: all zeros is a valid xucred.
    let mut found: libc::xucred = unsafe { std::mem::zeroed() };
    let mut size = size_of::<libc::xucred>() as libc::socklen_t;
    // SAFETY: `size` is the size of `found`, which the system fills.
    let result = unsafe {
        libc::getsockopt(stream.as_raw_fd(), SOL_LOCAL, libc::LOCAL_PEERCRED, (&raw mut found).cast(), &raw mut size)
    };
    // SAFETY: all of the union's bytes are initialised, and any are a number.
    let pid = unsafe { found.cr_pid__c_anonymous_union.cr_pid };
    // The effective group stands first.
    (result == 0 && pid > 0).then_some(Process { pid, uid: found.cr_uid, gid: found.cr_groups[0] })
}

#[cfg(all(
    not(simulated),
    not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_vendor = "apple"))
))]
fn process_of(_stream: &Socket) -> Option<Process> {
    None
}

/// The smoothed round-trip time of a TCP connection in microseconds (tcpi_rtt, tcp(7)).
#[cfg(all(not(simulated), any(target_os = "linux", target_os = "android")))]
pub(crate) fn round_trip_time(stream: &Socket) -> Option<u32> {
    // SAFETY: all zeros is a valid tcp_info.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut size = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: `size` is the size of `info`, of which the system fills as much as it knows.
    let result = unsafe {
        libc::getsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &raw mut size)
    };
    (result == 0 && size as usize >= std::mem::offset_of!(libc::tcp_info, tcpi_rttvar) && info.tcpi_rtt > 0)
        .then_some(info.tcpi_rtt)
}

#[cfg(all(not(simulated), not(any(target_os = "linux", target_os = "android"))))]
pub(crate) fn round_trip_time(_stream: &Socket) -> Option<u32> {
    None
}

/// The wall clock, in nanoseconds since 1970, and a clock that is never set: CLOCK_MONOTONIC, which programs can read too.
#[cfg(not(simulated))]
pub(crate) fn timestamps() -> (u64, u64) {
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is the system's to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    (wall.as_nanos() as u64, time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
