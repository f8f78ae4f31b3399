//! What both sides say before the first message.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use super::{Cause, End};
use crate::codec::length_prefix::LengthPrefix;
use crate::codec::ws_frame::Role;
use crate::codec::ws_upgrade::{self, Refusal, Upgrade};
use crate::codec::{Framing, Usual, sp_header};
use crate::peer::type_name;
use crate::sys;
use crate::transport::channel::Channel;

/// The socket types at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protocols {
    pub own: u16,
    /// What we talk to.
    pub peer: u16,
    /// Subscriptions shall travel, if the peer likes that too.
    pub forwarding: Option<Forwarding>,
    /// Our pattern may have no room for the peer: who listens does not introduce itself before that is known.
    pub limited: bool,
    /// Large messages may come by reference, which goes along with our greeting.
    pub shares: bool,
}

impl Protocols {
    /// Whether what travels is questions and answers: their bodies begin with a stack of words, which is taken off.
    pub(super) fn headed(self) -> bool {
        matches!(self.own, 48 | 49 | 98 | 99)
    }
}

/// How both introduce themselves then, where the socket type is all they tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forwarding {
    pub own: u16,
    pub peer: u16,
}

/// How a connection begins, and so what frames it has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(ws), allow(dead_code, reason = "nothing has WebSockets"))]
pub(crate) enum Greeting {
    /// Both sides tell their type. We have accepted the connection.
    SpServer(LengthPrefix),
    /// We have made it.
    SpClient(LengthPrefix),
    /// We answer the upgrade request of a WebSocket client.
    WsServer { opcode: Usual },
    /// We ask for the upgrade.
    WsClient { resource: String, host: String, opcode: Usual },
}

impl Greeting {
    pub(super) fn framing(&self) -> Framing {
        match self {
            Self::SpServer(prefix) | Self::SpClient(prefix) => Framing::Prefixed(*prefix),
            Self::WsServer { opcode } => Framing::WebSocket(Role::Server, *opcode),
            Self::WsClient { opcode, .. } => Framing::WebSocket(Role::Client, *opcode),
        }
    }

    /// Says what we say first, without waiting for the peer.
    pub(super) fn begin(self, channel: &Channel, protocols: Protocols) -> Result<HandshakeState, End> {
        Ok(match self {
            Self::SpServer(_) if protocols.forwarding.is_some() || protocols.limited => {
                HandshakeState::Offer(protocols)
            }
            Self::SpServer(_) => introduce(channel, protocols)?,
            Self::SpClient(_) => match protocols.forwarding {
                Some(forwarding) => {
                    greet(channel, &sp_header::encode(forwarding.own), protocols.shares)?;
                    HandshakeState::Answer(protocols, forwarding)
                }
                None => introduce(channel, protocols)?,
            },
            Self::WsServer { .. } => HandshakeState::Request(protocols),
            Self::WsClient { resource, host, .. } => {
                let key = sys::random();
                let offers = protocols.forwarding.is_some();
                say(channel, &ws_upgrade::request(&resource, &host, key, type_name(protocols.peer), offers))?;
                HandshakeState::Response(protocols, key)
            }
        })
    }
}

fn introduce(channel: &Channel, protocols: Protocols) -> Result<HandshakeState, End> {
    greet(channel, &sp_header::encode(protocols.own), protocols.shares)?;
    Ok(HandshakeState::Header)
}

fn greet(channel: &Channel, bytes: &[u8], shares: bool) -> Result<(), End> {
    said(channel.greet(bytes, shares), bytes)
}

/// A fresh connection has room for a greeting.
fn say(channel: &Channel, bytes: &[u8]) -> Result<(), End> {
    said(channel.send(bytes), bytes)
}

fn said(sent: io::Result<usize>, bytes: &[u8]) -> Result<(), End> {
    match sent {
        Ok(sent) if sent == bytes.len() => Ok(()),
        Ok(_) => Err(End::Closed),
        Err(error) => Err(End::failed(&error)),
    }
}

/// What the peer has to say before it is greeted.
#[derive(Debug, Clone, Copy)]
pub(super) enum HandshakeState {
    /// Its type. It knows ours.
    Header,
    /// Its type, which may offer that subscriptions travel. It does not know ours yet: we answer in kind, if at all.
    Offer(Protocols),
    /// The answer to our offer.
    Answer(Protocols, Forwarding),
    Request(Protocols),
    Response(Protocols, [u8; 16]),
}

/// The peer is greeted.
pub(super) struct Greeted {
    /// Its socket type.
    pub peer: u16,
    /// Subscriptions travel.
    pub forwards: bool,
    /// How many bytes it took to say so.
    pub length: usize,
    /// What has to go out before the peer knows that we agree. Empty: it knows already.
    pub answer: Vec<u8>,
}

