//! The door for fuzz/: what reads bytes that strangers have made, and each pattern in a game of random events. Each
//! function takes any bytes, and panics where an answer contradicts itself, or the specification.
#![allow(clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::io::Write;

use crate::codec::length_prefix::LengthPrefix;
use crate::codec::sp_header;
use crate::codec::ws_frame::{self, Event, FrameSequence, Head, LONGEST, Role};
use crate::codec::ws_upgrade::{self, Upgrade};
use crate::error::Result;
use crate::ffi;
use crate::message::{Body, Message, Outgoing};
use crate::pattern::{self, Priorities, backtrace, model};
use crate::pipe::{Inbox, PipeId};
use crate::sys;
use crate::transport::channel::Channel;
use crate::transport::session::{End, Greeting, Progress, Protocols, SCRATCH, Session};
use crate::transport::{KeepAlive, Scheme, Settings, address, by_scheme, tls};

#[cfg(test)]
type Target = fn(&[u8]);

/// All of them, by the names they have in fuzz/.
#[cfg(test)]
const TARGETS: &[(&str, Target)] = &[
    ("address", address),
    ("backtrace", backtrace),
    ("bus", bus),
    ("control", control),
    ("length_prefix", length_prefix),
    ("pair", pair),
    ("pipeline", pipeline),
    ("pubsub", pubsub),
    ("reqrep", reqrep),
    ("sp_header", sp_header),
    ("subscriptions", subscriptions),
    ("session", session),
    ("survey", survey),
    ("tls_options", tls_options),
    ("tls_stream", tls_stream),
    ("tls_wire", tls_wire),
    ("ws_frame", ws_frame),
    ("ws_upgrade", ws_upgrade),
];

/// Frame after frame, as far as they go.
pub fn ws_frame(mut bytes: &[u8]) {
    let role = if bytes.first().is_some_and(|byte| byte & 1 == 1) { Role::Server } else { Role::Client };
    let mut conversation = FrameSequence::default();
    let mut message = Vec::new();
    while let Ok(Some(head)) = ws_frame::decode(bytes, role) {
        same_in_every_part(bytes, head, role);
        if conversation.begins(head).is_err() {
            return;
        }
        let arrived = &bytes[head.length..];
        let Some((payload, rest)) =
            usize::try_from(head.payload).ok().and_then(|length| arrived.split_at_checked(length))
        else {
            return;
        };
        bytes = rest;
        let mut payload = payload.to_vec();
        ws_frame::apply_mask(&mut payload, head.mask, 0);
        match conversation.takes(head, &payload) {
            Err(close) => {
                let frame = ws_frame::close_frame(close, None);
                assert!(frame.len() <= 2 + 125);
                let told = ws_frame::decode(&frame, Role::Client).expect("our own frames are right");
                assert_eq!(told.map(|head| head.length + head.payload as usize), Some(frame.len()));
                return;
            }
            Ok(Event::Ping) => assert!(ws_frame::pong_frame(&payload, None).len() <= 2 + 125),
            Ok(Event::Nothing) => {}
            Ok(Event::Piece { opcode, last }) => {
                assert!(matches!(opcode, ws_frame::TEXT | ws_frame::BINARY));
                message.extend(payload);
                if last {
                    assert!(opcode == ws_frame::BINARY || std::str::from_utf8(&message).is_ok());
                    message.clear();
                }
            }
        }
    }
}

fn same_in_every_part(bytes: &[u8], head: Head, role: Role) {
    assert!(head.length <= LONGEST && head.length <= bytes.len());
    assert!(!head.is_control() || (head.payload <= 125 && head.fin));
    for length in 0..head.length {
        assert_eq!(ws_frame::decode(&bytes[..length], role), Ok(None));
    }
    // Nothing here is so large that it has to be written.
    let Ok(payload) = usize::try_from(head.payload) else { return };
    let mask = (role == Role::Server).then_some(head.mask);
    let mut out = [0; LONGEST];
    let length = ws_frame::encode(payload, head.opcode, mask, &mut out);
    let again = ws_frame::decode(&out[..length], role);
    assert_eq!(again, Ok(Some(Head { length, fin: true, ..head })));
}

