//! Peers over ws: requests, responses and frames. Sec. numbers are RFC 6455's.

use std::io;
use std::ops::{Deref, DerefMut};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

use super::{Bare, Server, Speaks};
use crate::ours::{BUS, Ours, PAIR, PUB, PULL, PUSH, Place, REP, REQ, RESPONDENT, SUB, SURVEYOR};

// Opcodes.
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A mask for those who need one.
pub(crate) const MASK: Option<[u8; 4]> = Some([0x12, 0x34, 0x56, 0x78]);

pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What a listening socket of the type is asked for.
pub(crate) fn name_of(protocol: i32) -> &'static str {
    match protocol {
        PAIR => "pair",
        PUB => "pub",
        SUB => "sub",
        REQ => "req",
        REP => "rep",
        PUSH => "push",
        PULL => "pull",
        SURVEYOR => "surveyor",
        RESPONDENT => "respondent",
        BUS => "bus",
        other => unreachable!("type {other}"),
    }
}

/// The headers of a good request, for a socket of the type.
pub(crate) fn headers(kind: &str) -> Vec<(&'static str, String)> {
    vec![
        ("Host", "localhost".to_owned()),
        ("Upgrade", "websocket".to_owned()),
        ("Connection", "Upgrade".to_owned()),
        ("Sec-WebSocket-Key", KEY.to_owned()),
        ("Sec-WebSocket-Version", "13".to_owned()),
        ("Sec-WebSocket-Protocol", format!("{kind}.sp.nanomsg.org")),
    ]
}

pub(crate) fn request(line: &str, headers: &[(&str, String)]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{line}\r\n{headers}\r\n").into_bytes()
}

pub(crate) fn get(headers: &[(&str, String)]) -> Vec<u8> {
    request("GET / HTTP/1.1", headers)
}

pub(crate) fn with(kind: &str, name: &str, value: &str) -> Vec<u8> {
    let mut headers = headers(kind);
    headers.iter_mut().find(|(other, _)| *other == name).expect("a header").1 = value.to_owned();
    get(&headers)
}

pub(crate) fn without(kind: &str, name: &str) -> Vec<u8> {
    let mut headers = headers(kind);
    headers.retain(|(other, _)| *other != name);
    get(&headers)
}

/// A good request of exactly so many bytes.
pub(crate) fn of_length(kind: &str, length: usize) -> Vec<u8> {
    let mut headers = headers(kind);
    headers.push(("Cookie", String::new()));
    let rest = get(&headers).len();
    headers.last_mut().expect("the cookie").1 = "c".repeat(length - rest);
    get(&headers)
}

/// A stream that speaks to a socket of ours.
pub(crate) struct Raw {
    bare: Bare,
    /// The other side sends masked frames, and takes unmasked ones.
    other_is_client: bool,
}

impl Deref for Raw {
    type Target = Bare;

    fn deref(&self) -> &Bare {
        &self.bare
    }
}

impl DerefMut for Raw {
    fn deref_mut(&mut self) -> &mut Bare {
        &mut self.bare
    }
}

impl Raw {
    pub(crate) fn to(place: &Place) -> Self {
        Self { bare: Bare::to(place), other_is_client: false }
    }

    /// A client that has been let in.
    pub(crate) fn client(place: &Place, kind: &str) -> Self {
        let mut client = Self::to(place);
        client.say(&get(&headers(kind)));
        let reply = client.head();
        let proof = accept_key(KEY);
        assert!(reply.starts_with("HTTP/1.1 101 "), "{reply}");
        assert_eq!(header(&reply, "Sec-WebSocket-Accept"), proof);
        client
    }

