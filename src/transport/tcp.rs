//! tcp: `interface:port` and `[local;]host:port`.
#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, SockAddr, Socket, TcpKeepalive};

use super::address::{self, Host, Remote};
use super::session::Greeting;
use super::{BACKLOG, Dialer, KeepAlive, Listener, Settings, Target, Transport};
use crate::codec::length_prefix::LengthPrefix;
use crate::error::Result;
use crate::sys::{self, Source, Stream};

pub(super) struct Tcp;

impl Transport for Tcp {
    fn bind(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Listener>> {
        Ok(Box::new(TcpListener(listen(address::parse_local(address, settings.ipv4_only)?)?.into())))
    }

    fn connect(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Dialer>> {
        Ok(Box::new(TcpDialer(address::parse_remote(address, settings.ipv4_only)?)))
    }
}

fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = sys::stream_socket(Domain::for_address(address))?;
    sys::allow_rebinding(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Small messages are gathered by us, where it pays; they never wait for the peer's acknowledgement (Nagle).
pub(super) fn prepare(stream: &Socket, settings: Settings) {
    settings.apply(stream);
    let _ = stream.set_tcp_nodelay(true);
    keep_alive(stream, settings.keepalive);
}

/// A connection on which the kernel does not look out as it was told is still a connection.
fn keep_alive(stream: &Socket, wanted: KeepAlive) {
    if !wanted.idle.is_zero() {
        let probes = TcpKeepalive::new().with_time(wanted.idle);
        let probes = wanted.interval.map_or(probes.clone(), |interval| probes.with_interval(interval));
        let probes = wanted.count.map_or(probes.clone(), |count| probes.with_retries(count));
        let _ = stream.set_tcp_keepalive(&probes);
    }
    if let Some(timeout) = wanted.user_timeout {
        sys::end_unacknowledged(stream, timeout);
    }
}

pub(super) struct TcpListener(pub(super) Stream);

impl Listener for TcpListener {
    fn source(&self) -> Source<'_> {
        self.0.source()
    }

    fn accept(&self, settings: Settings) -> io::Result<Stream> {
        let (stream, _) = self.0.accept()?;
        stream.set_nonblocking(true)?;
        prepare(&stream, settings);
        Ok(stream.into())
    }

    fn greeting(&self, _settings: Settings) -> Greeting {
        Greeting::SpServer(LengthPrefix::Plain)
    }

    fn port(&self) -> Option<u16> {
        self.0.local_addr().ok()?.as_socket().map(|address| address.port())
    }
}

struct TcpDialer(Remote);

impl Dialer for TcpDialer {
    fn target(&self) -> Target {
        match &self.0.host {
            Host::Ip(ip, scope) => Target::Known(vec![address::with_scope(*ip, self.0.port, *scope).into()]),
            Host::Name(name) => Target::Name(name.clone(), self.0.port),
        }
    }

    fn dial(&self, to: &SockAddr, settings: Settings) -> io::Result<Stream> {
        let socket = sys::stream_socket(to.domain())?;
        prepare(&socket, settings);
        // A listener can then bind the port that the kernel chooses for us, now and in the minute after we have closed.
        sys::allow_rebinding(&socket)?;
        if let Some(local) = self.0.local {
            // `*` means any address of the family that is dialled.
            let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let local = if local.ip().is_unspecified() { SocketAddr::new(any, 0) } else { local };
            socket.bind(&local.into())?;
        }
        connect(&socket, to)?;
        Ok(socket.into())
    }

    fn greeting(&self) -> Greeting {
        Greeting::SpClient(LengthPrefix::Plain)
    }
}

/// Starts a connect; "in progress" is success.
pub(super) fn connect(socket: &Socket, to: &SockAddr) -> io::Result<()> {
    match socket.connect(to) {
        Err(error) if sys::is_in_progress(&error) => Ok(()),
        result => result,
    }
}