/// A request to a listening PAIR, and the response to a connecting one.
pub fn ws_upgrade(bytes: &[u8]) {
    settles(bytes, |bytes| ws_upgrade::answer(bytes, "pair", true));
    settles(bytes, |bytes| ws_upgrade::check(bytes, *b"0123456789abcdef", "pair", true));
}

/// What was answered to the first part of the bytes is the answer to all of them.
fn settles(bytes: &[u8], answer: impl Fn(&[u8]) -> Upgrade) {
    let whole = answer(bytes);
    let lengths = (0..bytes.len()).step_by(1 + bytes.len() / 32);
    if let Some(early) = lengths.map(|length| answer(&bytes[..length])).find(|answer| *answer != Upgrade::More) {
        assert!(std::mem::discriminant(&early) == std::mem::discriminant(&whole), "{early:?} and then {whole:?}");
    }
    match whole {
        Upgrade::More => assert!(bytes.len() < ws_upgrade::LIMIT),
        Upgrade::Done { length, .. } => {
            assert!(length <= bytes.len());
            assert_eq!(answer(&bytes[..length - 1]), Upgrade::More);
        }
        Upgrade::Refused { reply, .. } => assert!(reply.is_empty() || reply.ends_with(b"\r\n\r\n")),
    }
}

pub fn length_prefix(bytes: &[u8]) {
    for prefix in [LengthPrefix::Plain, LengthPrefix::Typed] {
        let Ok(Some(frame)) = prefix.decode(bytes) else { continue };
        assert_eq!(frame.head, prefix.head_len());
        let Ok(payload) = usize::try_from(frame.payload) else { continue };
        let mut out = [0; 14];
        let length = prefix.encode(payload, &mut out);
        assert_eq!(out[..length], bytes[..length]);
    }
}

pub fn sp_header(bytes: &[u8]) {
    let Some(header) = bytes.first_chunk() else { return };
    if let Ok(protocol) = sp_header::decode(*header) {
        assert_eq!(sp_header::encode(protocol)[..6], header[..6]);
    }
}

/// The first byte is the limit.
pub fn backtrace(bytes: &[u8]) {
    let Some((&max, body)) = bytes.split_first() else { return };
    let message = || Message { body: Body::copy_of(body).expect("memory"), ..Message::default() };
    let mut all = message();
    if backtrace::take_all(&mut all, max) {
        assert!(all.header.len() % 4 == 0 && all.header.len() <= 4 * usize::from(max));
        let bottom = all.header.len() - 4;
        assert!(all.header[bottom] & 0x80 != 0);
        assert!(all.header[..bottom].iter().step_by(4).all(|byte| byte & 0x80 == 0));
    } else {
        assert!(all.header.is_empty());
    }
    assert_eq!([&all.header[..], all.body.as_slice()].concat(), body);
    let mut one = message();
    assert_eq!(backtrace::take_word(&mut one), body.len() >= 4);
    assert_eq!([&one.header[..], one.body.as_slice()].concat(), body);
}

/// Both grammars, and what each scheme makes of the text. Nothing is bound and nothing is dialled.
pub fn address(bytes: &[u8]) {
    for ipv4_only in [true, false] {
        if let Ok(remote) = address::parse_remote(bytes, ipv4_only) {
            assert!(remote.port > 0 && remote.local.is_none_or(|local| local.port() == 0));
        }
        if let Ok(local) = address::parse_local(bytes, ipv4_only) {
            assert!(!ipv4_only || local.is_ipv4());
        }
        let settings = Settings {
            ipv4_only,
            send_buffer: None,
            recv_buffer: None,
            ws_opcode: 2,
            ws_ping: None,
            connect_timeout: None,
            keepalive: KeepAlive::default(),
            ipc_mode: None,
            named_pipe: crate::transport::NamedPipe::default(),
        };
        for scheme in [&b"tcp"[..], b"ws", b"unix", b"ipc"] {
            if let Ok(Scheme::Stream(transport)) = by_scheme(scheme, &tls::Options::default()) {
                let _ = transport.connect(bytes, settings);
            }
        }
    }
    if let Ok((scheme, rest)) = address::split_scheme(bytes) {
        assert_eq!([scheme, b"://", rest].concat(), bytes);
        let _ = by_scheme(scheme, &tls::Options::default());
    }
}

