//! An event as it is published: its name, a space, and a JSON object (docs/monitoring.schema.json).
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use crate::peer::{Peer, type_name};
use crate::socket::core::{Event, Happening, Subject};
use crate::sys;
use crate::transport::session::Cause;
use crate::transport::tls;

#[derive(Serialize)]
struct Object<'a> {
    event: &'static str,
    seq: u64,
    time_ns: u64,
    monotonic_ns: u64,
    socket: Cow<'a, str>,
    #[serde(rename = "type")]
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<Endpoint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<&'a Peer>,
    #[serde(flatten)]
    details: Details,
}

#[derive(Serialize)]
pub(super) struct Endpoint<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i32>,
    address: Cow<'a, str>,
    kind: &'static str,
}

/// What only some events have.
#[derive(Default, Serialize)]
struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    violation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<u64>,
}

impl<'a> From<&'a Subject> for Endpoint<'a> {
    fn from(subject: &'a Subject) -> Self {
        Self {
            id: subject.id,
            address: String::from_utf8_lossy(&subject.address),
            kind: if subject.binds { "bind" } else { "connect" },
        }
    }
}

impl Details {
    fn errno(code: i32) -> Self {
        Self { errno: Some(code), error: Some(tls::text_of(code)), ..Self::default() }
    }

    fn pause(pause: Duration) -> Self {
        // Up to the next whole one: no earlier than that.
        Self { retry_ms: Some(pause.as_micros().div_ceil(1000) as u64), ..Self::default() }
    }

    fn cause(cause: Cause, broken: &'static str) -> Self {
        let mut details = match cause {
            Cause::Failed(code) => Self::errno(code),
            Cause::Tls(failure) => Self::errno(failure.number()),
            Cause::Violation(rule) => Self { violation: Some(rule), ..Self::default() },
            _ => Self::default(),
        };
        details.reason = Some(match cause {
            Cause::Closed => "closed",
            Cause::Failed(code) if sys::is_timeout(code) => "timeout",
            Cause::Failed(_) => "reset",
            Cause::Violation(_) => broken,
            Cause::Tls(_) => "tls",
            Cause::Version => "version",
            Cause::Type => "type",
            Cause::Timeout => "timeout",
            Cause::Refused => "refused",
            Cause::Shutdown => "shutdown",
        });
        details
    }
}

fn name(what: Happening) -> &'static str {
    match what {
        Happening::Listening => "listening",
        Happening::BindFailed(_) => "bind_failed",
        Happening::Connecting => "connecting",
        Happening::ConnectFailed(..) => "connect_failed",
        Happening::Accepted => "accepted",
        Happening::AcceptFailed(_) => "accept_failed",
        Happening::HandshakeFailed(_) => "handshake_failed",
        Happening::Connected => "connected",
        Happening::Disconnected(_) => "disconnected",
        Happening::Retrying(_) => "retrying",
        Happening::Closed => "closed",
        Happening::Overflow(_) => "overflow",
        Happening::MonitorStopped => "monitor_stopped",
    }
}

fn details(what: Happening) -> Details {
    match what {
        Happening::BindFailed(code) | Happening::AcceptFailed(code) => Details::errno(code),
        Happening::ConnectFailed(code, pause) => {
            Details { retry_ms: Details::pause(pause).retry_ms, ..Details::errno(code) }
        }
        Happening::HandshakeFailed(cause) => Details::cause(cause, "protocol"),
        Happening::Disconnected(cause) => Details::cause(cause, "violation"),
        Happening::Retrying(pause) => Details::pause(pause),
        Happening::Overflow(dropped) => Details { dropped: Some(dropped), ..Details::default() },
        Happening::Listening
        | Happening::Connecting
        | Happening::Accepted
        | Happening::Connected
        | Happening::Closed
        | Happening::MonitorStopped => Details::default(),
    }
}

/// What is published of an event of the socket with this name and type.
pub(super) fn message(event: &Event, socket: &[u8], protocol: u16) -> Vec<u8> {
    let (time_ns, monotonic_ns) = event.times;
    let name = name(event.what);
    let object = Object {
        event: name,
        seq: event.number,
        time_ns,
        monotonic_ns,
        socket: String::from_utf8_lossy(socket),
        protocol: type_name(protocol),
        endpoint: event.endpoint.as_ref().map(Into::into),
        peer: event.peer.as_deref(),
        details: details(event.what),
    };
    let mut message = [name.as_bytes(), b" "].concat();
    // Nothing in it can fail: there are no maps with other keys than text.
    let _ = serde_json::to_writer(&mut message, &object);
    message
}
