//! Peers that speak WebSocket wrongly, or try to harm: bare TCP streams against our listening and our connecting sockets.
//! After each of them the process lives, the offender has been told why it was closed, and the next peer is served.
//!
//! Sec. numbers are RFC 6455's.

#![cfg(target_os = "linux")]

use std::ffi::{CString, c_int, c_void};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use nanomsg::ffi;
use sha1::{Digest, Sha1};
use socket2::{Domain, SockRef, Socket, Type};

/// How long anything may take that should happen at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long both sides wait for a handshake, and how much later the end of it may come on a busy machine.
const HANDSHAKE: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_secs(10);

const PAIR: c_int = 16;
const PUB: c_int = 32;
const SUB: c_int = 33;
const REQ: c_int = 48;

// Options of NN_SOL_SOCKET.
const SOL_SOCKET: c_int = 0;
const SNDTIMEO: c_int = 4;
const RCVTIMEO: c_int = 5;
const RECONNECT_IVL: c_int = 6;
const RCVMAXSIZE: c_int = 16;
const SUB_SUBSCRIBE: c_int = 1;
const REQ_RESEND_IVL: c_int = 1;

const CURRENT_CONNECTIONS: c_int = 201;
const DONTWAIT: c_int = 1;

// Opcodes.
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

// ---- Requests that a listening socket refuses ----

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The headers of a good request, for a socket of the type.
fn headers(kind: &str) -> Vec<(&'static str, String)> {
    vec![
        ("Host", "localhost".to_owned()),
        ("Upgrade", "websocket".to_owned()),
        ("Connection", "Upgrade".to_owned()),
        ("Sec-WebSocket-Key", KEY.to_owned()),
        ("Sec-WebSocket-Version", "13".to_owned()),
        ("Sec-WebSocket-Protocol", format!("{kind}.sp.nanomsg.org")),
    ]
}

fn request(line: &str, headers: &[(&str, String)]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{line}\r\n{headers}\r\n").into_bytes()
}

fn get(headers: &[(&str, String)]) -> Vec<u8> {
    request("GET / HTTP/1.1", headers)
}

fn with(name: &str, value: &str) -> Vec<u8> {
    let mut headers = headers("pair");
    headers.iter_mut().find(|(other, _)| *other == name).expect("a header").1 = value.to_owned();
    get(&headers)
}

fn without(name: &str) -> Vec<u8> {
    let mut headers = headers("pair");
    headers.retain(|(other, _)| *other != name);
    get(&headers)
}

/// A good request of exactly so many bytes.
fn of_length(length: usize) -> Vec<u8> {
    let mut headers = headers("pair");
    headers.push(("Cookie", String::new()));
    let rest = get(&headers).len();
    headers.last_mut().expect("the cookie").1 = "c".repeat(length - rest);
    get(&headers)
}

fn bad_requests() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let bare = "Cannot Have Body";
    let (long, bad) = ("Opening Handshake Too Long", "Bad Request");
    let good = headers("pair");
    let mut early_end = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    early_end.extend([b'x'; 300]);
    vec![
        ("POST", request("POST / HTTP/1.1", &good), bad),
        ("HTTP/1.0", request("GET / HTTP/1.0", &good), bad),
        ("HTTP/2", request("GET / HTTP/2", &good), bad),
        ("no resource", request("GET HTTP/1.1", &good), bad),
        ("no version", request("GET /", &good), bad),
        ("a NUL in the resource", request("GET /\0 HTTP/1.1", &good), bad),
        ("a NUL in a header", with("Host", "local\0host"), bad),
        ("a NUL in a name", request("GET / HTTP/1.1\r\nA\0B: c", &good), bad),
        ("a header without a colon", request("GET / HTTP/1.1\r\nnonsense", &good), bad),
        ("a TLS hello", [&b"\x16\x03\x01\x02\x00\x01\x00"[..], &[0; 512]].concat(), bad),
        ("an SP header", [&b"\0SP\0\0\x10\0\0"[..], &[0; 200]].concat(), bad),
        ("a frame", frame(BINARY, true, b"hello", Some([1, 2, 3, 4])), bad),
        ("a hundred headers", request(&format!("GET / HTTP/1.1{}", "\r\na: b".repeat(100)), &good), bad),
        ("no Host", without("Host"), bare),
        ("no Upgrade", without("Upgrade"), bare),
        ("no Connection", without("Connection"), bare),
        ("no key", without("Sec-WebSocket-Key"), bare),
        ("no version header", without("Sec-WebSocket-Version"), bare),
        ("no headers, and a body in the first 151 bytes", early_end, bare),
        ("another Upgrade", with("Upgrade", "h2c"), bare),
        ("Connection: close, and an Upgrade elsewhere", with("Connection", "close"), bare),
        ("a key of 15 bytes", with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA"), bare),
        ("a key that is no base64", with("Sec-WebSocket-Key", "????????????????????????"), bare),
        ("version 8", with("Sec-WebSocket-Version", "8"), "Unsupported WebSocket Version"),
        ("version 1313", with("Sec-WebSocket-Version", "1313"), "Unsupported WebSocket Version"),
        ("a version of 1500 digits", with("Sec-WebSocket-Version", &"1".repeat(1500)), "Unsupported WebSocket Version"),
        ("another type", with("Sec-WebSocket-Protocol", "pub.sp.nanomsg.org"), "Incompatible Socket Type"),
        ("no type", with("Sec-WebSocket-Protocol", "chat"), "Unrecognized Socket Type"),
        ("half a type", with("Sec-WebSocket-Protocol", "pair.sp.nanomsg"), "Unrecognized Socket Type"),
        ("4096 bytes without an end", [&b"GET / HTTP/1.1\r\nA: "[..], &[b'a'; 4078]].concat(), long),
        ("4097 bytes", of_length(4097), long),
        ("8000 bytes", of_length(8000), long),
        ("a resource of 5000 bytes", request(&format!("GET /{} HTTP/1.1", "r".repeat(5000)), &good), long),
    ]
}