/// A control buffer that a program passes to nn_sendmsg.
pub fn control(bytes: &[u8]) {
    ffi::cmsg::examine(bytes);
}

pub fn pair(bytes: &[u8]) {
    model::play(pattern::PAIR, bytes);
}

pub fn pubsub(bytes: &[u8]) {
    one_of([pattern::PUB, pattern::SUB], bytes);
}

pub fn reqrep(bytes: &[u8]) {
    one_of([pattern::REQ, pattern::REP], bytes);
}

pub fn pipeline(bytes: &[u8]) {
    one_of([pattern::PUSH, pattern::PULL], bytes);
}

pub fn survey(bytes: &[u8]) {
    one_of([pattern::SURVEYOR, pattern::RESPONDENT], bytes);
}

pub fn bus(bytes: &[u8]) {
    model::play(pattern::BUS, bytes);
}

/// The second bit of the first byte says which end of the pattern.
fn one_of(ends: [pattern::Protocol; 2], bytes: &[u8]) {
    let end = bytes.first().is_some_and(|mode| mode & 2 != 0);
    model::play(ends[usize::from(end)], bytes);
}

/// A good request to a listening PAIR.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A connection's first bytes say how it is cut: what is heard is the same. A WebSocket's is that behind its upgrade, which is
/// not looked at with each byte.
pub fn session(bytes: &[u8]) {
    let Some((&[mode, first, second], wire)) = bytes.split_first_chunk() else { return };
    let wire = [if mode % 3 == 2 { REQUEST } else { b"" }, wire].concat();
    let whole = hear_session(mode, &[wire.len().max(1)], &wire);
    let cut = hear_session(mode, &[first, second].map(|size| usize::from(size) + 1), &wire);
    assert_eq!(whole, cut);
}

/// The messages that come, and how it ends.
fn hear_session(mode: u8, pieces: &[usize], mut wire: &[u8]) -> (Vec<Vec<u8>>, Option<End>) {
    let (near, mut far) = sys::pair().expect("two streams");
    near.set_nonblocking(true).expect("an option");
    let stream = socket2::Socket::from(near);
    let greeting = match mode % 3 {
        0 => Greeting::SpServer(LengthPrefix::Plain),
        1 => Greeting::SpClient(LengthPrefix::Typed),
        _ => Greeting::WsServer { opcode: ws_frame::BINARY },
    };
    let protocols =
        Protocols { own: pattern::PAIR, peer: pattern::PAIR, forwarding: None, limited: true, shares: false };
    let mut session = Session::start(Channel::Plain(stream.into()), greeting, protocols).expect("it is greeted");
    let (mut scratch, mut frames, mut message) = (vec![0; SCRATCH], Inbox::default(), Message::default());
    let mut heard = Vec::new();
    for &size in pieces.iter().cycle() {
        let (piece, rest) = wire.split_at(size.min(wire.len()));
        far.write_all(piece).expect("room");
        loop {
            let Progress { came, end, .. } = session.read(&mut scratch, Some(1 << 20), &mut frames);
            while frames.pop(&mut message) {
                heard.push(message.body.as_slice().to_vec());
            }
            match end {
                None if came => {}
                None => break,
                end => return (heard, end),
            }
        }
        wire = rest;
        if wire.is_empty() {
            return (heard, None);
        }
    }
    unreachable!("there are pieces")
}

/// Options of TLS, with any certificate and key.
pub fn tls_options(bytes: &[u8]) {
    #[cfg(all(tls, unix))]
    tls::fuzzing::options(bytes);
    let _ = bytes;
}

/// What goes through TLS, in any pieces.
pub fn tls_stream(bytes: &[u8]) {
    #[cfg(all(tls, unix))]
    tls::fuzzing::stream(bytes);
    let _ = bytes;
}

/// What is no handshake of TLS.
pub fn tls_wire(bytes: &[u8]) {
    #[cfg(all(tls, unix))]
    tls::fuzzing::wire(bytes);
    let _ = bytes;
}

