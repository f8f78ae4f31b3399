//! The HTTP exchange that opens a WebSocket (RFC 6455, section 4).
#![forbid(unsafe_code)]

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use httparse::{EMPTY_HEADER, Header, Request, Response, Status};
use sha1::{Digest, Sha1};

/// Longest request or response that is looked at, headers included: what web servers take too. A browser behind a proxy
/// sends all the cookies of its site, more than 4 KiB. No peer makes us keep more than this before it is greeted.
pub(crate) const LIMIT: usize = 16 << 10;

const HEADERS: usize = 64;

/// Bytes of empty lines that may stand before a request: two lines.
const BLANK: usize = 4;

/// How libnng begins where its address has no path.
const NOWHERE: &[u8] = b"GET  HTTP/1.1\r\n";

/// Every subprotocol is the name of a socket type with this behind it.
const SUFFIX: &str = ".sp.nanomsg.org";

/// The extension by which subscriptions travel. It changes nothing about frames.
const EXTENSION: &str = "subscriptions.sp.nanomsg.org";

const WRONG_TYPE: &str = "Incompatible Socket Type";

const TYPES: [&str; 10] = ["pair", "req", "rep", "pub", "sub", "surveyor", "respondent", "push", "pull", "bus"];

/// What has become of the bytes so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// They are not complete.
    More,
    /// The connection is a WebSocket behind the first `length` bytes; the server sends `reply`. `extended`: both have
    /// agreed on our extension.
    Done { length: usize, reply: Vec<u8>, extended: bool },
    /// It will not be one. The server says so with `reply`.
    Refused { reply: Vec<u8>, why: Refusal },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The socket types do not fit.
    Type,
    /// There is no room for the client.
    Busy,
    /// The other side has broken this rule.
    Rule(&'static str),
}

/// How a listening socket of type `own` answers a request. Without a subprotocol, which browsers may leave out, only PAIR
/// takes it. `extends`: our extension is welcome.
pub(crate) fn answer(bytes: &[u8], own: &str, extends: bool) -> Upgrade {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let (length, headers) = match parse_get(&bytes[..bytes.len().min(LIMIT)], &mut headers) {
        Some(Status::Complete(request)) => request,
        Some(Status::Partial) if bytes.len() < LIMIT => return Upgrade::More,
        Some(Status::Partial) => return refuse("Opening Handshake Too Long"),
        None => return refuse("Bad Request"),
    };
    // More than one of these is no request (RFC 9112, section 3.2; RFC 6455, sections 11.3.1 and 11.3.5).
    if ["Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version"].iter().any(|name| values(headers, name).nth(1).is_some())
    {
        return refuse("Bad Request");
    }
    // What is behind the request are frames, and nobody in between may take them for a body, or a part of it for them.
    let mut lengths = values(headers, "Content-Length");
    if value(headers, "Transfer-Encoding").is_some() || lengths.any(|length| length != "0") {
        return refuse("Cannot Have Body");
    }
    let (Some(_), Some(_), true, Some(key), Some(version)) = (
        value(headers, "Host"),
        value(headers, "Upgrade"),
        has_token(headers, "Connection", "upgrade"),
        value(headers, "Sec-WebSocket-Key"),
        value(headers, "Sec-WebSocket-Version"),
    ) else {
        return refuse("Cannot Have Body");
    };
    if version != "13" {
        return refuse("Unsupported WebSocket Version");
    }
    if !has_token(headers, "Upgrade", "websocket") || !BASE64_STANDARD.decode(key).is_ok_and(|key| key.len() == 16) {
        return refuse("Cannot Have Body");
    }
    let offers = || tokens(headers, "Sec-WebSocket-Protocol").filter(|offer| !offer.is_empty());
    let chosen = match offers().find(|offer| names(offer, own)) {
        Some(offer) => offer,
        None if offers().next().is_none() && own == "pair" => "",
        None if offers().next().is_none() => return refuse(WRONG_TYPE),
        None if offers().any(|offer| TYPES.iter().any(|kind| names(offer, kind))) => {
            return refuse(WRONG_TYPE);
        }
        None => return refuse("Unrecognized Socket Type"),
    };
    let mut reply = format!(
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n",
        accept_key(key),
    );
    // A browser that has offered none fails the connection if it is given one, even an empty one.
    if !chosen.is_empty() {
        reply.push_str(&format!("Sec-WebSocket-Protocol: {chosen}\r\n"));
    }
    let extended = extends && has_token(headers, "Sec-WebSocket-Extensions", EXTENSION);
    if extended {
        reply.push_str(&format!("Sec-WebSocket-Extensions: {EXTENSION}\r\n"));
    }
    reply.push_str("\r\n");
    Upgrade::Done { length, reply: reply.into_bytes(), extended }
}