#[test]
fn a_request_that_is_refused_ends_with_a_400() {
    let pair = Ours::listening(PAIR);
    pair.serves_a_good_client("before");
    for (name, bytes, reason) in bad_requests() {
        let mut offender = Raw::to(pair.at());
        offender.say(&bytes);
        offender.is_told(name, reason);
        pair.serves_a_good_client(name);
    }
}

#[test]
fn the_same_requests_are_refused_in_any_pieces() {
    let pair = Ours::listening(PAIR);
    for (name, bytes, reason) in bad_requests() {
        for piece in [1, 7, 150, 1000] {
            let mut offender = Raw::to(pair.at());
            offender.say_in_pieces(&bytes, piece);
            offender.is_told(name, reason);
        }
    }
    pair.serves_a_good_client("after all of them");
}

#[test]
fn without_a_subprotocol_only_a_pair_is_reached() {
    let publisher = Ours::listening(PUB);
    let mut offender = Raw::to(publisher.at());
    offender.say(&without("Sec-WebSocket-Protocol"));
    offender.is_told("PUB", "Incompatible Socket Type");

    let pair = Ours::listening(PAIR);
    let mut client = Raw::to(pair.at());
    client.say(&without("Sec-WebSocket-Protocol"));
    let reply = client.head();
    assert!(reply.starts_with("HTTP/1.1 101 ") && !reply.contains("Sec-WebSocket-Protocol"), "{reply}");
    client.exchange(&pair, "no subprotocol");
}

/// Q-R9, Q-R33: around the size of the buffer.
#[test]
fn a_request_of_any_length_is_answered() {
    let pair = Ours::listening(PAIR);
    for length in 4000..4200 {
        let mut client = Raw::to(pair.at());
        client.say(&of_length(length));
        if length <= 4096 {
            let reply = client.head();
            assert!(reply.starts_with("HTTP/1.1 101 "), "{length}: {reply}");
            client.leave();
        } else {
            client.is_told(&length.to_string(), "Opening Handshake Too Long");
        }
        pair.is_alone();
    }
    pair.serves_a_good_client("after all of them");
}

/// Q-R11: a refused peer occupies nothing, and what it says behind its request reaches nobody.
#[test]
fn what_follows_a_refused_request_is_not_heard() {
    let pair = Ours::listening(PAIR);
    let mut offender = Raw::to(pair.at());
    let message = frame(BINARY, true, b"forged", Some([1, 2, 3, 4]));
    offender.say(&[with("Sec-WebSocket-Protocol", "rep.sp.nanomsg.org"), message.clone()].concat());
    offender.say(&message);
    offender.is_told("forged", "Incompatible Socket Type");
    pair.serves_a_good_client("forged");
    assert_eq!(pair.recv(DONTWAIT), None);
}

// ---- Frames that a listening socket does not take ----

const MASK: Option<[u8; 4]> = Some([0x12, 0x34, 0x56, 0x78]);