/// Two subscribers tell a publisher what they want, one record each: its length, whose last bit says which subscriber, and
/// the frame. After each of them the rest of it is published, and has to go to those who want it, once.
pub fn subscriptions(mut bytes: &[u8]) {
    const PUB: u16 = 32;
    let mut publisher = pattern::open(PUB, false, 0, true).expect("there is such a type");
    let mut pipes = Heard::default();
    let mut told = [(); 2].map(|()| (false, BTreeSet::<&[u8]>::new()));
    for slot in 0..2 {
        publisher.add(pipe(slot), Priorities { send: 8, recv: 8 }).expect("a PUB takes everybody");
        publisher.forward_on(pipe(slot));
        publisher.writable(pipe(slot), &mut pipes, sys::now());
    }
    while let Some((&length, rest)) = bytes.split_first() {
        let (frame, rest) = rest.split_at(rest.len().min(usize::from(length / 2)));
        bytes = rest;
        let slot = u32::from(length % 2);
        pipes.incoming = Some(frame);
        publisher.readable(pipe(slot), &mut pipes, sys::now());
        assert!(pipes.incoming.is_none());
        let (complete, topics) = &mut told[slot as usize];
        match frame {
            [0, topic @ ..] => _ = topics.remove(topic),
            [1, topic @ ..] => _ = topics.insert(topic),
            [2] => *complete = true,
            _ => {}
        }
        let message = frame.get(1..).unwrap_or_default();
        pipes.sent.clear();
        publisher.send(&mut Outgoing::borrowed(message), &mut pipes, sys::now()).expect("a PUB never waits");
        for (slot, (complete, topics)) in told.iter().enumerate() {
            let wanted = !complete || topics.iter().any(|topic| message.starts_with(topic));
            let times = pipes.sent.iter().filter(|sent| sent.slot as usize == slot).count();
            assert_eq!(times, usize::from(wanted));
        }
    }
}

fn pipe(slot: u32) -> PipeId {
    PipeId { slot, serial: slot }
}

/// What a publisher has to hear, and to whom it has sent.
#[derive(Default)]
struct Heard<'a> {
    incoming: Option<&'a [u8]>,
    sent: Vec<PipeId>,
}

impl pattern::Pipes for Heard<'_> {
    fn send(&mut self, pipe: PipeId, _message: &mut Outgoing<'_>, _last: bool) -> Result<bool> {
        self.sent.push(pipe);
        Ok(true)
    }

    fn recv(&mut self, _pipe: PipeId, message: &mut Message) -> Option<bool> {
        message.body = Body::copy_of(self.incoming.take()?).expect("memory");
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
    }

    fn seeds(name: &str) -> Vec<Vec<u8>> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder("seeds").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// Also where there is no toolchain for fuzzing.
    #[test]
    fn the_seeds_hold() {
        for (name, target) in TARGETS {
            let seeds = seeds(name);
            assert!(!seeds.is_empty(), "{name}");
            seeds.iter().for_each(|seed| target(seed));
        }
    }

    #[test]
    fn every_target_has_its_program_and_its_seeds() {
        let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&folder("fuzz_targets")), targets);
        assert_eq!(names(&folder("seeds")), targets);
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in vec(any::<u8>(), 0..400)) {
            TARGETS.iter().for_each(|(_, target)| target(&bytes));
        }

        /// Chance alone seldom gets past the first bytes: what is known to get further, with some bytes changed.
        #[test]
        fn nearly_a_seed_will_do(which: prop::sample::Index, changes in vec(any::<(prop::sample::Index, u8)>(), 1..6)) {
            for (name, target) in TARGETS {
                let seeds = seeds(name);
                let mut bytes = seeds[which.index(seeds.len())].clone();
                for (at, byte) in &changes {
                    match byte % 8 {
                        0 => bytes.truncate(at.index(bytes.len() + 1)),
                        1 => bytes.insert(at.index(bytes.len() + 1), byte >> 3),
                        _ if bytes.is_empty() => {}
                        _ => {
                            let at = at.index(bytes.len());
                            bytes[at] ^= *byte;
                        }
                    }
                }
                target(&bytes);
            }
        }
    }
}
