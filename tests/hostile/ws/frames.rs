//! Frames that are not taken.

use std::io::{Read, Write};
use std::thread;

use socket2::Socket;

use crate::ours::{
    DONTWAIT, Ours,
    Over::{self, Ws},
    PAIR, RCVMAXSIZE, SOL_SOCKET, alone, memory,
};
use crate::peers::Server;
use crate::peers::ws::{BINARY, CLOSE, CONTINUATION, MASK, PING, PONG, Raw, TEXT, frame};
use crate::trial::Trial;

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

fn clients_are_told(over: Over) {
    let mut table = bad_frames(MASK);
    let reason = "Server expects MASK bit to be set.";
    table.push(("a frame without a mask", frame(BINARY, true, b"x", None), 1002, reason));
    table.push(("a PING without a mask", frame(PING, true, b"", None), 1002, reason));
    Trial::each(over, |trial| {
        for (name, bytes, code, reason) in &table {
            let mut offender = trial.client();
            offender.say(bytes);
            offender.is_closed(name, *code, reason, false);
            offender.vanish(false);
            trial.recovers(name);
        }
    });
}

#[test]
fn a_client_that_breaks_the_rules_is_told_which() {
    alone(|| clients_are_told(Ws));
}

#[test]
fn a_client_that_breaks_the_rules_over_tls_is_told_which() {
    alone(|| clients_are_told(Over::Wss));
}

fn servers_are_told(over: Over) {
    let server = Server::listen(over);
    let pair = server.connecting(PAIR);
    server.serves(&pair, "before");
    let mut table = bad_frames(None);
    table.push(("a frame with a mask", frame(BINARY, true, b"x", MASK), 1002, "Client expects MASK bit to be unset."));
    for (name, bytes, code, reason) in table {
        let mut offender = server.welcome("pair");
        offender.say(&bytes);
        offender.is_closed(name, code, reason, true);
        while pair.recv(DONTWAIT).is_some() {}
        // It has connected again, on a fresh connection (Q-R15).
        server.serves(&pair, name);
    }
}

#[test]
fn a_server_that_breaks_the_rules_is_told_which() {
    servers_are_told(Ws);
}

#[test]
fn a_server_that_breaks_the_rules_over_tls_is_told_which() {
    servers_are_told(Over::Wss);
}

/// With no limit of our own there is still the machine's.
#[test]
fn without_a_limit_an_absurd_length_is_refused() {
    alone(|| {
        Trial::each(Ws, |trial| {
            trial.ours.set(SOL_SOCKET, RCVMAXSIZE, -1);
            for length in [1u64 << 45, 1 << 62, i64::MAX as u64, 1 << 63, u64::MAX] {
                let mut offender = trial.client();
                offender.say(&[&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 4], b"the beginning"].concat());
                let (code, _) = offender.hears_close(false).expect("a close frame");
                assert_eq!(code, 1009, "{length}");
                offender.vanish(false);
                trial.recovers("an absurd length");
            }
        });
    });
}

/// The limit on bytes never comes into it.
#[test]
fn a_message_of_too_many_pieces_is_refused() {
    const MOST: usize = 65_536;
    const TOO_MANY: &str = "Too many fragments in one message.";
    let pair = Ours::listening(Ws, PAIR);
    let ping = frame(PING, true, b"", MASK);
    for (piece, control, pongs) in [(&b""[..], &b""[..], 0), (b"x", b"", 0), (b"", &ping[..], MOST - 2)] {
        // As many as there may be are a message.
        let mut client = Raw::client(pair.place(), "pair");
        let middle = [&frame(CONTINUATION, false, piece, MASK)[..], control].concat();
        let (first, last) = (frame(BINARY, false, piece, MASK), frame(CONTINUATION, true, piece, MASK));
        let drain = client.0.try_clone().expect("another descriptor");
        let pongs = thread::spawn(move || hears_pongs(drain, pongs));
        client.say(&[&first[..], &middle.repeat(MOST - 2), &last].concat());
        assert_eq!(pair.recv(0).map(|message| message.len()), Some(piece.len() * MOST));
        pongs.join().expect("it reads");
        client.leave();
        pair.is_alone();
    }
    for (protocol, masked) in [(PAIR, true), (PAIR, false)] {
        let mask = if masked { MASK } else { None };
        let endless =
            [&frame(TEXT, false, b"", mask)[..], &frame(CONTINUATION, false, b"", mask).repeat(MOST)].concat();
        let before = memory().resident;
        if masked {
            let mut offender = Raw::client(pair.place(), "pair");
            offender.say(&endless);
            offender.is_closed("endless", 1008, TOO_MANY, false);
            pair.serves_a_good_client("endless");
        } else {
            let server = Server::listen(Ws);
            let connecting = server.connecting(protocol);
            let mut offender = server.welcome("pair");
            offender.say(&endless);
            offender.is_closed("endless", 1008, TOO_MANY, true);
            server.serves(&connecting, "endless");
        }
        let grown = memory().resident.saturating_sub(before);
        assert!(grown < 64 << 20, "{grown} bytes more");
        assert_eq!(pair.recv(DONTWAIT), None);
    }
}

/// So many, and no end.
fn hears_pongs(mut stream: Socket, mut count: usize) {
    let mut two = [0; 2];
    while count > 0 {
        stream.read_exact(&mut two).expect("a pong");
        assert_eq!(two, [0x8A, 0]);
        count -= 1;
    }
}

/// Pieces come in without end, none of them large: the limit holds for their sum.
#[test]
fn a_message_without_end_is_refused_at_the_limit() {
    for piece in [1000, 60_000] {
        let pair = Ours::listening(Ws, PAIR);
        let mut offender = Raw::client(pair.place(), "pair");
        let mut sent = 0;
        let mut next = frame(BINARY, false, &vec![b'x'; piece], MASK);
        while sent < 8 << 20 && offender.0.write_all(&next).is_ok() {
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
