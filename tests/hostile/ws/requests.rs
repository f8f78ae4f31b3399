//! Requests that a listening socket refuses.

use crate::ours::{
    DONTWAIT, Ours,
    Over::{self, Ws},
    PAIR, PUB, alone,
};
use crate::peers::Speaks;
use crate::peers::ws::{BINARY, Raw, frame, headers, name_of, of_length, request, with, without};
use crate::trial::Trial;

/// Longest request that is answered with more than a refusal.
const LIMIT: usize = 16 << 10;

fn bad_requests(kind: &str) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let bare = "Cannot Have Body";
    let other = if kind == "pub" { "pair" } else { "pub" };
    let (long, bad) = ("Opening Handshake Too Long", "Bad Request");
    let good = headers(kind);
    let mut early_end = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    early_end.extend([b'x'; 300]);
    vec![
        ("POST", request("POST / HTTP/1.1", &good), bad),
        ("HTTP/1.0", request("GET / HTTP/1.0", &good), bad),
        ("HTTP/2", request("GET / HTTP/2", &good), bad),
        ("no resource", request("GET HTTP/1.1", &good), bad),
        ("no version", request("GET /", &good), bad),
        ("a NUL in the resource", request("GET /\0 HTTP/1.1", &good), bad),
        ("a NUL in a header", with(kind, "Host", "local\0host"), bad),
        ("a NUL in a name", request("GET / HTTP/1.1\r\nA\0B: c", &good), bad),
        ("a header without a colon", request("GET / HTTP/1.1\r\nnonsense", &good), bad),
        ("a TLS hello", [&b"\x16\x03\x01\x02\x00\x01\x00"[..], &[0; 512]].concat(), bad),
        ("an SP header", [&b"\0SP\0\0\x10\0\0"[..], &[0; 200]].concat(), bad),
        ("a frame", frame(BINARY, true, b"hello", Some([1, 2, 3, 4])), bad),
        ("a hundred headers", request(&format!("GET / HTTP/1.1{}", "\r\na: b".repeat(100)), &good), bad),
        ("no Host", without(kind, "Host"), bare),
        ("no Upgrade", without(kind, "Upgrade"), bare),
        ("no Connection", without(kind, "Connection"), bare),
        ("no key", without(kind, "Sec-WebSocket-Key"), bare),
        ("no version header", without(kind, "Sec-WebSocket-Version"), bare),
        ("no headers, and a body in the first 151 bytes", early_end, bare),
        ("another Upgrade", with(kind, "Upgrade", "h2c"), bare),
        ("Connection: close, and an Upgrade elsewhere", with(kind, "Connection", "close"), bare),
        ("a key of 15 bytes", with(kind, "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA"), bare),
        ("a key that is no base64", with(kind, "Sec-WebSocket-Key", "????????????????????????"), bare),
        ("version 8", with(kind, "Sec-WebSocket-Version", "8"), "Unsupported WebSocket Version"),
        ("version 1313", with(kind, "Sec-WebSocket-Version", "1313"), "Unsupported WebSocket Version"),
        (
            "a version of 1500 digits",
            with(kind, "Sec-WebSocket-Version", &"1".repeat(1500)),
            "Unsupported WebSocket Version",
        ),
        (
            "another type",
            with(kind, "Sec-WebSocket-Protocol", &format!("{other}.sp.nanomsg.org")),
            "Incompatible Socket Type",
        ),
        ("no type", with(kind, "Sec-WebSocket-Protocol", "chat"), "Unrecognized Socket Type"),
        ("half a type", with(kind, "Sec-WebSocket-Protocol", "pair.sp.nanomsg"), "Unrecognized Socket Type"),
        ("16384 bytes without an end", [&b"GET / HTTP/1.1\r\nA: "[..], &[b'a'; LIMIT - 18]].concat(), long),
        ("16385 bytes", of_length(kind, LIMIT + 1), long),
        ("20000 bytes", of_length(kind, 20_000), long),
        ("a resource of 17000 bytes", request(&format!("GET /{} HTTP/1.1", "r".repeat(17_000)), &good), long),
    ]
}

fn are_refused(over: Over, pieces: &[usize]) {
    Trial::each(over, |trial| {
        for (name, bytes, reason) in bad_requests(name_of(trial.ours.protocol)) {
            for &piece in pieces {
                let mut offender = trial.newcomer();
                offender.say_in_pieces(&bytes, piece);
                offender.is_told(name, reason);
                offender.vanish(false);
                trial.recovers(name);
            }
        }
    });
}

#[test]
fn a_request_that_is_refused_ends_with_a_400() {
    alone(|| are_refused(Ws, &[usize::MAX]));
}

#[test]
fn a_request_over_tls_that_is_refused_ends_with_a_400() {
    alone(|| are_refused(Over::Wss, &[usize::MAX]));
}

#[test]
fn the_same_requests_are_refused_in_any_pieces() {
    alone(|| are_refused(Ws, &[1, 7, 150, 1000]));
}

#[test]
fn without_a_subprotocol_only_a_pair_is_reached() {
    let publisher = Ours::listening(Ws, PUB);
    let mut offender = Raw::to(publisher.place());
    offender.say(&without("pub", "Sec-WebSocket-Protocol"));
    offender.is_told("PUB", "Incompatible Socket Type");

    let pair = Ours::listening(Ws, PAIR);
    let mut client = Raw::to(pair.place());
    client.say(&without("pair", "Sec-WebSocket-Protocol"));
    let reply = client.head();
    assert!(reply.starts_with("HTTP/1.1 101 ") && !reply.contains("Sec-WebSocket-Protocol"), "{reply}");
    client.exchange(&pair, "no subprotocol");
}

/// Q-R9, Q-R33: around the size of the buffer.
#[test]
fn a_request_of_any_length_is_answered() {
    let pair = Ours::listening(Ws, PAIR);
    for length in (4000..4200).chain(LIMIT - 100..LIMIT + 100) {
        let mut client = Raw::to(pair.place());
        client.say(&of_length("pair", length));
        if length <= LIMIT {
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

/// What a browser sends behind a proxy that remembers who has logged in.
#[test]
fn many_cookies_are_no_harm() {
    let pair = Ours::listening(Ws, PAIR);
    for (length, upgraded) in [(4_600, true), (12 << 10, true), (17_000, false)] {
        let mut client = Raw::to(pair.place());
        let cookies = format!("GET / HTTP/1.1\r\nCookie: session={}", "c".repeat(length));
        client.say(&request(&cookies, &headers("pair")));
        if upgraded {
            let reply = client.head();
            assert!(reply.starts_with("HTTP/1.1 101 "), "{length}: {reply}");
            client.exchange(&pair, "cookies");
            client.leave();
        } else {
            client.is_told(&length.to_string(), "Opening Handshake Too Long");
        }
        pair.is_alone();
    }
}

/// Q-R11: a refused peer occupies nothing, and what it says behind its request reaches nobody.
#[test]
fn what_follows_a_refused_request_is_not_heard() {
    let pair = Ours::listening(Ws, PAIR);
    let mut offender = Raw::to(pair.place());
    let message = frame(BINARY, true, b"forged", Some([1, 2, 3, 4]));
    offender.say(&[with("pair", "Sec-WebSocket-Protocol", "rep.sp.nanomsg.org"), message.clone()].concat());
    offender.say(&message);
    offender.is_told("forged", "Incompatible Socket Type");
    pair.serves_a_good_client("forged");
    assert_eq!(pair.recv(DONTWAIT), None);
}
