//! What both sides say before the first message.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use socket2::Socket;

use super::End;
use crate::codec::length_prefix::LengthPrefix;
use crate::codec::ws_frame::Role;
use crate::codec::ws_upgrade::{self, Upgrade};
use crate::codec::{Framing, sp_header};
use crate::sys;

/// The socket types at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protocols {
    pub own: u16,
    /// What we talk to.
    pub peer: u16,
}

/// How a connection begins, and so what frames it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// Both sides tell their type at once.
    Sp(LengthPrefix),
    /// We answer the upgrade request of a WebSocket client.
    WsServer { opcode: u8 },
    /// We ask for the upgrade.
    WsClient { resource: String, host: String, opcode: u8 },
}

/// The socket type in a WebSocket's subprotocol.
fn type_name(protocol: u16) -> &'static str {
    match protocol {
        16 => "pair",
        32 => "pub",
        33 => "sub",
        48 => "req",
        49 => "rep",
        80 => "push",
        81 => "pull",
        98 => "surveyor",
        99 => "respondent",
        _ => "bus",
    }
}

impl Greeting {
    pub(super) fn framing(&self) -> Framing {
        match self {
            Self::Sp(prefix) => Framing::Prefixed(*prefix),
            Self::WsServer { opcode } => Framing::WebSocket(Role::Server, *opcode),
            Self::WsClient { opcode, .. } => Framing::WebSocket(Role::Client, *opcode),
        }
    }

    /// Says what we say first, without waiting for the peer.
    pub(super) fn begin(self, stream: &Socket, protocols: Protocols) -> Result<Awaited, End> {
        Ok(match self {
            Self::Sp(_) => {
                say(stream, &sp_header::encode(protocols.own))?;
                Awaited::Sp
            }
            Self::WsServer { .. } => Awaited::Request(protocols),
            Self::WsClient { resource, host, .. } => {
                let key = sys::random();
                say(stream, &ws_upgrade::request(&resource, &host, key, type_name(protocols.peer)))?;
                Awaited::Response(protocols, key)
            }
        })
    }
}

/// A fresh connection has room for a greeting.
fn say(stream: &Socket, bytes: &[u8]) -> Result<(), End> {
    match sys::send(stream, bytes) {
        Ok(sent) if sent == bytes.len() => Ok(()),
        _ => Err(End::Broken),
    }
}

/// What the peer has to say before it is greeted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Awaited {
    Sp,
    Request(Protocols),
    Response(Protocols, [u8; 16]),
}

/// Time for the whole greeting.
const SP_TIME: Duration = Duration::from_secs(1);
const WS_TIME: Duration = Duration::from_secs(5);

impl Awaited {
    pub(super) fn time(self) -> Duration {
        match self {
            Self::Sp => SP_TIME,
            Self::Request(_) | Self::Response(..) => WS_TIME,
        }
    }

    /// Looks at what has come so far. `Some`: the peer's type, and how many bytes it took to say so.
    pub(super) fn hears(self, stream: &Socket, bytes: &[u8]) -> Result<Option<(u16, usize)>, End> {
        let (upgrade, peer) = match self {
            Self::Sp => {
                let Some(greeting) = bytes.first_chunk() else { return Ok(None) };
                return Ok(Some((sp_header::decode(*greeting)?, sp_header::LEN)));
            }
            // A WebSocket client does not tell its own type. That it asks for ours makes it the one we talk to.
            Self::Request(Protocols { own, peer }) => (ws_upgrade::answer(bytes, type_name(own)), peer),
            Self::Response(Protocols { peer, .. }, key) => (ws_upgrade::check(bytes, key, type_name(peer)), peer),
        };
        match upgrade {
            Upgrade::More => Ok(None),
            Upgrade::Done { length, reply } => {
                if !reply.is_empty() {
                    say(stream, &reply)?;
                }
                Ok(Some((peer, length)))
            }
            Upgrade::Refused { reply } => Err(End::Parted(reply)),
        }
    }
}

/// Whether a read or write has only to be repeated later.
pub(super) fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
