//! What is unusual, and right.

use crate::ours::{
    DONTWAIT, Ours,
    Over::{self, Ws},
    PAIR, PUB, REQ, REQ_RESEND_IVL, SUB, alone,
};
use crate::peers::ws::{BINARY, CLOSE, CONTINUATION, MASK, PING, PONG, Raw, TEXT, frame, get, good_response, headers};
use crate::peers::{Server, Speaks};
use crate::trial::Trial;

fn pieces_are_one_message(over: Over) {
    let pair = Ours::listening(over, PAIR);
    let mut client = Raw::client(pair.place(), "pair");
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
fn pieces_control_frames_and_text_are_one_message() {
    pieces_are_one_message(Ws);
}

#[test]
fn pieces_control_frames_and_text_are_one_message_over_tls() {
    pieces_are_one_message(Over::Wss);
}

#[test]
fn one_byte_at_a_time_is_understood() {
    let pair = Ours::listening(Ws, PAIR);
    let mut client = Raw::to(pair.place());
    client.say_in_pieces(&get(&headers("pair")), 1);
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    for size in [0, 1, 125, 126, 300, 5000] {
        let body = vec![b'b'; size];
        client.say_in_pieces(&frame(BINARY, true, &body, MASK), 1);
        assert_eq!(pair.recv(0), Some(body));
    }

    let server = Server::listen(Ws);
    let pair = server.connecting(PAIR);
    let mut peer = server.stranger();
    let response = good_response(&peer.head(), "pair");
    peer.say_in_pieces(response.as_bytes(), 1);
    peer.say_in_pieces(&frame(BINARY, true, &[b'b'; 5000], None), 1);
    assert_eq!(pair.recv(0), Some(vec![b'b'; 5000]));
}

/// Frames in the same segment as the handshake, and a great many of them.
fn is_heard_behind_a_handshake(over: Over) {
    let burst = |mask| -> Vec<u8> { (0..1000u16).flat_map(|i| frame(BINARY, true, &i.to_be_bytes(), mask)).collect() };
    let heard = |pair: &Ours| {
        for i in 0..1000u16 {
            assert_eq!(pair.recv(0), Some(i.to_be_bytes().to_vec()));
        }
    };
    let pair = Ours::listening(over, PAIR);
    let mut client = Raw::to(pair.place());
    client.say(&[get(&headers("pair")), burst(MASK)].concat());
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    heard(&pair);
    client.exchange(&pair, "behind");
    client.leave();
    pair.is_alone();

    // All of that, its end as well, at once.
    let mut client = Raw::to(pair.place());
    client.say(&[get(&headers("pair")), burst(MASK), frame(CLOSE, true, b"\x03\xe8", MASK)].concat());
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    client.is_closed("a whole life", 1000, "", false);
    heard(&pair);

    let server = Server::listen(over);
    let pair = server.connecting(PAIR);
    let mut peer = server.stranger();
    let response = good_response(&peer.head(), "pair");
    peer.say(&[response.as_bytes(), &burst(None)].concat());
    heard(&pair);
}

#[test]
fn what_comes_right_behind_a_handshake_is_heard() {
    is_heard_behind_a_handshake(Ws);
}

#[test]
fn what_comes_right_behind_a_handshake_over_tls_is_heard() {
    is_heard_behind_a_handshake(Over::Wss);
}

/// Q-R1: what a subscriber says is no reason to end.
#[test]
fn a_publisher_does_not_listen() {
    let publisher = Ours::listening(Ws, PUB);
    let mut subscriber = Raw::client(publisher.place(), "pub");
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
    let publisher = Ours::open(PUB, false);
    let subscribers = [Ours::listening(Ws, SUB), Ours::listening(Ws, SUB), Ours::listening(Ws, SUB)];
    for subscriber in &subscribers {
        publisher.connect(subscriber.place());
    }
    publisher.has_peers(3);
    publisher.send(&body);
    for subscriber in &subscribers {
        assert_eq!(subscriber.recv(0), Some(body.clone()));
    }

    let server = Server::listen(Ws);
    let asking = server.connecting(REQ);
    asking.set(REQ, REQ_RESEND_IVL, 50);
    let mut peer = server.welcome("rep");
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
    alone(|| {
        Trial::each(Ws, |trial| {
            for half in halves(MASK) {
                for reset in [false, true] {
                    let mut client = trial.client();
                    client.exchange(&trial.ours, "before");
                    client.say(&half);
                    client.vanish(reset);
                    trial.has_heard_nothing("half a message");
                    trial.recovers("half a message");
                }
            }
        });
    });
    let server = Server::listen(Ws);
    let pair = server.connecting(PAIR);
    for half in halves(None) {
        for reset in [false, true] {
            let mut peer = server.welcome("pair");
            peer.exchange(&pair, "before");
            peer.say(&half);
            peer.vanish(reset);
            server.serves(&pair, "half");
        }
    }
}
