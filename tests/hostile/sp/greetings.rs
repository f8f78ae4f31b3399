//! Connections whose first eight bytes are wrong, or do not come.

use std::thread;
use std::time::{Duration, Instant};

use crate::ours::{Over, alone, eventually};
use crate::peers::sp::{Peer, greeting, peer_of};
use crate::peers::{Speaks, TYPES};
use crate::trial::Trial;
use crate::{LATE, ours};

/// How long a greeting may take.
const GREETING: Duration = Duration::from_secs(1);

/// How the one who was wrong behaves afterwards.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// Waits: we have to end it.
    Stays,
    Leaves,
    Resets,
}

fn bad_greetings(protocol: i32) -> Vec<(String, Vec<u8>, Then)> {
    let good = greeting(peer_of(protocol));
    let mut table = vec![
        ("an HTTP request".to_owned(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), Then::Stays),
        ("a TLS hello".to_owned(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), Then::Stays),
        ("zeros".to_owned(), vec![0; 8], Then::Stays),
        ("ones".to_owned(), vec![0xff; 8], Then::Stays),
        (
            "a megabyte of noise".to_owned(),
            (0..1 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
            Then::Leaves,
        ),
    ];
    for at in 0..4 {
        for wrong in [1, 0x20, 0x80] {
            let mut bytes = good;
            bytes[at] ^= wrong;
            table.push((format!("byte {at} with {wrong:#x}"), bytes.to_vec(), Then::Stays));
        }
    }
    let others = TYPES.iter().map(|(own, _)| *own).filter(|own| *own != peer_of(protocol));
    for other in others.chain([0, 1, 17, 64, 97, 0xffff]) {
        table.push((format!("type {other}"), greeting(other).to_vec(), Then::Stays));
    }
    for length in 0..8 {
        for then in [Then::Leaves, Then::Resets] {
            table.push((format!("{length} bytes, and it {then:?}"), good[..length].to_vec(), then));
        }
    }
    table
}

fn are_refused(over: Over) {
    Trial::each(over, |trial| {
        for (name, bytes, then) in bad_greetings(trial.ours.protocol) {
            let mut peer = trial.stranger();
            peer.say(&bytes);
            match then {
                Then::Stays => {
                    // Ours was on its way before theirs was read; a reset may have overtaken it.
                    let heard = peer.end();
                    assert!(heard.is_empty() || heard == greeting(trial.ours.protocol), "{name}: {heard:?}");
                    peer.vanish(false);
                }
                Then::Leaves => peer.vanish(false),
                Then::Resets => peer.vanish(true),
            }
            trial.recovers(&name);
        }
    });
}

#[test]
fn wrong_greetings_are_refused_over_tcp() {
    alone(|| are_refused(Over::Tcp));
}

#[test]
fn wrong_greetings_are_refused_over_tls() {
    alone(|| are_refused(Over::Tls));
}

#[test]
fn wrong_greetings_are_refused_over_ipc() {
    alone(|| are_refused(Over::Ipc));
}

/// Peers that stop in the middle, and one that drips: each has a second for its greeting, and is in nobody's way.
fn stalling(over: Over) {
    let mut trials: Vec<Trial> =
        TYPES.iter().flat_map(|(protocol, _)| [false, true].map(|raw| Trial::of(over, *protocol, raw))).collect();
    let mut stalled = Vec::new();
    for trial in &mut trials {
        let start = Instant::now();
        let good = greeting(peer_of(trial.ours.protocol));
        let mut silent: Vec<Peer> = (0..10).map(|_| trial.stranger()).collect();
        for (length, peer) in silent.iter_mut().enumerate() {
            peer.say(&good[..length % 8]);
        }
        let mut dripping = trial.stranger();
        let drip = thread::spawn(move || {
            for byte in good {
                dripping.say(&[byte]);
                thread::sleep(GREETING / 5);
            }
            dripping.end();
            start.elapsed()
        });
        // Others are served meanwhile.
        let mut good = trial.guest();
        good.exchange(&trial.ours, "while others stall");
        let took = start.elapsed();
        assert!(took < GREETING - GREETING / 10, "a good client had to wait {took:?}");
        good.vanish(false);
        stalled.push((start, silent, drip));
    }
    let in_time = |took: Duration, at_most: Duration| {
        assert!(took > GREETING * 9 / 10 && took < at_most + LATE, "closed after {took:?}");
    };
    for (trial, (start, silent, drip)) in trials.iter_mut().zip(stalled) {
        for mut peer in silent {
            assert_eq!(peer.end(), greeting(trial.ours.protocol));
            in_time(start.elapsed(), GREETING);
        }
        in_time(drip.join().expect("it drips"), 2 * GREETING);
        trial.is_left_alone("stalling");
        trial.serves_a_good_client("stalling");
    }
}

#[test]
fn a_greeting_has_a_second_over_tcp() {
    alone(|| stalling(Over::Tcp));
}

#[test]
fn a_greeting_has_a_second_over_tls() {
    alone(|| stalling(Over::Tls));
}

#[test]
fn a_greeting_has_a_second_over_ipc() {
    alone(|| stalling(Over::Ipc));
}

/// 200 that have connected and say nothing.
#[test]
fn half_open_connections_keep_nobody_out() {
    alone(|| {
        for over in [Over::Tcp, Over::Ipc, Over::Tls] {
            let mut trial = Trial::of(over, ours::PAIR, false);
            let half_open: Vec<Peer> = (0..200).map(|_| trial.stranger()).collect();
            let start = Instant::now();
            let mut good = trial.guest();
            good.exchange(&trial.ours, "among half-open ones");
            let took = start.elapsed();
            assert!(took < GREETING, "a good client had to wait {took:?}, as long as the others may");
            good.vanish(false);
            // Our end of them is closed while theirs is still open.
            eventually("the half-open ones are closed", || ours::descriptors() == trial.descriptors + half_open.len());
            drop(half_open);
            trial.recovers("half-open connections");
        }
    });
}

/// What is right is right however it comes: byte by byte, all at once, with anything in the reserved bytes.
#[test]
fn greetings_and_messages_may_come_in_any_pieces() {
    alone(|| {
        for over in [Over::Tcp, Over::Ipc, Over::Tls] {
            Trial::each(over, |trial| {
                let own = trial.ours.protocol;
                for (reserved, piece) in [(0, 1), (0xff, 1), (0xff, 8), (0, 100)] {
                    let mut bytes = greeting(peer_of(own));
                    bytes[6..].fill(reserved);
                    let mut peer = trial.stranger();
                    peer.say_in_pieces(&bytes, piece);
                    assert_eq!(peer.read(8).expect("a greeting"), greeting(own));
                    peer.drips = piece == 1;
                    peer.exchange(&trial.ours, "in pieces");
                    peer.vanish(false);
                    trial.recovers("in pieces");
                }
            });
        }
    });
}
