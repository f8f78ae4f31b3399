//! What is in a request, and may not come back: headers that are too long, no ASCII, no text or there twice, targets and
//! bodies that no upgrade has. CVE-2026-97152 of libnanomsg: it answers a wrong Sec-WebSocket-Version with that version, in
//! a buffer of 512 bytes.

use crate::ours::{Ours, Over::Ws, PAIR, PUB, alone, descriptors, memory};
use crate::peers::Speaks;
use crate::peers::ws::{BINARY, MASK, Raw, frame, get, headers, name_of, request};
use crate::trial::SLACK;

/// Stands in everything that is odd here.
const MARK: &str = "Canary";

/// All there is to be heard of a refusal: these bytes, and the end.
fn refusal(reason: &str) -> String {
    format!("HTTP/1.1 400 {reason}\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

const BAD: &str = "Bad Request";
const BODY: &str = "Cannot Have Body";
const VERSION: &str = "Unsupported WebSocket Version";
const UNKNOWN: &str = "Unrecognized Socket Type";
const LONG: &str = "Opening Handshake Too Long";

/// Says it, and hears one of these refusals or, where there is none to be, an upgrade that tells nothing.
fn is_answered(ours: &Ours, name: &str, bytes: &[u8], expected: Option<&str>) {
    let mut peer = Raw::to(ours.place());
    peer.say(bytes);
    let Some(reason) = expected else {
        let reply = peer.head();
        assert!(reply.starts_with("HTTP/1.1 101 ") && !reply.contains(MARK), "{name}: {reply:?}");
        peer.leave();
        return ours.is_alone();
    };
    let reply = String::from_utf8(peer.end()).expect("text");
    assert_eq!(reply, refusal(reason), "{name}");
    ours.is_alone();
}

/// Odd values of a header: its name here, and its bytes.
fn values() -> Vec<(String, Vec<u8>)> {
    let mut values: Vec<(String, Vec<u8>)> = [100, 400, 512, 1_500, 4_060, 15_000]
        .iter()
        .map(|&length| (format!("{length} bytes"), MARK.bytes().cycle().take(length).collect()))
        .collect();
    values.extend([
        ("letters beyond ASCII".to_owned(), format!("{MARK}\u{e9}\u{20ac}\u{1f600}").into_bytes()),
        (
            "a letter beyond ASCII where a type's name would end".to_owned(),
            format!("{MARK}\u{e9}sp.nanomsg.or\u{e9}").into_bytes(),
        ),
        ("no UTF-8".to_owned(), [MARK.as_bytes(), b"\xff\xfe\x80"].concat()),
        ("no UTF-8 alone".to_owned(), b"\xff".to_vec()),
        ("digits of another script".to_owned(), "\u{661}\u{663}".as_bytes().to_vec()),
        ("a list without end".to_owned(), format!("{MARK},").repeat(2_000).into_bytes()),
        ("commas alone, and more".to_owned(), [&b",".repeat(5_000)[..], MARK.as_bytes()].concat()),
        ("formats of printf".to_owned(), format!("{MARK}%n%s%s%1000000d").into_bytes()),
        ("signs".to_owned(), format!("13{MARK}\"\\;<>&").into_bytes()),
    ]);
    values
}

/// The request with this instead of the header's value, or in front of it, or behind it.
fn odd(kind: &str, name: &str, value: &[u8], place: Place) -> Vec<u8> {
    let mut bytes = b"GET / HTTP/1.1\r\n".to_vec();
    let mut line = |name: &str, value: &[u8]| bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    let mut placed = false;
    for (other, good) in headers(kind) {
        let here = other == name;
        placed |= here;
        if here && place != Behind {
            line(name, value);
        }
        if !here || place != Instead {
            line(other, good.as_bytes());
        }
        if here && place == Behind {
            line(name, value);
        }
    }
    if !placed {
        line(name, value);
        if place != Instead {
            line(name, value);
        }
    }
    bytes.extend(b"\r\n");
    bytes
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Instead,
    InFront,
    Behind,
}

use Place::{Behind, InFront, Instead};

#[test]
fn a_refusal_repeats_nothing_of_the_request() {
    alone(|| {
        for protocol in [PAIR, PUB] {
            let ours = Ours::listening(Ws, protocol);
            let kind = name_of(protocol);
            let before = memory().resident;
            for (what, value) in values() {
                for (header, instead, twice) in [
                    ("Sec-WebSocket-Version", Some(VERSION), Some(BAD)),
                    ("Sec-WebSocket-Key", Some(BODY), Some(BAD)),
                    // A list, in one line or in several: one of its elements is ours.
                    ("Sec-WebSocket-Protocol", Some(UNKNOWN), None),
                    // None of these is known.
                    ("Sec-WebSocket-Extensions", None, None),
                    ("Upgrade", Some(BODY), None),
                    ("Connection", Some(BODY), None),
                    ("Host", None, Some(BAD)),
                    ("Cookie", None, None),
                ] {
                    for (place, expected) in [(Instead, instead), (InFront, twice), (Behind, twice)] {
                        let name = format!("{kind}, {header}: {what}, {place:?}");
                        let bytes = odd(kind, header, &value, place);
                        // Where it is there twice it may be too long.
                        let expected = if bytes.len() > 16 << 10 { Some(LONG) } else { expected };
                        is_answered(&ours, &name, &bytes, expected);
                    }
                }
            }
            // What is right, but there twice.
            for (header, value, twice) in [
                ("Sec-WebSocket-Version", "13".to_owned(), Some(BAD)),
                ("Sec-WebSocket-Key", crate::peers::ws::KEY.to_owned(), Some(BAD)),
                ("Sec-WebSocket-Protocol", format!("{kind}.sp.nanomsg.org"), None),
                ("Host", "localhost".to_owned(), Some(BAD)),
            ] {
                is_answered(&ours, header, &odd(kind, header, value.as_bytes(), InFront), twice);
            }
            let mut client = Raw::client(ours.place(), kind);
            client.exchange(&ours, "after all of them");
            client.leave();
            let grown = memory().resident.saturating_sub(before);
            assert!(grown < SLACK, "{grown} bytes more");
        }
    });
}

/// Nothing is served here, so any target that HTTP has is taken, and none comes back.
#[test]
fn any_target_is_answered() {
    let pair = Ours::listening(Ws, PAIR);
    let long = format!("/{}", MARK.repeat(2_000));
    for (target, expected) in [
        ("/Canary", None),
        ("//Canary/../..//", None),
        ("http://evil.example/Canary?x#y", None),
        ("*", None),
        ("evil.example:80", None),
        ("/%00%0d%0aCanary:%20x", None),
        ("/Canary?<script>\"'`{}|\\^", None),
        ("/Canary\u{e9}", None),
        (&long, None),
        ("/Can\tary", Some(BAD)),
        ("/Can ary", Some(BAD)),
        ("/Can\0ary", Some(BAD)),
        ("/Can\rary", Some(BAD)),
        ("/Can\x7fary", Some(BAD)),
        ("/Can\x1bary", Some(BAD)),
        ("/\nCanary: x", Some(BAD)),
    ] {
        let bytes = request(&format!("GET {target} HTTP/1.1"), &headers("pair"));
        is_answered(&pair, target, &bytes, expected);
    }
    pair.serves_a_good_client("after all of them");
}

/// Frames come behind the request. If there may be a body in between, somebody on the way may see a border elsewhere.
#[test]
fn a_request_with_a_body_is_refused() {
    let pair = Ours::listening(Ws, PAIR);
    let before = descriptors();
    let chunked = b"6\r\nCanary\r\n0\r\n\r\n";
    for (more, body, expected) in [
        ("Transfer-Encoding: chunked", &chunked[..], Some(BODY)),
        ("transfer-encoding: Chunked", chunked, Some(BODY)),
        ("Transfer-Encoding: gzip, chunked", chunked, Some(BODY)),
        ("Transfer-Encoding: identity", b"", Some(BODY)),
        ("Transfer-Encoding: \u{e9}", b"", Some(BODY)),
        ("Transfer-Encoding:", b"", Some(BODY)),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0", chunked, Some(BODY)),
        ("Transfer-Encoding: chunked", b"ffffffffffffffffff\r\n", Some(BODY)),
        ("Content-Length: 6", MARK.as_bytes(), Some(BODY)),
        ("Content-Length: 0\r\nContent-Length: 6", MARK.as_bytes(), Some(BODY)),
        ("Content-Length: 18446744073709551616", b"", Some(BODY)),
        ("Content-Length: -1", b"", Some(BODY)),
        ("Content-Length: 0x0", b"", Some(BODY)),
        ("Content-Length:", b"", Some(BODY)),
        ("Content-Length: 0", b"", None),
        ("Expect: 100-continue", b"", None),
        ("Trailer: Canary", b"", None),
        (" Folded: Canary", b"", Some(BAD)),
        ("Canary : space before the colon", b"", Some(BAD)),
        ("Can\u{e9}ary: a name beyond ASCII", b"", Some(BAD)),
        (": no name", b"", Some(BAD)),
    ] {
        let bytes = [&request(&format!("GET / HTTP/1.1\r\n{more}"), &headers("pair")), body].concat();
        is_answered(&pair, more, &bytes, expected);
    }
    // No word of what is behind a refused one is a frame.
    let mut peer = Raw::to(pair.place());
    let whole = request("GET / HTTP/1.1\r\nTransfer-Encoding: chunked", &headers("pair"));
    peer.say(&[whole, frame(BINARY, true, b"smuggled", MASK)].concat());
    peer.is_told("smuggled", BODY);
    assert_eq!(pair.recv(crate::ours::DONTWAIT), None);
    pair.serves_a_good_client("after all of them");
    assert!(descriptors() <= before + 8);
}

/// One empty line may stand in front, or two, and not as many as fit.
#[test]
fn empty_lines_in_front_have_a_limit() {
    let pair = Ours::listening(Ws, PAIR);
    let whole = get(&headers("pair"));
    for (lines, expected) in
        [("\r\n", None), ("\r\n\r\n", None), ("\r\n\r\n\r\n", Some(BAD)), ("\n\n\n\n\n", Some(BAD))]
    {
        is_answered(&pair, lines, &[lines.as_bytes(), &whole].concat(), expected);
    }
    pair.serves_a_good_client("after all of them");
}
