//! Responses that a connecting socket does not take.

use crate::ours::{
    Over::{self, Ws},
    PAIR,
};
use crate::peers::ws::{KEY, accept_key, good_response, header};
use crate::peers::{Server, Speaks};

fn responses_are_refused(over: Over) {
    let server = Server::listen(over);
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
        ("17000 bytes without an end", Box::new(|_| format!("{line}\r\nCookie: {}", "c".repeat(17_000)))),
        (
            "a response of 17000 bytes",
            Box::new(|r| {
                respond(line, "websocket", "Upgrade", &accept(r), &format!("Cookie: {}\r\n", "c".repeat(17_000)))
            }),
        ),
        ("an SP header", Box::new(|_| "\0SP\0\0\x10\0\0".repeat(20))),
    ];
    for (name, response) in table {
        let mut peer = server.stranger();
        let response = response(&peer.head());
        peer.say(response.as_bytes());
        assert!(peer.end().is_empty(), "{name}: it says something before it goes");
        server.serves(&pair, name);
    }
    // Good ones that are unusual.
    for (upgrade, connection, cookies) in
        [("WebSocket", "upgrade", 0), ("websocket", "keep-alive, Upgrade", 4600), ("websocket", "upgrade", 12 << 10)]
    {
        let mut peer = server.stranger();
        let more = format!("Set-Cookie: {}\r\n", "c".repeat(cookies));
        let response = respond(line, upgrade, connection, &accept(&peer.head()), &more);
        peer.say(response.as_bytes());
        peer.exchange(&pair, upgrade);
        peer.leave();
    }
}

#[test]
fn a_response_that_is_none_is_refused_and_the_next_one_taken() {
    responses_are_refused(Ws);
}

#[test]
fn a_response_that_is_none_is_refused_over_tls() {
    responses_are_refused(Over::Wss);
}

/// A server that goes before it has answered, at any byte.
#[test]
fn a_response_that_breaks_off_is_no_end() {
    let server = Server::listen(Ws);
    let pair = server.connecting(PAIR);
    let whole = good_response(&format!("Sec-WebSocket-Key: {KEY}\r\n"), "pair").len();
    for length in (0..whole).step_by(13) {
        let mut peer = server.stranger();
        let response = good_response(&peer.head(), "pair");
        peer.say(&response.as_bytes()[..length]);
        peer.vanish(length % 2 == 0);
    }
    server.serves(&pair, "after all of them");
}

/// The keys of two connections have nothing to do with each other.
#[test]
fn keys_are_random() {
    let server = Server::listen(Ws);
    let _pair = server.connecting(PAIR);
    let keys: std::collections::BTreeSet<String> =
        (0..20).map(|_| header(&server.stranger().head(), "Sec-WebSocket-Key")[..4].to_owned()).collect();
    // Twenty beginnings of 24 bits.
    assert!(keys.len() > 17, "{keys:?}");
}

/// Nor have the masks of two frames.
#[test]
fn masks_are_random() {
    let server = Server::listen(Ws);
    let pair = server.connecting(PAIR);
    let mut peer = server.welcome("pair");
    let masks: std::collections::BTreeSet<Vec<u8>> = (0..20)
        .map(|_| {
            pair.send(b"");
            // A head of two bytes, and the mask.
            peer.read(6).expect("a frame").split_off(3)
        })
        .collect();
    assert!(masks.len() > 17, "{masks:?}");
}