/// What a peer says, masked or not, and what it is told.
fn bad_frames(mask: Option<[u8; 4]>) -> Vec<(&'static str, Vec<u8>, u16, &'static str)> {
    let one = |opcode, fin, payload: &[u8]| frame(opcode, fin, payload, mask);
    let rsv = "RSV1, RSV2, and RSV3 must be unset.";
    let reserved = |bit: u8| {
        let mut frame = one(BINARY, true, b"body");
        frame[0] |= bit;
        frame
    };
    let announced = |opcode: u8, fin: bool, length: u64| {
        let mut head = one(opcode, fin, b"");
        head.truncate(2);
        head[1] |= 127;
        head.extend(length.to_be_bytes());
        head.extend(mask.into_iter().flatten());
        head
    };
    let order = "Expected continuation frame opcode.";
    let (invalid, truncated) =
        ("Invalid UTF-8 code point in payload.", "Truncated UTF-8 payload with invalid code point.");
    let split = "Invalid UTF-8 code point split on previous frame.";
    let close = |code: u16, reason: &[u8]| one(CLOSE, true, &[&code.to_be_bytes(), reason].concat());
    let long = "Control frame payload exceeds allowable length.";
    let mut table = vec![
        ("RSV1", reserved(0x40), 1002, rsv),
        ("RSV2", reserved(0x20), 1002, rsv),
        ("RSV3", reserved(0x10), 1002, rsv),
        ("a continuation of nothing", one(CONTINUATION, true, b"x"), 1002, "No message to continue."),
        (
            "a continuation of what is complete",
            [one(TEXT, false, b"a"), one(CONTINUATION, true, b"b"), one(CONTINUATION, false, b"c")].concat(),
            1002,
            "No message to continue.",
        ),
        ("TEXT inside of a message", [one(BINARY, false, b"a"), one(TEXT, true, b"b")].concat(), 1002, order),
        ("BINARY inside of a message", [one(TEXT, false, b"a"), one(BINARY, false, b"b")].concat(), 1002, order),
        ("a PING of 126 bytes", one(PING, true, &[b'p'; 126]), 1002, long),
        ("a CLOSE of 126 bytes", one(CLOSE, true, &[b'p'; 126]), 1002, long),
        ("a PONG that is huge", announced(PONG, true, 1 << 40), 1002, long),
        ("half a PING", one(PING, false, b"p"), 1002, "Cannot fragment control message (FIN=0)."),
        ("half a CLOSE", one(CLOSE, false, b""), 1002, "Cannot fragment control message (FIN=0)."),
        ("more than the limit", announced(BINARY, true, (1 << 20) + 1), 1009, "Message size exceeds limit."),
        ("2^32 bytes", announced(BINARY, true, 1 << 32), 1009, "Message size exceeds limit."),
        ("2^63 - 1 bytes", announced(TEXT, true, i64::MAX as u64), 1009, "Message size exceeds limit."),
        ("a length with its top bit", announced(BINARY, true, 1 << 63), 1009, "Message size exceeds limit."),
        ("2^64 - 1 bytes", announced(BINARY, false, u64::MAX), 1009, "Message size exceeds limit."),
        (
            "pieces that are more than the limit",
            [one(BINARY, false, &[b'x'; 1 << 20]), one(CONTINUATION, true, b"y")].concat(),
            1009,
            "Message size exceeds limit.",
        ),
        (
            "pieces whose lengths overflow",
            [one(BINARY, false, b"xx"), announced(CONTINUATION, true, i64::MAX as u64)].concat(),
            1009,
            "Message size exceeds limit.",
        ),
        ("text that is none", one(TEXT, true, b"caf\xe9!"), 1007, invalid),
        ("a surrogate", one(TEXT, true, b"\xed\xa0\x80"), 1007, invalid),
        ("an overlong form", one(TEXT, true, b"\xc0\xaf"), 1007, invalid),
        ("text that ends too soon", one(TEXT, true, b"\xf0\x9f\x98"), 1007, truncated),
        (
            "text whose next piece is wrong",
            [one(TEXT, false, b"\xf0\x9f"), one(CONTINUATION, true, b"x")].concat(),
            1007,
            split,
        ),
        (
            "text whose last piece is missing (Q-R14)",
            [one(TEXT, false, b"\xf0\x9f\x98"), one(CONTINUATION, true, b"")].concat(),
            1007,
            truncated,
        ),
        ("an empty CLOSE", one(CLOSE, true, b""), 1000, ""),
        ("a CLOSE of one byte", one(CLOSE, true, b"\x03"), 1002, "Expected 2byte close code."),
        ("a CLOSE whose reason is no text", close(1000, b"\xff"), 1002, "Invalid UTF-8 sent as Close Reason."),
        ("a CLOSE inside of a message", [one(BINARY, false, b"a"), close(1001, b"")].concat(), 1001, ""),
        ("a CLOSE behind a PING that is empty", [one(PONG, true, b""), close(4999, b"bye")].concat(), 4999, ""),
    ];
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        table.push(("an opcode that is none", one(opcode, true, b"x"), 1002, "Invalid opcode."));
    }
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4000, 4999] {
        table.push(("a CLOSE with a good code", close(code, "why: \u{e4}".as_bytes()), code, ""));
    }
    for code in [0, 999, 1004, 1005, 1006, 1012, 1015, 1016, 2999, 5000, 65535] {
        table.push(("a CLOSE with a bad code", close(code, b"why"), 1002, "Unrecognized close code."));
    }
    table
}

#[test]
fn a_client_that_breaks_the_rules_is_told_which() {
    let pair = Ours::listening(PAIR);
    let mut table = bad_frames(MASK);
    table.push(("a frame without a mask", frame(BINARY, true, b"x", None), 1002, "Server expects MASK bit to be set."));
    table.push(("a PING without a mask", frame(PING, true, b"", None), 1002, "Server expects MASK bit to be set."));
    for (name, bytes, code, reason) in table {
        let mut offender = Raw::client(pair.at(), "pair");
        offender.say(&bytes);
        offender.is_closed(name, code, reason, false);
        // What was good before that is heard.
        while pair.recv(DONTWAIT).is_some() {}
        pair.serves_a_good_client(name);
    }
}

#[test]
fn a_server_that_breaks_the_rules_is_told_which() {
    let server = Server::listen();
    let pair = server.connecting(PAIR);
    server.serves(&pair, "before");
    let mut table = bad_frames(None);
    table.push(("a frame with a mask", frame(BINARY, true, b"x", MASK), 1002, "Client expects MASK bit to be unset."));
    for (name, bytes, code, reason) in table {
        let mut offender = server.accept_well("pair");
        offender.say(&bytes);
        offender.is_closed(name, code, reason, true);
        while pair.recv(DONTWAIT).is_some() {}
        // It has connected again, on a fresh connection (Q-R15).
        server.serves(&pair, name);
    }
}

