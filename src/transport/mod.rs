//! How messages travel. A byte-stream transport says how to listen and how to dial; [`session`] does the rest for all of
//! them. inproc moves messages between sockets of one process.
#![forbid(unsafe_code)]

#[cfg_attr(simulated, allow(dead_code, reason = "simulated addresses are numbers"))]
pub(crate) mod address;
#[cfg(all(unix, not(simulated)))]
pub(crate) mod adopted;
pub(crate) mod backoff;
pub(crate) mod channel;
pub(crate) mod inproc;
pub(crate) mod resolver;
pub(crate) mod session;
pub(crate) mod sharing;
#[cfg(simulated)]
mod simulated;
#[cfg(not(simulated))]
mod tcp;
pub(crate) mod tls;
#[cfg(ipc)]
mod unix;
#[cfg(all(windows, ipc))]
mod winpipe;
#[cfg(all(ws, not(simulated)))]
mod ws;

use std::io;
use std::time::Duration;

use socket2::SockAddr;
#[cfg(not(simulated))]
use socket2::Socket;

use crate::error::{Error, Result};
use crate::sys::{Source, Stream};
use channel::Channel;
use session::Greeting;

/// Socket options that transports obey, as they are when a connection is made.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(simulated, allow(dead_code, reason = "simulated streams have buffers of their own"))]
#[cfg_attr(
    not(any(simulated, all(ipc, ws))),
    allow(dead_code, reason = "options are kept whether or not there is a transport for them")
)]
pub(crate) struct Settings {
    pub ipv4_only: bool,
    /// The kernel's buffers, in bytes. `None`: nobody has set them.
    pub send_buffer: Option<usize>,
    pub recv_buffer: Option<usize>,
    /// Of messages that name none (NN_WS_MSG_TYPE).
    pub ws_opcode: u8,
    /// How long a WebSocket's peer may be silent before it is asked for a sign of life (NN_WS_PING). `None`: for ever.
    pub ws_ping: Option<Duration>,
    /// How long a connect may take (NN_CONNECT_TIMEOUT). `None`: as long as the kernel tries.
    pub connect_timeout: Option<Duration>,
    pub keepalive: KeepAlive,
    /// Of the file that names a bound ipc socket (NN_IPC_MODE). `None`: as the process's umask says.
    pub ipc_mode: Option<u32>,
    #[cfg_attr(not(windows), allow(dead_code, reason = "there are none"))]
    pub named_pipe: NamedPipe,
}

/// Options of named pipes, which only Windows has.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(not(windows), allow(dead_code, reason = "there are none"))]
pub(crate) struct NamedPipe {
    /// The address of a SECURITY_ATTRIBUTES (NN_WINPIPE_SEC_ATTR); 0: the system's default.
    pub security: usize,
    /// Bytes (NN_WINPIPE_OUTBUFSZ, NN_WINPIPE_INBUFSZ).
    pub out_buffer: i32,
    pub in_buffer: i32,
}

/// How TCP finds out that a peer has gone without a word. `None`: the kernel's own time, or number.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(simulated, allow(dead_code, reason = "simulated peers say when they go"))]
pub(crate) struct KeepAlive {
    /// Silence before the peer is asked whether it is there (TCP_KEEPIDLE). Zero: it is not asked (SO_KEEPALIVE).
    pub idle: Duration,
    /// Between two questions (TCP_KEEPINTVL).
    pub interval: Option<Duration>,
    /// Questions without an answer that end the connection (TCP_KEEPCNT).
    pub count: Option<u32>,
    /// How long what was sent may stay unacknowledged (TCP_USER_TIMEOUT, RFC 5482).
    pub user_timeout: Option<Duration>,
}

/// Bytes of the kernel's receive buffer, at least. While nothing is received a peer's last messages stay there, and the end of its
/// connection (FIN) behind them: where they do not fit, the kernel cannot report that the peer has gone. The kernel doubles the
/// value, and counts some 2 KB for a small segment (measured: ctests/gone_peers.c, eight of 520 bytes).
#[cfg(not(simulated))]
const LAST_WORDS: usize = 16 * 1024;

#[cfg(not(simulated))]
impl Settings {
    fn apply(self, stream: &Socket) {
        // The kernel clamps what it finds too large; a connection with other buffers is still a connection.
        if let Some(bytes) = self.send_buffer {
            let _ = stream.set_send_buffer_size(bytes);
        }
        if let Some(bytes) = self.recv_buffer {
            let _ = stream.set_recv_buffer_size(bytes.max(LAST_WORDS));
        }
    }
}