/// The length of a GET request, and its headers. `None`: it is another request, or none.
fn parse_get<'h, 'b>(bytes: &'b [u8], headers: &'h mut [Header<'b>]) -> Option<Status<(usize, &'h [Header<'b>])>> {
    // An empty line in front is passed over (RFC 9112, section 2.2), and not as many as there may be bytes.
    if bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count() > BLANK {
        return None;
    }
    if let Some(rest) = bytes.strip_prefix(NOWHERE) {
        return Some(match httparse::parse_headers(rest, headers).ok()? {
            Status::Complete((length, headers)) => Status::Complete((NOWHERE.len() + length, headers)),
            Status::Partial => Status::Partial,
        });
    }
    if NOWHERE.starts_with(bytes) {
        return Some(Status::Partial);
    }
    let mut request = Request::new(headers);
    let Status::Complete(length) = request.parse(bytes).ok()? else { return Some(Status::Partial) };
    let good = request.method == Some("GET") && request.version == Some(1);
    good.then_some(Status::Complete((length, request.headers)))
}

/// To a client whose request is right where there is no room for it now (RFC 9110, section 15.6.4).
pub(crate) const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

fn refuse(reason: &'static str) -> Upgrade {
    let reply = format!(
        "HTTP/1.1 400 {reason}\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Content-Length: 0\r\n\
         Connection: close\r\n\r\n"
    );
    let why = if reason == WRONG_TYPE { Refusal::Type } else { Refusal::Rule(reason) };
    Upgrade::Refused { reply: reply.into_bytes(), why }
}

/// Whether `answer` and `check` can say something new, which they are only asked then: of `bytes`, `kept` were there before,
/// and they have looked at `looked`. Otherwise a peer that sends byte by byte would have each byte read as often as bytes
/// come after it.
pub(crate) fn is_worth_a_look(bytes: &[u8], kept: usize, looked: usize) -> bool {
    bytes.len() >= LIMIT || bytes.len() >= 2 * looked || bytes[kept.min(bytes.len())..].contains(&b'\n')
}

/// What a connecting socket asks for: a listening one of type `wanted`. `key` is random, and new each time.
/// `extends`: it is asked for our extension too.
pub(crate) fn request(resource: &str, host: &str, key: [u8; 16], wanted: &str, extends: bool) -> Vec<u8> {
    let extension = if extends { format!("Sec-WebSocket-Extensions: {EXTENSION}\r\n") } else { String::new() };
    format!(
        "GET {resource} HTTP/1.1\r\n\
         Host: {host}\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: {}\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: {wanted}{SUFFIX}\r\n\
         {extension}\r\n",
        BASE64_STANDARD.encode(key),
    )
    .into_bytes()
}

/// What the server's response to that request means.
pub(crate) fn check(bytes: &[u8], key: [u8; 16], wanted: &str, extends: bool) -> Upgrade {
    let refused = |why| Upgrade::Refused { reply: Vec::new(), why };
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut response = Response::new(&mut headers);
    let length = match response.parse(&bytes[..bytes.len().min(LIMIT)]) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < LIMIT => return Upgrade::More,
        _ => return refused(Refusal::Rule("Bad Response")),
    };
    let headers = &*response.headers;
    let expected = accept_key(&BASE64_STANDARD.encode(key));
    let named = value(headers, "Sec-WebSocket-Protocol").unwrap_or_default();
    let extension = value(headers, "Sec-WebSocket-Extensions").unwrap_or_default();
    let extended = extends && extension.eq_ignore_ascii_case(EXTENSION);
    match (response.code, response.reason) {
        (Some(400), Some(WRONG_TYPE)) => return refused(Refusal::Type),
        (Some(503), _) => return refused(Refusal::Busy),
        _ => {}
    }
    let fits = named.is_empty() || names(named, wanted);
    let good = response.code == Some(101)
        && response.version == Some(1)
        && has_token(headers, "Upgrade", "websocket")
        && has_token(headers, "Connection", "upgrade")
        && value(headers, "Sec-WebSocket-Accept") == Some(&expected)
        && (extended || extension.is_empty());
    match (good, fits) {
        (true, true) => Upgrade::Done { length, reply: Vec::new(), extended },
        (true, false) => refused(Refusal::Type),
        (false, _) => refused(Refusal::Rule("Not The Upgrade That Was Asked For")),
    }
}

/// Proves to the client that its key was read (RFC 6455, section 4.2.2).
fn accept_key(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    BASE64_STANDARD.encode(digest)
}

fn names(subprotocol: &str, kind: &str) -> bool {
    let kind_length = subprotocol.len().checked_sub(SUFFIX.len());
    let parts = kind_length.and_then(|length| subprotocol.split_at_checked(length));
    parts.is_some_and(|(name, suffix)| name.eq_ignore_ascii_case(kind) && suffix.eq_ignore_ascii_case(SUFFIX))
}

fn values<'a>(headers: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a str> {
    let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    // What is no text is there all the same, and is nothing that we know.
    named.map(|header| std::str::from_utf8(header.value).unwrap_or("\u{fffd}")).map(str::trim_ascii)
}