/// With no limit of our own there is still the machine's.
#[test]
fn without_a_limit_an_absurd_length_is_refused() {
    let pair = Ours::listening(PAIR);
    pair.set(SOL_SOCKET, RCVMAXSIZE, -1);
    for length in [1u64 << 45, 1 << 62, i64::MAX as u64, 1 << 63, u64::MAX] {
        let mut offender = Raw::client(pair.at(), "pair");
        offender.say(&[&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 4], b"the beginning"].concat());
        let (code, _) = offender.hears_close(false).expect("a close frame");
        assert_eq!(code, 1009, "{length}");
        pair.serves_a_good_client("absurd");
    }
}

/// Pieces come in without end, none of them large: the limit holds for their sum.
#[test]
fn a_message_without_end_is_refused_at_the_limit() {
    for piece in [1000, 60_000] {
        let pair = Ours::listening(PAIR);
        let mut offender = Raw::client(pair.at(), "pair");
        let mut sent = 0;
        let mut next = frame(BINARY, false, &vec![b'x'; piece], MASK);
        while sent < 8 << 20 && offender.stream.write_all(&next).is_ok() {
            sent += piece;
            next[0] = CONTINUATION;
        }
        // It may hear of a reset alone: it was still talking when we had ended.
        if let Some(close) = offender.hears_close(false) {
            assert_eq!(close, (1009, "Message size exceeds limit.".to_owned()));
        }
        pair.serves_a_good_client("endless");
        assert_eq!(pair.recv(DONTWAIT), None);
    }
}

// ---- What is unusual, and right ----

#[test]
fn pieces_control_frames_and_text_are_one_message() {
    let pair = Ours::listening(PAIR);
    let mut client = Raw::client(pair.at(), "pair");
    let one = |opcode, fin, payload: &[u8]| frame(opcode, fin, payload, MASK);
    client.say(&one(PING, true, b"are you there"));
    assert_eq!(client.hears(), (PONG, b"are you there".to_vec()));
    client.say(&one(PONG, true, b"unasked"));
    client.say(&[one(BINARY, false, b"one "), one(PING, true, b""), one(CONTINUATION, false, b"")].concat());
    assert_eq!(client.hears(), (PONG, Vec::new()));
    client.say(&[one(PONG, true, &[7; 125]), one(CONTINUATION, true, b"message")].concat());
    assert_eq!(pair.recv(0).as_deref(), Some(&b"one message"[..]));
    // Q-R12, Q-R14: characters that are cut.
    let text = "\u{1f600} and \u{e4}".as_bytes();
    for cut in 1..text.len() {
        client.say(&[one(TEXT, false, &text[..cut]), one(CONTINUATION, true, &text[cut..])].concat());
        assert_eq!(pair.recv(0).as_deref(), Some(text));
        client.say(&[one(TEXT, false, text), one(CONTINUATION, true, b"")].concat());
        assert_eq!(pair.recv(0).as_deref(), Some(text));
    }
    client.say(&one(PING, true, &[b'p'; 125]));
    assert_eq!(client.hears(), (PONG, vec![b'p'; 125]));
    // No PING was a message.
    assert_eq!(pair.recv(DONTWAIT), None);
    client.exchange(&pair, "still");
}

#[test]
fn one_byte_at_a_time_is_understood() {
    let pair = Ours::listening(PAIR);
    let mut client = Raw::to(pair.at());
    client.say_in_pieces(&get(&headers("pair")), 1);
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    for size in [0, 1, 125, 126, 300, 5000] {
        let body = vec![b'b'; size];
        client.say_in_pieces(&frame(BINARY, true, &body, MASK), 1);
        assert_eq!(pair.recv(0), Some(body));
    }

    let server = Server::listen();
    let pair = server.connecting(PAIR);
    let mut peer = server.accept();
    let response = good_response(&peer.head(), "pair");
    peer.say_in_pieces(response.as_bytes(), 1);
    peer.say_in_pieces(&frame(BINARY, true, &[b'b'; 5000], None), 1);
    assert_eq!(pair.recv(0), Some(vec![b'b'; 5000]));
}

/// Frames in the same segment as the handshake, and a great many of them.
#[test]
fn what_comes_right_behind_a_handshake_is_heard() {
    let burst = |mask| -> Vec<u8> { (0..1000u16).flat_map(|i| frame(BINARY, true, &i.to_be_bytes(), mask)).collect() };
    let heard = |pair: &Ours| {
        for i in 0..1000u16 {
            assert_eq!(pair.recv(0), Some(i.to_be_bytes().to_vec()));
        }
    };
    let pair = Ours::listening(PAIR);
    let mut client = Raw::to(pair.at());
    client.say(&[get(&headers("pair")), burst(MASK)].concat());
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    heard(&pair);
    client.exchange(&pair, "behind");
    client.leave();
    pair.is_alone();

    // All of that, its end as well, at once.
    let mut client = Raw::to(pair.at());
    client.say(&[get(&headers("pair")), burst(MASK), frame(CLOSE, true, b"\x03\xe8", MASK)].concat());
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    client.is_closed("a whole life", 1000, "", false);
    heard(&pair);

    let server = Server::listen();
    let pair = server.connecting(PAIR);
    let mut peer = server.accept();
    let response = good_response(&peer.head(), "pair");
    peer.say(&[response.as_bytes(), &burst(None)].concat());
    heard(&pair);
}