/// How long a listening socket that would like an offer waits for one: whoever dials speaks at once, but for clients that
/// were written to hear first. It comes off the time for the whole greeting.
const OFFER_TIME: Duration = Duration::from_millis(200);

/// Time for the whole greeting.
const SP_TIME: Duration = Duration::from_secs(1);
pub(super) const WS_TIME: Duration = Duration::from_secs(5);

impl HandshakeState {
    pub(super) fn time(self) -> Duration {
        match self {
            Self::Header | Self::Answer(..) => SP_TIME,
            Self::Offer(_) => OFFER_TIME,
            Self::Request(_) | Self::Response(..) => WS_TIME,
        }
    }

    /// The time is over. `Some`: nothing is lost yet, and this is what the peer has now.
    pub(super) fn goes_on(self, channel: &Channel) -> Option<(Self, Duration)> {
        match self {
            Self::Offer(protocols) => {
                let awaited = introduce(channel, protocols).ok()?;
                Some((awaited, SP_TIME.saturating_sub(OFFER_TIME)))
            }
            _ => None,
        }
    }

    /// What a peer is sent that there is no room for: in SP nothing.
    pub(super) fn refusal(self) -> &'static [u8] {
        if matches!(self, Self::Request(_)) { ws_upgrade::BUSY } else { b"" }
    }

    /// Whether the end of the connection may mean that the peer does not understand our offer.
    pub(super) fn is_answer(self) -> bool {
        matches!(self, Self::Answer(..))
    }

    /// Whether there may be more in what has come so far than in the part that was looked at. `kept`: so much was there
    /// before the last read.
    pub(super) fn is_worth_a_look(self, bytes: &[u8], kept: usize, looked: usize) -> bool {
        !matches!(self, Self::Request(_) | Self::Response(..)) || ws_upgrade::is_worth_a_look(bytes, kept, looked)
    }

    /// Looks at what has come so far. `None`: there is more to come.
    pub(super) fn hears(self, channel: &Channel, bytes: &[u8]) -> Result<Option<Greeted>, End> {
        let (upgrade, peer) = match self {
            Self::Header | Self::Offer(_) | Self::Answer(..) => {
                let Some(header) = bytes.first_chunk() else { return Ok(None) };
                let told = sp_header::decode(*header).inspect_err(|_| {
                    // Who is none of ours may learn from our type what it is talking to.
                    if let Self::Offer(protocols @ Protocols { limited: true, .. }) = self {
                        let _ = introduce(channel, protocols);
                    }
                })?;
                let (peer, forwards, answer) = self.settles(told)?;
                return Ok(Some(Greeted { peer, forwards, length: sp_header::LEN, answer }));
            }
            // A WebSocket client does not tell its own type. That it asks for ours makes it the one we talk to.
            Self::Request(Protocols { own, peer, forwarding, .. }) => {
                (ws_upgrade::answer(bytes, type_name(own), forwarding.is_some()), peer)
            }
            Self::Response(Protocols { peer, forwarding, .. }, key) => {
                (ws_upgrade::check(bytes, key, type_name(peer), forwarding.is_some()), peer)
            }
        };
        match upgrade {
            Upgrade::More => Ok(None),
            Upgrade::Done { length, reply, extended } => {
                Ok(Some(Greeted { peer, forwards: extended, length, answer: reply }))
            }
            Upgrade::Refused { reply, why } => {
                let cause = match why {
                    Refusal::Type => Cause::Type,
                    Refusal::Busy => Cause::Refused,
                    Refusal::Rule(rule) => Cause::Violation(rule),
                };
                Err(End::Rejected(reply, cause))
            }
        }
    }
}

impl HandshakeState {
    /// The peer has told its type: its usual one, whether subscriptions travel, and our answer.
    fn settles(self, told: u16) -> Result<(u16, bool, Vec<u8>), End> {
        match self {
            Self::Offer(Protocols { peer, forwarding: Some(forwarding), .. }) if told == forwarding.peer => {
                Ok((peer, true, sp_header::encode(forwarding.own).to_vec()))
            }
            Self::Offer(Protocols { own, .. }) => Ok((told, false, sp_header::encode(own).to_vec())),
            Self::Answer(Protocols { peer, .. }, forwarding) if told == forwarding.peer => Ok((peer, true, Vec::new())),
            Self::Answer(Protocols { peer, .. }, _) if told == peer => Err(End::Declined),
            _ => Ok((told, false, Vec::new())),
        }
    }
}

/// Whether a read or write has only to be repeated later.
pub(super) fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