/// One scheme.
pub(crate) trait Transport: Sync {
    /// Binds and listens at once, so that every error is the caller's.
    fn bind(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Listener>>;
    /// Checks the address; the dialer connects later.
    fn connect(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Dialer>>;
}

/// A bound address. Dropping it ends the listening and removes what it left in the file system.
pub(crate) trait Listener: Send {
    /// Readable when a peer waits.
    fn source(&self) -> Source<'_>;
    /// Takes one waiting peer, as a non-blocking stream.
    fn accept(&self, settings: Settings) -> io::Result<Stream>;
    /// What a session talks through on such a stream.
    fn secure(&self, stream: Stream) -> io::Result<Channel> {
        Ok(stream.into())
    }
    fn greeting(&self, settings: Settings) -> Greeting;
    /// The port that peers dial, where there are ports.
    fn port(&self) -> Option<u16> {
        None
    }
}

/// Where to dial.
#[cfg_attr(simulated, allow(dead_code, reason = "simulated addresses are known"))]
pub(crate) enum Target {
    Known(Vec<SockAddr>),
    Name(String, u16),
}

/// An address to connect to.
pub(crate) trait Dialer: Send {
    fn target(&self) -> Target;
    /// Starts a connection; when the stream is writable it has succeeded or holds its error.
    fn dial(&self, to: &SockAddr, settings: Settings) -> io::Result<Stream>;
    /// What a session talks through on such a stream.
    fn secure(&self, stream: Stream) -> io::Result<Channel> {
        Ok(stream.into())
    }
    fn greeting(&self) -> Greeting;
}

/// Which end of a connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(any(simulated, windows), allow(dead_code, reason = "all connections are made by the library"))]
pub(crate) enum Side {
    /// The one that is bound.
    Accepts,
    Dials,
}

/// Peers that wait to be accepted: thousands may dial at once.
#[cfg(not(simulated))]
const BACKLOG: i32 = 4096;

/// Which way an address names.
pub(crate) enum Scheme {
    Inproc,
    Stream(Box<dyn Transport>),
    /// Descriptors of the program's own.
    #[cfg(all(unix, not(simulated)))]
    Descriptor,
}

/// The transport of a scheme, with these options where it has TLS. winpipe is Windows' alone: it is named pipes.
#[cfg_attr(not(tls), allow(unused_variables, reason = "no transport has TLS"))]
pub(crate) fn by_scheme(scheme: &[u8], tls: &tls::Options) -> Result<Scheme> {
    match scheme {
        b"inproc" => Ok(Scheme::Inproc),
        #[cfg(ipc)]
        b"unix" => Ok(Scheme::Stream(Box::new(unix::Unix))),
        // ipc is the older name of unix or, on Windows, of winpipe.
        #[cfg(all(unix, ipc))]
        b"ipc" => Ok(Scheme::Stream(Box::new(unix::Unix))),
        #[cfg(all(windows, ipc))]
        b"winpipe" | b"ipc" => Ok(Scheme::Stream(Box::new(winpipe::WinPipe))),
        #[cfg(all(ipc, any(target_os = "linux", target_os = "android")))]
        b"abstract" => Ok(Scheme::Stream(Box::new(unix::Abstract))),
        #[cfg(not(simulated))]
        b"tcp" => Ok(Scheme::Stream(Box::new(tcp::Tcp))),
        #[cfg(all(ws, not(simulated)))]
        b"ws" => Ok(Scheme::Stream(Box::new(ws::Ws::over_tcp()))),
        #[cfg(tls)]
        b"tls+tcp" => Ok(Scheme::Stream(Box::new(tls::TlsTcp(tls.clone())))),
        #[cfg(all(tls, ws))]
        b"wss" => Ok(Scheme::Stream(Box::new(ws::Ws::over_tls(tls.clone())))),
        #[cfg(all(unix, not(simulated)))]
        b"fd" => Ok(Scheme::Descriptor),
        #[cfg(simulated)]
        b"sim" => Ok(Scheme::Stream(Box::new(simulated::Simulated::Plain))),
        #[cfg(simulated)]
        b"simipc" => Ok(Scheme::Stream(Box::new(simulated::Simulated::Local))),
        #[cfg(simulated)]
        b"simws" => Ok(Scheme::Stream(Box::new(simulated::Simulated::WebSocket))),
        _ => Err(Error::UnknownScheme),
    }
}

#[cfg(all(test, not(simulated)))]
mod tests {
    use socket2::{Domain, Type};

    use super::*;

    #[test]
    fn what_can_be_left_out_is_there_if_it_is_built_in() {
        for (scheme, is_there) in [
            (&b"tcp"[..], true),
            (b"inproc", true),
            (b"fd", cfg!(unix)),
            (b"ipc", cfg!(ipc)),
            (b"unix", cfg!(ipc)),
            (b"abstract", cfg!(all(ipc, any(target_os = "linux", target_os = "android")))),
            (b"ws", cfg!(ws)),
            (b"tls+tcp", cfg!(tls)),
            (b"wss", cfg!(all(tls, ws))),
        ] {
            let found = by_scheme(scheme, &tls::Options::default());
            let missing = if is_there { None } else { Some(Error::UnknownScheme) };
            assert_eq!(found.err(), missing, "{}", scheme.escape_ascii());
        }
        let verifies_nobody = tls::Options::change(1004, &0_i32.to_ne_bytes());
        assert_eq!(verifies_nobody.err(), if cfg!(tls) { None } else { Some(Error::NoSuchOption) });
    }

    /// A peer's last messages and its end fit into the kernel's buffer, however small NN_RCVBUF is.
    #[test]
    fn a_receive_buffer_has_room_for_a_peers_last_messages() {
        let stream = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let unset = stream.recv_buffer_size().unwrap();
        let mut settings = Settings {
            ipv4_only: true,
            send_buffer: None,
            recv_buffer: None,
            ws_opcode: 2,
            ws_ping: None,
            connect_timeout: None,
            keepalive: KeepAlive::default(),
            ipc_mode: None,
            named_pipe: NamedPipe::default(),
        };
        settings.apply(&stream);
        assert_eq!(stream.recv_buffer_size().unwrap(), unset, "nobody has set it");
        for (wanted, least) in [(1, LAST_WORDS), (LAST_WORDS, LAST_WORDS), (50_000, 50_000)] {
            settings.recv_buffer = Some(wanted);
            settings.apply(&stream);
            assert!((least..3 * least).contains(&stream.recv_buffer_size().unwrap()), "{wanted}");
        }
    }
}