/// Q-R1: what a subscriber says is no reason to end.
#[test]
fn a_publisher_does_not_listen() {
    let publisher = Ours::listening(PUB);
    let mut subscriber = Raw::client(publisher.at(), "pub");
    for opcode in [BINARY, TEXT, PONG] {
        subscriber.say(&frame(opcode, true, b"heckling", MASK));
    }
    subscriber.say(&frame(PING, true, b"still", MASK));
    assert_eq!(subscriber.hears(), (PONG, b"still".to_vec()));
    publisher.send(b"news");
    assert_eq!(subscriber.hears(), (BINARY, b"news".to_vec()));
}

/// Q-R16: a message that several connecting pipes share, or that is sent again, is masked for each.
#[test]
fn masks_do_not_touch_the_message() {
    let body = vec![b'm'; 10_000];
    let publisher = Ours::open(PUB);
    let subscribers = [Ours::listening(SUB), Ours::listening(SUB), Ours::listening(SUB)];
    for subscriber in &subscribers {
        subscriber.set_bytes(SUB, SUB_SUBSCRIBE, b"");
        publisher.connect(subscriber.at());
    }
    publisher.has_peers(3);
    publisher.send(&body);
    for subscriber in &subscribers {
        assert_eq!(subscriber.recv(0), Some(body.clone()));
    }

    let server = Server::listen();
    let asking = server.connecting(REQ);
    asking.set(REQ, REQ_RESEND_IVL, 50);
    let mut peer = server.accept_well("rep");
    asking.send(&body);
    let first = peer.hears();
    assert_eq!(first.1[4..], body);
    assert_eq!(peer.hears(), first, "sent again");
}

/// Q-R15: a connection that breaks inside of a message leaves nothing to the next.
#[test]
fn half_a_message_is_forgotten() {
    let halves = |mask| {
        [
            frame(TEXT, false, b"half \xf0\x9f", mask),
            frame(BINARY, false, b"half", mask),
            frame(BINARY, true, &[b'h'; 9000], mask)[..5000].to_vec(),
            frame(BINARY, true, b"half", mask)[..3].to_vec(),
        ]
    };
    let pair = Ours::listening(PAIR);
    for half in halves(MASK) {
        for reset in [false, true] {
            let mut client = Raw::client(pair.at(), "pair");
            client.exchange(&pair, "before");
            client.say(&half);
            client.vanish(reset);
            pair.serves_a_good_client("half");
            assert_eq!(pair.recv(DONTWAIT), None);
        }
    }
    let server = Server::listen();
    let pair = server.connecting(PAIR);
    for half in halves(None) {
        for reset in [false, true] {
            let mut peer = server.accept_well("pair");
            peer.exchange(&pair, "before");
            peer.say(&half);
            peer.vanish(reset);
            server.serves(&pair, "half");
        }
    }
}

// ---- Responses that a connecting socket does not take ----

#[test]
fn a_response_that_is_none_is_refused_and_the_next_one_taken() {
    let server = Server::listen();
    let pair = server.connecting(PAIR);
    let accept = |request: &str| accept_key(header(request, "Sec-WebSocket-Key"));
    let respond = |line: &str, upgrade: &str, connection: &str, accept: &str, more: &str| {
        format!(
            "{line}\r\nUpgrade: {upgrade}\r\nConnection: {connection}\r\nSec-WebSocket-Accept: {accept}\r\n{more}\r\n"
        )
    };
    let line = "HTTP/1.1 101 Switching Protocols";
    type Response<'a> = Box<dyn Fn(&str) -> String + 'a>;
    let table: Vec<(&str, Response<'_>)> = vec![
        ("404", Box::new(|_| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned())),
        ("200", Box::new(|r| respond("HTTP/1.1 200 OK", "websocket", "Upgrade", &accept(r), ""))),
        ("302", Box::new(|_| "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n".to_owned())),
        ("a 400 without its end", Box::new(|_| "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n".to_owned())),
        ("HTTP/1.0", Box::new(|r| respond("HTTP/1.0 101 Yes", "websocket", "Upgrade", &accept(r), ""))),
        ("a status without its reason", Box::new(|_| "HTTP/1.1 500\r\n\r\n".to_owned())),
        ("a status of letters", Box::new(|_| "HTTP/1.1 abc What\r\n\r\n".to_owned())),
        ("no status", Box::new(|_| "what do you want?\r\n\r\n".to_owned())),
        ("a NUL", Box::new(|r| respond("HTTP/1.1 101 \0", "websocket", "Upgrade", &accept(r), ""))),
        ("no headers", Box::new(|_| format!("{line}\r\n\r\n"))),
        ("another upgrade", Box::new(|r| respond(line, "h2c", "Upgrade", &accept(r), ""))),
        ("another connection", Box::new(|r| respond(line, "websocket", "close", &accept(r), ""))),
        ("the key itself", Box::new(|r| respond(line, "websocket", "Upgrade", header(r, "Sec-WebSocket-Key"), ""))),
        ("no proof", Box::new(|_| respond(line, "websocket", "Upgrade", "", ""))),
        // Q-R26
        ("the proof in lower case", Box::new(|r| respond(line, "websocket", "Upgrade", &accept(r).to_lowercase(), ""))),
        (
            "another type",
            Box::new(|r| {
                respond(line, "websocket", "Upgrade", &accept(r), "Sec-WebSocket-Protocol: pub.sp.nanomsg.org\r\n")
            }),
        ),
        (
            "an extension nobody asked for",
            Box::new(|r| {
                let more = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
                respond(line, "websocket", "Upgrade", &accept(r), more)
            }),
        ),
        ("5000 bytes without an end", Box::new(|_| format!("{line}\r\nCookie: {}", "c".repeat(5000)))),
        (
            "a response of 8000 bytes",
            Box::new(|r| {
                respond(line, "websocket", "Upgrade", &accept(r), &format!("Cookie: {}\r\n", "c".repeat(8000)))
            }),
        ),
        ("an SP header", Box::new(|_| "\0SP\0\0\x10\0\0".repeat(20))),
    ];
    for (name, response) in table {
        let mut peer = server.accept();
        let response = response(&peer.head());
        peer.say(response.as_bytes());
        assert!(peer.end().is_empty(), "{name}: it says something before it goes");
        server.serves(&pair, name);
    }
    // Good ones that are unusual.
    for (upgrade, connection) in [("WebSocket", "upgrade"), ("websocket", "keep-alive, Upgrade")] {
        let mut peer = server.accept();
        let response = respond(line, upgrade, connection, &accept(&peer.head()), "X-Other: yes\r\n");
        peer.say(response.as_bytes());
        peer.exchange(&pair, upgrade);
        peer.leave();
    }
}

