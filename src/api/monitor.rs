//! What a socket reports about itself: events as they happen, counters, and the sender of a message.
#![forbid(unsafe_code)]

use super::error::Result;
use super::socket::{Socket, SocketType, c_text};
use crate::ffi::symbols::{NN_MONITOR, NN_RECV_PEER, NN_SOL_SOCKET, NN_STATISTICS};
use crate::peer;

/// The other end of a connection, as far as it is known ([`Message::peer`](crate::Message::peer)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The connection's number within its socket. No other connection of the socket ever has it.
    pub pipe: u64,
    /// Its socket type.
    pub socket_type: Option<SocketType>,
    /// With tcp and ws, and with tls+tcp and wss: IP address and port of the peer's end.
    pub address: Option<String>,
    /// Likewise of our end.
    pub local: Option<String>,
    /// With unix, ipc and abstract: the process that has dialled or listened.
    pub process: Option<PeerProcess>,
    /// With tls+tcp and wss: the certificate that it has shown. [`Socket::tls_verify`] says whether it is to be trusted.
    pub certificate: Option<PeerCertificate>,
}

/// What a peer has shown of itself ([`Peer::certificate`]).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCertificate {
    /// Its subject (RFC 4514), as `CN=client,O=example`.
    pub subject: String,
    /// The SHA-256 of its DER form, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// A process of this machine, as it was when it dialled or began to listen ([`Peer::process`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerProcess {
    /// Its number.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

impl From<&peer::Peer> for Peer {
    fn from(peer: &peer::Peer) -> Self {
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Self {
            pipe: peer.pipe,
            socket_type: peer.protocol.and_then(SocketType::of),
            address: text(&peer.ends.address),
            local: text(&peer.ends.local),
            certificate: peer.certificate.as_ref().map(|certificate| PeerCertificate {
                subject: certificate.subject.to_string(),
                sha256: certificate.sha256.to_string(),
            }),
            process: peer.ends.process.map(|peer::Process { pid, uid, gid }| PeerProcess { pid, uid, gid }),
        }
    }
}

/// What a socket reports about itself. Events and the report are JSON, as docs/monitoring.schema.json has it; nn_monitor(7)
/// describes each member.
///
/// ```
/// use nanomsg::{Socket, SocketType};
///
/// let events = Socket::new(SocketType::Sub)?;
/// events.subscribe("")?;
/// // Within the process it can be there before anything is published.
/// events.connect("inproc://events")?;
///
/// let socket = Socket::new(SocketType::Pair)?;
/// socket.set_monitor("inproc://events")?;
/// socket.bind("inproc://watched")?;
/// assert!(events.recv()?.starts_with(br#"listening {"event":"listening","seq":1,"#));
/// assert!(socket.report()?.contains(r#""address":"inproc://watched""#));
/// # Ok::<(), nanomsg::Error>(())
/// ```
impl Socket {
    /// Where the socket publishes what happens to it, with the port that the system has chosen; empty: nowhere.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn monitor(&self) -> Result<String> {
        self.text(NN_SOL_SOCKET, NN_MONITOR)
    }

    /// Publishes what happens to the socket's endpoints and connections at this address from now on, each event a message for
    /// [`SocketType::Sub`]: its name, a space, and a JSON object. The empty one ends it, and so does closing the socket. Fails as
    /// [`Socket::bind`] does.
    ///
    /// # Errors
    ///
    /// As [`Socket::bind`]; what there was stays then.
    pub fn set_monitor(&self, address: &str) -> Result<()> {
        self.set_bytes(NN_SOL_SOCKET, NN_MONITOR, c_text(address)?)
    }

    /// What the socket has counted, its endpoints, and its connections, each with its peer, traffic, queues and round-trip time, at
    /// one moment: a JSON document.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn report(&self) -> Result<String> {
        self.text(NN_SOL_SOCKET, NN_STATISTICS)
    }

    /// Whether messages have their sender in [`Message::peer`](crate::Message::peer).
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn recv_peer(&self) -> Result<bool> {
        Ok(self.int(NN_SOL_SOCKET, NN_RECV_PEER)? != 0)
    }

    /// Sets [`Socket::recv_peer`]; off unless set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn set_recv_peer(&self, tell: bool) -> Result<()> {
        self.set_int(NN_SOL_SOCKET, NN_RECV_PEER, tell.into())
    }
}
