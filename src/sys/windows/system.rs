//! Small questions to the system that std does not ask.

use std::ffi::CString;
use std::io::{self, Write};
use std::os::windows::io::AsRawSocket;
use std::sync::OnceLock;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use windows_sys::Win32::NetworkManagement::IpHelper::if_nametoindex;
use windows_sys::Win32::Networking::WinSock::{IPPROTO_TCP, TCP_MAXRT, setsockopt};
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

use super::super::Stream;
use crate::peer::Ends;

/// The flag of a write that raises no SIGPIPE: there is none.
pub(in crate::sys) const NO_SIGPIPE: i32 = 0;

/// A stream that does not block and that programs which are started do not get. One of IPv6 reaches IPv4 as well, which is not so
/// by itself here.
pub(crate) fn stream_socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A port is free as soon as nobody listens on it: that is so here. The option of that name (SO_REUSEADDR) would let others take
/// a port on which somebody listens.
pub(crate) fn allow_rebinding(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

/// The number of the network interface with this name.
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name ends with a NUL, and is only read.
    let index = unsafe { if_nametoindex(name.as_ptr().cast()) };
    (index > 0).then_some(index)
}

/// Writes lines to stderr, all at once. One that is closed, as that of a program with windows is, is no reason to fail.
pub(crate) fn tell(lines: &[u8]) {
    let _ = io::stderr().write_all(lines);
}

/// Ends a TCP connection on which something stays unacknowledged for so long: TCP_MAXRT counts in seconds.
pub(crate) fn end_unacknowledged(stream: &Socket, timeout: Duration) {
    let seconds = u32::try_from(timeout.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
    // SAFETY: the option is a DWORD, and `seconds` is one. Where it is refused, the system's own limit stays.
    unsafe {
        setsockopt(
            stream.as_raw_socket() as usize,
            IPPROTO_TCP,
            TCP_MAXRT,
            (&raw const seconds).cast(),
            size_of::<u32>() as i32,
        )
    };
}

/// Bytes that were written to the stream and that the other end does not have yet. `None`: the system does not tell, as of sockets.
pub(crate) fn pending_out(stream: &Stream) -> Option<usize> {
    stream.pipe().map(super::pipe::Pipe::pending_out)
}

/// What the system tells of both ends of a stream. Processes and users are not told: a user is no number here.
pub(crate) fn ends_of(stream: &Stream) -> Ends {
    let Some(socket) = stream.socket() else {
        return Ends { address: None, local: None, process: None };
    };
    let text = |address: io::Result<socket2::SockAddr>| Some(address.ok()?.as_socket()?.to_string().into());
    Ends { address: text(socket.peer_addr()), local: text(socket.local_addr()), process: None }
}

/// The system does not tell it without administrators' consent.
pub(crate) fn round_trip_time(_stream: &Stream) -> Option<u32> {
    None
}

/// The wall clock, in nanoseconds since 1970, and a clock that is never set: QueryPerformanceCounter, which programs can read too.
pub(crate) fn timestamps() -> (u64, u64) {
    static FREQUENCY: OnceLock<i64> = OnceLock::new();
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let frequency = *FREQUENCY.get_or_init(|| {
        let mut frequency = 0;
        // SAFETY: the number is the system's to fill.
        unsafe { QueryPerformanceFrequency(&raw mut frequency) };
        frequency.max(1)
    });
    let mut count = 0;
    // SAFETY: as above.
    unsafe { QueryPerformanceCounter(&raw mut count) };
    (wall.as_nanos() as u64, (i128::from(count) * 1_000_000_000 / i128::from(frequency)) as u64)
}