    /// The head of a request or response.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read(1).unwrap_or_else(|error| panic!("{error} after {:?}", text(&head))));
        }
        text(&head)
    }

    /// A frame: its opcode and its payload, without the mask.
    pub(crate) fn try_hear(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let head = self.read(2)?;
        assert_eq!(head[0] & 0xF0, 0x80, "FIN alone is set");
        assert_eq!(head[1] & 0x80 != 0, self.other_is_client, "clients mask, servers do not");
        let length = match head[1] & 0x7F {
            126 => self.read(2)?.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)),
            127 => self.read(8)?.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)),
            short => usize::from(short),
        };
        let mask = if self.other_is_client { self.read(4)? } else { vec![0; 4] };
        let mut payload = self.read(length)?;
        payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= mask[at % 4]);
        Ok((head[0] & 0x0F, payload))
    }

    pub(crate) fn hears(&mut self) -> (u8, Vec<u8>) {
        self.try_hear().expect("a frame")
    }

    /// A close frame, and then the end. `None`: the end alone, by a reset.
    pub(crate) fn hears_close(&mut self, masked: bool) -> Option<(u16, String)> {
        assert_eq!(masked, self.other_is_client);
        let (opcode, payload) = match self.try_hear() {
            Ok(heard) => heard,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("no close frame: {error}"),
        };
        assert_eq!(opcode, CLOSE);
        assert!(self.end().is_empty(), "nothing comes behind a close frame");
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        Some((code, text(&payload[2..])))
    }

    pub(crate) fn is_closed(&mut self, name: &str, code: u16, reason: &str, masked: bool) {
        let close = self.hears_close(masked).unwrap_or_else(|| panic!("{name}: no close frame"));
        assert_eq!(close, (code, reason.to_owned()), "{name}");
    }

    /// A 400 with its end, and the end.
    pub(crate) fn is_told(&mut self, name: &str, reason: &str) {
        let reply = text(&self.end());
        assert!(reply.starts_with(&format!("HTTP/1.1 400 {reason}\r\n")), "{name}: {reply:?}");
        assert!(reply.ends_with("\r\n\r\n"), "{name}: {reply:?}");
        assert_eq!(header(&reply, "Sec-WebSocket-Version"), "13", "{name}");
    }

    pub(crate) fn leave(mut self) {
        let mask = if self.other_is_client { None } else { MASK };
        self.say(&frame(CLOSE, true, &1000u16.to_be_bytes(), mask));
        self.is_closed("goodbye", 1000, "", self.other_is_client);
    }

    pub(crate) fn vanish(self, reset: bool) {
        self.bare.vanish(reset);
    }
}

impl Speaks for Raw {
    fn send(&mut self, header: &[u8], body: &[u8]) {
        let mask = if self.other_is_client { None } else { MASK };
        self.say(&frame(BINARY, true, &[header, body].concat(), mask));
    }

    fn recv(&mut self) -> Vec<u8> {
        let (opcode, message) = self.hears();
        assert_eq!(opcode, BINARY);
        message
    }
}

/// A server that speaks WebSocket.
impl Server {
    pub(crate) fn stranger(&self) -> Raw {
        Raw { bare: self.accept(), other_is_client: true }
    }

    pub(crate) fn welcome(&self, kind: &str) -> Raw {
        let mut peer = self.stranger();
        let response = good_response(&peer.head(), kind);
        peer.say(response.as_bytes());
        peer
    }

    /// A PAIR of ours has connected, talks both ways, and is sent off; it will connect again.
    pub(crate) fn serves(&self, pair: &Ours, after: &str) {
        let mut peer = self.welcome("pair");
        peer.exchange(pair, after);
        peer.leave();
    }
}

impl Ours {
    /// A PAIR that has no peer takes the next one, which talks both ways and takes its leave.
    pub(crate) fn serves_a_good_client(&self, after: &str) {
        self.is_alone();
        let mut client = Raw::client(self.place(), "pair");
        client.exchange(self, after);
        client.leave();
        self.is_alone();
    }
}

pub(crate) fn good_response(request: &str, kind: &str) -> String {
    let proof = accept_key(header(request, "Sec-WebSocket-Key"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {proof}\r\nSec-WebSocket-Protocol: {kind}.sp.nanomsg.org\r\n\r\n"
    )
}

/// Sec. 4.2.2.
pub(crate) fn accept_key(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    BASE64_STANDARD.encode(digest)
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(other, _)| *other == name).unwrap_or_else(|| panic!("no {name} in {head:?}")).1
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sec. 5.2.
pub(crate) fn frame(opcode: u8, fin: bool, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut frame = vec![u8::from(fin) << 7 | opcode];
    let masked = u8::from(mask.is_some()) << 7;
    match payload.len() {
        length @ 0..126 => frame.push(masked | length as u8),
        length @ 126..65536 => {
            frame.push(masked | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(masked | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask.into_iter().flatten());
    let mask = mask.unwrap_or_default();
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    frame
}