/// A server that goes before it has answered, at any byte.
#[test]
fn a_response_that_breaks_off_is_no_end() {
    let server = Server::listen();
    let pair = server.connecting(PAIR);
    let whole = good_response(&format!("Sec-WebSocket-Key: {KEY}\r\n"), "pair").len();
    for length in (0..whole).step_by(13) {
        let mut peer = server.accept();
        let response = good_response(&peer.head(), "pair");
        peer.say(&response.as_bytes()[..length]);
        peer.vanish(length % 2 == 0);
    }
    server.serves(&pair, "after all of them");
}

// ---- Time and memory ----

/// Peers that connect and say nothing, or not enough, are given five seconds, and are in nobody's way.
#[test]
fn a_handshake_has_five_seconds() {
    let pair = Ours::listening(PAIR);
    let start = Instant::now();
    let whole = get(&headers("pair"));
    let mut idle: Vec<Raw> = (0..40)
        .map(|i| {
            let mut raw = Raw::to(pair.at());
            raw.say(&whole[..i * (whole.len() - 1) / 39]);
            raw
        })
        .collect();
    // A byte now and then does not buy more time.
    let dripping = {
        let mut raw = Raw::to(pair.at());
        let whole = whole.clone();
        thread::spawn(move || {
            let pause = Duration::from_millis(200);
            raw.stream.set_read_timeout(Some(pause)).expect("a pause");
            for byte in whole.chunks(1) {
                let mut more = [0];
                match raw.stream.write_all(byte).and_then(|()| raw.stream.read(&mut more)) {
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                    _ => break,
                }
            }
            start.elapsed()
        })
    };
    let silent_server = thread::spawn(|| {
        let server = Server::listen();
        let pair = server.connecting(PAIR);
        let mut peer = server.accept();
        peer.head();
        let start = Instant::now();
        assert!(peer.end().is_empty());
        let took = start.elapsed();
        server.serves(&pair, "after a silent server");
        took
    });
    pair.serves_a_good_client("while others wait");
    for raw in &mut idle {
        assert!(raw.end().is_empty());
        let took = start.elapsed();
        assert!(took > HANDSHAKE - Duration::from_millis(500) && took < HANDSHAKE + LATE, "closed after {took:?}");
    }
    for took in [dripping.join().expect("it drips"), silent_server.join().expect("it is silent")] {
        assert!(took > HANDSHAKE - Duration::from_secs(1) && took < HANDSHAKE + LATE, "closed after {took:?}");
    }
    pair.serves_a_good_client("after all of them");
}

/// A peer that sends PINGs and never reads: its PONGs are not hoarded.
#[test]
fn a_flood_of_pings_takes_no_memory() {
    const TOTAL: usize = 256 << 20;
    let pair = Ours::listening(PAIR);
    let mut client = Raw::client(pair.at(), "pair");
    let burst = frame(PING, true, &[b'p'; 125], MASK).repeat(1000);
    let before = memory().resident;
    for _ in 0..TOTAL / burst.len() {
        client.say(&burst);
    }
    // Everything before this was taken.
    client.say(&frame(BINARY, true, b"was that all?", MASK));
    assert_eq!(pair.recv(0).as_deref(), Some(&b"was that all?"[..]));
    // Others run in this process too.
    let grown = memory().resident.saturating_sub(before);
    assert!(grown < TOTAL / 2, "{grown} bytes more");
    client.vanish(true);
    pair.serves_a_good_client("flood");
}

/// A length is a promise, not a fact: memory is taken for what has come.
#[test]
fn announced_lengths_take_no_memory() {
    const PEERS: usize = 200;
    let pull = Ours::listening(81);
    pull.set(SOL_SOCKET, RCVMAXSIZE, 100 << 20);
    let before = memory().reserved;
    let mut liars: Vec<Raw> = (0..PEERS).map(|_| Raw::client(pull.at(), "pull")).collect();
    for liar in &mut liars {
        liar.say(&[&[0x82, 0xff][..], &(100u64 << 20).to_be_bytes(), &[0; 4], &[b'x'; 10_000]].concat());
    }
    let mut honest = Raw::client(pull.at(), "pull");
    honest.say(&frame(BINARY, true, b"work", MASK));
    assert_eq!(pull.recv(0).as_deref(), Some(&b"work"[..]));
    // Memory that is not touched yet counts here: so do the stacks and arenas of other tests' threads.
    let grown = memory().reserved.saturating_sub(before);
    assert!(grown < PEERS * (100 << 20) / 2, "{grown} bytes more for {PEERS} peers");
}

