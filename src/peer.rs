//! Who is at the other end of a connection, as far as it is known: for events, statistics and NN_RECV_PEER.
#![forbid(unsafe_code)]

use serde::{Serialize, Serializer};

/// As docs/monitoring.schema.json has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Peer {
    /// The connection's number within its socket, which no other one ever has.
    pub pipe: u64,
    /// Its socket type, once it has told.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", serialize_with = "named")]
    pub protocol: Option<u16>,
    #[serde(flatten)]
    pub ends: Ends,
    /// What it has shown of itself (TLS). It is verified if NN_TLS_VERIFY says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(not(tls), allow(dead_code, reason = "nobody shows one"))]
pub(crate) struct Certificate {
    /// Its subject (RFC 4514).
    pub subject: Box<str>,
    /// The SHA-256 of its DER form, in lower-case hexadecimal digits.
    pub sha256: Box<str>,
}

/// What the system tells of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Ends {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<Box<str>>,
    #[serde(flatten)]
    pub process: Option<Process>,
}

/// A process of this machine, as it was when it dialled or began to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Process {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
}

impl Peer {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Nothing in it can fail: there are no maps with other keys than text.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn named<S: Serializer>(protocol: &Option<u16>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(protocol.map_or("", type_name))
}

/// A socket type by its name, in a WebSocket's subprotocol too.
pub(crate) fn type_name(protocol: u16) -> &'static str {
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
        112 => "bus",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut peer = Peer { pipe: 7, ..Peer::default() };
        assert_eq!(peer.to_json(), br#"{"pipe":7}"#);
        peer.protocol = Some(33);
        peer.ends.address = Some("127.0.0.1:5".into());
        peer.ends.process = Some(Process { pid: 1, uid: 2, gid: 3 });
        assert_eq!(peer.to_json(), br#"{"pipe":7,"type":"sub","address":"127.0.0.1:5","pid":1,"uid":2,"gid":3}"#);
    }
}