fn value<'a>(headers: &'a [Header<'a>], name: &'a str) -> Option<&'a str> {
    values(headers, name).next()
}

/// The elements of a comma-separated list, which may stand in several headers.
fn tokens<'a>(headers: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a str> {
    values(headers, name).flat_map(|list| list.split(',')).map(str::trim_ascii)
}

fn has_token(headers: &[Header<'_>], name: &str, token: &str) -> bool {
    tokens(headers, name).any(|other| other.eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of RFC 6455, section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn headers() -> Vec<(&'static str, &'static str)> {
        vec![
            ("Host", "localhost:1"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Protocol", "pair.sp.nanomsg.org"),
        ]
    }

    fn with(name: &str, value: &'static str) -> Vec<(&'static str, &'static str)> {
        headers().into_iter().map(|(key, old)| (key, if key == name { value } else { old })).collect()
    }

    fn without(name: &str) -> Vec<(&'static str, &'static str)> {
        headers().into_iter().filter(|(key, _)| *key != name).collect()
    }

    fn text(line: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{line}\r\n{headers}\r\n").into_bytes()
    }

    fn get(headers: &[(&str, &str)]) -> Vec<u8> {
        text("GET / HTTP/1.1", headers)
    }

    fn accepted(bytes: &[u8], own: &str) -> Option<String> {
        match answer(bytes, own, false) {
            Upgrade::Done { length, reply, .. } if length == bytes.len() => Some(String::from_utf8(reply).unwrap()),
            _ => None,
        }
    }

    fn refused(bytes: &[u8], own: &str) -> String {
        let Upgrade::Refused { reply, .. } = answer(bytes, own, false) else { panic!("not refused") };
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.ends_with("\r\n\r\n") && reply.contains("Sec-WebSocket-Version: 13\r\n"));
        reply.split("\r\n").next().unwrap().strip_prefix("HTTP/1.1 400 ").unwrap().to_owned()
    }

    #[test]
    fn a_good_request_is_accepted_with_these_bytes() {
        let reply = accepted(&get(&headers()), "pair").unwrap();
        let expected = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: pair.sp.nanomsg.org\r\n\r\n"
        );
        assert_eq!(reply, expected);
    }

    #[test]
    fn a_request_for_nothing_is_accepted_as_libnng_makes_it() {
        let whole = text("GET  HTTP/1.1", &headers());
        assert!(accepted(&whole, "pair").is_some());
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length], "pair", false), Upgrade::More);
        }
        for line in ["GET   HTTP/1.1", "GET  HTTP/1.0", "GET  / HTTP/1.1", "POST  HTTP/1.1"] {
            assert_eq!(refused(&text(line, &headers()), "pair"), "Bad Request", "{line}");
        }
    }

    #[test]
    fn names_and_words_are_found_in_any_case_and_among_others() {
        let headers = [
            ("HOST", "x"),
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, UPGRADE"),
            ("sec-websocket-key", KEY),
            ("Cookie", "a=b"),
            ("sec-websocket-version", " 13 "),
            ("sec-websocket-protocol", "chat, Sub.SP.nanomsg.org"),
            ("sec-websocket-protocol", "PUB.sp.nanomsg.org"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ];
        let reply = accepted(&get(&headers), "pub").unwrap();
        assert!(reply.contains("\r\nSec-WebSocket-Protocol: PUB.sp.nanomsg.org\r\n") && !reply.contains("xtensions"));
    }

    #[test]
    fn only_pair_does_without_a_subprotocol() {
        let bare = get(&without("Sec-WebSocket-Protocol"));
        assert!(!accepted(&bare, "pair").unwrap().contains("Protocol:"));
        assert_eq!(refused(&bare, "pub"), "Incompatible Socket Type");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for name in ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"] {
            assert_eq!(refused(&get(&without(name)), "pair"), "Cannot Have Body", "{name}");
        }
        for (name, value, reason) in [
            ("Upgrade", "h2c", "Cannot Have Body"),
            ("Connection", "close", "Cannot Have Body"),
            ("Sec-WebSocket-Key", "short", "Cannot Have Body"),
            ("Sec-WebSocket-Version", "8", "Unsupported WebSocket Version"),
            ("Sec-WebSocket-Version", "130", "Unsupported WebSocket Version"),
            ("Sec-WebSocket-Protocol", "sub.sp.nanomsg.org", "Incompatible Socket Type"),
            ("Sec-WebSocket-Protocol", "chat", "Unrecognized Socket Type"),
            ("Sec-WebSocket-Protocol", "chat, rep.sp.nanomsg.org", "Incompatible Socket Type"),
            ("Sec-WebSocket-Protocol", "xpair.sp.nanomsg.org", "Unrecognized Socket Type"),
        ] {
            assert_eq!(refused(&get(&with(name, value)), "pair"), reason, "{name}: {value}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused_at_once() {
        for line in
            ["POST / HTTP/1.1", "GET / HTTP/1.0", "GET HTTP/1.1", "GET / HTTP/2", "nonsense", "GET /\0 HTTP/1.1"]
        {
            assert_eq!(refused(&text(line, &headers()), "pair"), "Bad Request", "{line}");
        }
        assert_eq!(refused(b"\x16\x03\x01\x02\0", "pair"), "Bad Request");
    }

    #[test]
    fn a_request_without_end_is_refused() {
        let long = [b"GET / HTTP/1.1\r\nCookie: ".to_vec(), vec![b'x'; LIMIT]].concat();
        assert_eq!(answer(&long[..LIMIT - 1], "pair", false), Upgrade::More);
        assert_eq!(refused(&long, "pair"), "Opening Handshake Too Long");
    }

    #[test]
    fn every_part_of_a_request_asks_for_more() {
        let whole = get(&headers());
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length], "pair", false), Upgrade::More);
        }
    }

    /// Of the bytes that come one by one each is read once for each line and each doubling, and not once for each byte behind it.
    #[test]
    fn what_comes_byte_by_byte_is_looked_at_a_few_times() {
        let long = |name: &str, length| text("GET / HTTP/1.1", &[(name, &*"x".repeat(length))]);
        let lines = text("GET / HTTP/1.1", &[("a", "b"); HEADERS]);
        let too_many_lines = text("GET / HTTP/1.1", &[("a", "b"); 2000]);
        let empty_lines = b"\r\n".repeat(LIMIT);
        let endless = vec![b'G'; 2 * LIMIT];
        for (bytes, limit) in [
            (long("a", LIMIT - 100), 8 * LIMIT),
            (long("a", 2 * LIMIT), 8 * LIMIT),
            (lines, HEADERS * LIMIT),
            (too_many_lines, HEADERS * LIMIT),
            (empty_lines, LIMIT),
            (endless, 8 * LIMIT),
        ] {
            let (mut looked, mut read) = (0, 0);
            for length in 1..=bytes.len() {
                if !is_worth_a_look(&bytes[..length], length - 1, looked) {
                    continue;
                }
                (looked, read) = (length, read + length);
                if answer(&bytes[..length], "pair", false) != Upgrade::More {
                    break;
                }
            }
            assert!(read <= limit, "{read} bytes were read of {}", bytes.len());
            assert!(looked == bytes.len() || looked <= LIMIT, "{looked}");
        }
    }

    #[test]
    fn frames_behind_the_request_are_left() {
        let request = get(&headers());
        let more = [request.clone(), b"\x81\x80....".to_vec()].concat();
        assert!(matches!(answer(&more, "pair", false), Upgrade::Done { length, .. } if length == request.len()));
    }

    #[test]
    fn the_request_has_these_bytes() {
        let expected = "GET /a?b HTTP/1.1\r\nHost: h:80\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Key: AQEBAQEBAQEBAQEBAQEBAQ==\r\nSec-WebSocket-Version: 13\r\n\
                        Sec-WebSocket-Protocol: rep.sp.nanomsg.org\r\n\r\n";
        assert_eq!(request("/a?b", "h:80", [1; 16], "rep", false), expected.as_bytes());
        let extension = "\r\nSec-WebSocket-Extensions: subscriptions.sp.nanomsg.org\r\n\r\n";
        let expected = expected.replace("\r\n\r\n", extension);
        assert_eq!(request("/a?b", "h:80", [1; 16], "rep", true), expected.as_bytes());
    }

    #[test]
    fn a_client_takes_only_the_right_response() {
        let key = [7; 16];
        let accept = accept_key(&BASE64_STANDARD.encode(key));
        let respond = |line: &str, upgrade: &str, connection: &str, accept: &str, more: &[(&str, &str)]| {
            let first = [("Upgrade", upgrade), ("Connection", connection), ("Sec-WebSocket-Accept", accept)];
            check(&text(line, &[&first[..], more].concat()), key, "rep", false)
        };
        let refused = |rule| Upgrade::Refused { reply: Vec::new(), why: Refusal::Rule(rule) };
        let (refused, bad) = (refused("Not The Upgrade That Was Asked For"), refused("Bad Response"));
        let line = "HTTP/1.1 101 Switching Protocols";
        for more in [&[][..], &[("Sec-WebSocket-Protocol", "")], &[("Sec-WebSocket-Protocol", "rep.sp.nanomsg.org")]] {
            assert!(matches!(respond(line, "WebSocket", "keep-alive, Upgrade", &accept, more), Upgrade::Done { .. }));
        }
        assert_eq!(respond("HTTP/1.1 404 Not Found", "websocket", "Upgrade", &accept, &[]), refused);
        assert_eq!(respond("HTTP/1.0 101 Yes", "websocket", "Upgrade", &accept, &[]), refused);
        assert_eq!(respond(line, "h2c", "Upgrade", &accept, &[]), refused);
        assert_eq!(respond(line, "websocket", "close", &accept, &[]), refused);
        assert_eq!(respond(line, "websocket", "Upgrade", &accept.to_lowercase(), &[]), refused);
        assert_eq!(respond(line, "websocket", "Upgrade", &accept, &[("Sec-WebSocket-Extensions", "x")]), refused);
        let wrong_type = Upgrade::Refused { reply: Vec::new(), why: Refusal::Type };
        let named = [("Sec-WebSocket-Protocol", "pub.sp.nanomsg.org")];
        assert_eq!(respond(line, "websocket", "Upgrade", &accept, &named), wrong_type);
        assert_eq!(respond("HTTP/1.1 400 Incompatible Socket Type", "", "", "", &[]), wrong_type);
        let busy = Upgrade::Refused { reply: Vec::new(), why: Refusal::Busy };
        assert_eq!(check(BUSY, key, "rep", false), busy);
        assert_eq!(check(b"nonsense\r\n\r\n", key, "rep", false), bad);
        assert_eq!(check(&[b'x'; LIMIT], key, "rep", false), bad);
        assert_eq!(check(b"HTTP/1.1 101 ", key, "rep", false), Upgrade::More);
    }

    #[test]
    fn the_extension_is_used_where_both_want_it() {
        let key = [7; 16];
        for (asked, welcome) in [(true, true), (true, false), (false, true), (false, false)] {
            let request = request("/", "h", key, "pub", asked);
            let Upgrade::Done { reply, extended, .. } = answer(&request, "pub", welcome) else { panic!("refused") };
            assert_eq!(extended, asked && welcome);
            let checked = check(&reply, key, "pub", asked);
            assert_eq!(checked, Upgrade::Done { length: reply.len(), reply: Vec::new(), extended });
        }
        let among_others = "permessage-deflate; client_max_window_bits, Subscriptions.SP.nanomsg.org";
        let headers = [&headers()[..], &[("Sec-WebSocket-Extensions", among_others)]].concat();
        let Upgrade::Done { reply, extended: true, .. } = answer(&get(&headers), "pair", true) else {
            panic!("not used")
        };
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.ends_with("\r\nSec-WebSocket-Extensions: subscriptions.sp.nanomsg.org\r\n\r\n"), "{reply}");
        assert!(matches!(check(reply.as_bytes(), key, "pair", false), Upgrade::Refused { why: Refusal::Rule(_), .. }));
    }

    proptest! {
        #[test]
        fn both_sides_understand_each_other(key: [u8; 16], kind in 0..TYPES.len()) {
            let request = request("/", "h", key, TYPES[kind], false);
            let Upgrade::Done { length, reply, .. } = answer(&request, TYPES[kind], false) else { panic!("refused") };
            prop_assert_eq!(length, request.len());
            let done = Upgrade::Done { length: reply.len(), reply: Vec::new(), extended: false };
            prop_assert_eq!(check(&reply, key, TYPES[kind], false), done);
        }

        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>) {
            answer(&bytes, "pair", false);
            check(&bytes, [0; 16], "pair", false);
        }
    }
}