/// Q-R32: the slot of a PAIR is free as soon as its peer is gone.
#[test]
fn thousands_of_short_visits_leave_the_door_open() {
    let pair = Ours::listening(PAIR);
    for i in 0..3000 {
        let mut client = Raw::to(pair.at());
        client.say(&get(&headers("pair")));
        if i % 3 == 0 {
            client.head();
        }
        client.vanish(i % 2 == 0);
    }
    // Some of them may still wait in the queue.
    let until = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < until, "it serves nobody");
        let mut client = Raw::client(pair.at(), "pair");
        client.say(&frame(PING, true, b"", MASK));
        if client.try_hear().is_ok_and(|(opcode, _)| opcode == PONG) {
            client.exchange(&pair, "after thousands");
            break client.leave();
        }
    }
}

// ---- Our sockets ----

/// A socket of our library; closed at the end.
struct Ours {
    socket: c_int,
    at: Option<SocketAddr>,
    /// Keeps the port for it.
    _port: Option<Socket>,
}

impl Ours {
    fn open(protocol: c_int) -> Self {
        let socket = ffi::nn_socket(1, protocol);
        assert!(socket >= 0, "nn_socket: {}", error());
        let ours = Self { socket, at: None, _port: None };
        for option in [SNDTIMEO, RCVTIMEO] {
            ours.set(SOL_SOCKET, option, PATIENCE.as_millis() as c_int);
        }
        ours.set(SOL_SOCKET, RECONNECT_IVL, 5);
        ours
    }

    fn listening(protocol: c_int) -> Self {
        let mut ours = Self::open(protocol);
        // A port that is bound and not listened on can be taken by those who set SO_REUSEADDR, and is given to nobody else.
        let port = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        port.set_reuse_address(true).expect("an option");
        port.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let at = port.local_addr().expect("an address").as_socket().expect("of IP");
        let address = CString::new(format!("ws://{at}")).expect("no NUL");
        // SAFETY: the address is a C string.
        let endpoint = unsafe { ffi::nn_bind(ours.socket, address.as_ptr()) };
        assert!(endpoint > 0, "nn_bind: {}", error());
        (ours.at, ours._port) = (Some(at), Some(port));
        ours
    }

    fn at(&self) -> SocketAddr {
        self.at.expect("it is bound")
    }

    fn connect(&self, at: SocketAddr) {
        let address = CString::new(format!("ws://{at}/some/where")).expect("no NUL");
        // SAFETY: the address is a C string.
        let endpoint = unsafe { ffi::nn_connect(self.socket, address.as_ptr()) };
        assert!(endpoint > 0, "nn_connect: {}", error());
    }

    fn set(&self, level: c_int, option: c_int, value: c_int) {
        self.set_bytes(level, option, &value.to_ne_bytes());
    }

    fn set_bytes(&self, level: c_int, option: c_int, value: &[u8]) {
        // SAFETY: the value has its length.
        let result = unsafe { ffi::nn_setsockopt(self.socket, level, option, value.as_ptr().cast(), value.len()) };
        assert_eq!(result, 0, "nn_setsockopt: {}", error());
    }

    fn send(&self, body: &[u8]) {
        // SAFETY: the body has its length.
        let sent = unsafe { ffi::nn_send(self.socket, body.as_ptr().cast::<c_void>(), body.len(), 0) };
        assert_eq!(sent, body.len() as c_int, "nn_send: {}", error());
    }

    /// `None` when there is nothing, and DONTWAIT asks for no patience.
    fn recv(&self, flags: c_int) -> Option<Vec<u8>> {
        let mut body = vec![0; 2 << 20];
        // SAFETY: the body has its length.
        let size = unsafe { ffi::nn_recv(self.socket, body.as_mut_ptr().cast::<c_void>(), body.len(), flags) };
        if size < 0 && flags == DONTWAIT && ffi::nn_errno() == libc::EAGAIN {
            return None;
        }
        assert!(size >= 0, "nn_recv: {}", error());
        body.truncate(size as usize);
        Some(body)
    }

    fn has_peers(&self, count: u64) {
        let until = Instant::now() + PATIENCE;
        while ffi::nn_get_statistic(self.socket, CURRENT_CONNECTIONS) != count {
            assert!(Instant::now() < until, "not {count} peers");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_alone(&self) {
        self.has_peers(0);
    }

    /// A PAIR that has no peer takes the next one, which talks both ways and takes its leave.
    fn serves_a_good_client(&self, after: &str) {
        self.is_alone();
        let mut client = Raw::client(self.at(), "pair");
        client.exchange(self, after);
        client.leave();
        self.is_alone();
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        assert_eq!(ffi::nn_close(self.socket), 0, "nn_close: {}", error());
    }
}

fn error() -> io::Error {
    io::Error::from_raw_os_error(ffi::nn_errno())
}

/// Bytes of memory that the process has.
struct Memory {
    reserved: usize,
    resident: usize,
}

fn memory() -> Memory {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let mut pages = statm.split(' ').map(|pages| pages.parse::<usize>().expect("pages") * 4096);
    Memory { reserved: pages.next().expect("a first field"), resident: pages.next().expect("a second") }
}

// ---- Bare peers ----

/// A stream that speaks to a socket of ours.
struct Raw {
    stream: TcpStream,
    /// The other side sends masked frames, and takes unmasked ones.
    other_is_client: bool,
}

impl Raw {
    fn over(stream: TcpStream, other_is_client: bool) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        stream.set_nodelay(true).expect("an option");
        Self { stream, other_is_client }
    }

    fn to(at: SocketAddr) -> Self {
        Self::over(TcpStream::connect(at).expect("somebody listens"), false)
    }

    /// A client that has been let in.
    fn client(at: SocketAddr, kind: &str) -> Self {
        let mut client = Self::to(at);
        client.say(&get(&headers(kind)));
        let reply = client.head();
        let proof = accept_key(KEY);
        assert!(reply.starts_with("HTTP/1.1 101 "), "{reply}");
        assert_eq!(header(&reply, "Sec-WebSocket-Accept"), proof);
        client
    }

    /// The other side may have gone already: what it has said is looked at, not whether it has heard this.
    fn say(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    fn say_in_pieces(&mut self, bytes: &[u8], size: usize) {
        for piece in bytes.chunks(size) {
            self.say(piece);
        }
    }

    fn read(&mut self, size: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The head of a request or response.
    fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read(1).unwrap_or_else(|error| panic!("{error} after {:?}", text(&head))));
        }
        text(&head)
    }

    /// Everything up to the end of the stream. A reset is an end: the other side did not want to hear the rest.
    fn end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return rest,
                Ok(size) => rest.extend(&piece[..size]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return rest,
                Err(error) => panic!("it is not closed: {error}"),
            }
        }
    }

    /// A frame: its opcode and its payload, without the mask.
    fn try_hear(&mut self) -> io::Result<(u8, Vec<u8>)> {
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

    fn hears(&mut self) -> (u8, Vec<u8>) {
        self.try_hear().expect("a frame")
    }

    /// A close frame, and then the end. `None`: the end alone, by a reset.
    fn hears_close(&mut self, masked: bool) -> Option<(u16, String)> {
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

    fn is_closed(&mut self, name: &str, code: u16, reason: &str, masked: bool) {
        let close = self.hears_close(masked).unwrap_or_else(|| panic!("{name}: no close frame"));
        assert_eq!(close, (code, reason.to_owned()), "{name}");
    }

    /// A 400 with its end, and the end.
    fn is_told(&mut self, name: &str, reason: &str) {
        let reply = text(&self.end());
        assert!(reply.starts_with(&format!("HTTP/1.1 400 {reason}\r\n")), "{name}: {reply:?}");
        assert!(reply.ends_with("\r\n\r\n"), "{name}: {reply:?}");
        assert_eq!(header(&reply, "Sec-WebSocket-Version"), "13", "{name}");
    }

    /// A message each way.
    fn exchange(&mut self, ours: &Ours, what: &str) {
        let mask = if self.other_is_client { None } else { MASK };
        self.say(&frame(BINARY, true, what.as_bytes(), mask));
        assert_eq!(ours.recv(0).map(|body| text(&body)).as_deref(), Some(what));
        ours.send(what.as_bytes());
        assert_eq!(self.hears(), (BINARY, what.as_bytes().to_vec()), "{what}");
    }

    fn leave(mut self) {
        let mask = if self.other_is_client { None } else { MASK };
        self.say(&frame(CLOSE, true, &1000u16.to_be_bytes(), mask));
        self.is_closed("goodbye", 1000, "", self.other_is_client);
    }

    /// Ends without a word, by FIN or RST.
    fn vanish(self, reset: bool) {
        if reset {
            SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("an option");
        } else {
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

/// A bare listener that our sockets connect to.
struct Server(TcpListener);

impl Server {
    fn listen() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"))
    }

    fn connecting(&self, protocol: c_int) -> Ours {
        let ours = Ours::open(protocol);
        ours.connect(self.0.local_addr().expect("an address"));
        ours
    }

    fn accept(&self) -> Raw {
        SockRef::from(&self.0).set_read_timeout(Some(PATIENCE)).expect("an option");
        Raw::over(self.0.accept().expect("it connects").0, true)
    }

    fn accept_well(&self, kind: &str) -> Raw {
        let mut peer = self.accept();
        let response = good_response(&peer.head(), kind);
        peer.say(response.as_bytes());
        peer
    }

    /// A PAIR of ours has connected, talks both ways, and is sent off; it will connect again.
    fn serves(&self, pair: &Ours, after: &str) {
        let mut peer = self.accept_well("pair");
        peer.exchange(pair, after);
        peer.leave();
    }
}

fn good_response(request: &str, kind: &str) -> String {
    let proof = accept_key(header(request, "Sec-WebSocket-Key"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {proof}\r\nSec-WebSocket-Protocol: {kind}.sp.nanomsg.org\r\n\r\n"
    )
}

/// Sec. 4.2.2.
fn accept_key(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    BASE64_STANDARD.encode(digest)
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(other, _)| *other == name).unwrap_or_else(|| panic!("no {name} in {head:?}")).1
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sec. 5.2.
fn frame(opcode: u8, fin: bool, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
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
