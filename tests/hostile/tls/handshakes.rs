//! Handshakes that break off, drip, stall, or are none.

use std::io::{ErrorKind, Read};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{Connection, ContentType};

use crate::LATE;
use crate::ours::{ACCEPTED, BROKEN, DONTWAIT, Ours, Over, PAIR, alone, descriptors, eventually, memory};
use crate::peers::sp::Peer;
use crate::peers::tls::{Forger, client, first_words, pki, plain, server, server_with};
use crate::peers::{Bare, Server, Speaks};
use crate::trial::{SLACK, Trial};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

// Types of records (RFC 8446, section 5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE_RECORD: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// The client's last words of a handshake, for this connection of it.
fn second_words(tls: &mut Connection, bare: &mut Bare) -> Vec<u8> {
    bare.say(&first_words(tls));
    while tls.is_handshaking() {
        let mut bytes = vec![0; 4096];
        let size = bare.0.read(&mut bytes).expect("the server's part");
        assert!(size > 0, "it is ended");
        tls.read_tls(&mut &bytes[..size]).expect("bytes");
        tls.process_new_packets().expect("a handshake");
    }
    first_words(tls)
}

#[test]
fn a_handshake_may_break_off_anywhere() {
    alone(|| {
        let mut trial = Trial::of(Over::Tls, PAIR, false);
        let hello = first_words(&mut client());
        for length in 0..=hello.len() {
            let mut peer = trial.silent();
            peer.say(&hello[..length]);
            peer.vanish(length % 2 == 0);
        }
        trial.recovers("half a hello");
        let mut length = 0;
        loop {
            let mut peer = trial.silent();
            let last = second_words(&mut client(), &mut peer);
            peer.say(&last[..length.min(last.len())]);
            peer.vanish(length % 2 == 0);
            if length == last.len() {
                break;
            }
            length += 1;
        }
        trial.recovers("half an answer");
    });
}

/// A server that leaves anywhere is dialled again.
#[test]
fn a_servers_handshake_may_break_off_anywhere() {
    let listener = Server::listen(Over::Tls);
    let ours = listener.connecting(PAIR);
    let mut length = 0;
    loop {
        let mut bare = Bare(listener.accept_raw().into());
        let mut tls = server();
        while !tls.wants_write() {
            let mut bytes = vec![0; 4096];
            let size = bare.0.read(&mut bytes).expect("a hello");
            tls.read_tls(&mut &bytes[..size]).expect("bytes");
            tls.process_new_packets().expect("a hello");
        }
        let words = first_words(&mut tls);
        bare.say(&words[..length.min(words.len())]);
        bare.vanish(length % 2 == 0);
        if length >= words.len() {
            break;
        }
        length += 7;
    }
    let mut peer = Peer::accepted(Over::Tls, &listener);
    peer.greet(PAIR);
    peer.exchange(&ours, "after all of them");
    assert_eq!(ours.recv(DONTWAIT), None);
}

/// What is no handshake at all, from whoever connects.
fn no_handshakes() -> Vec<(String, Vec<u8>)> {
    let hello = first_words(&mut client());
    let mut longer = hello.clone();
    longer[3..5].copy_from_slice(&(16_384u16 + 257).to_be_bytes());
    longer.resize(20_000, 0);
    let mut endless = plain(HANDSHAKE_RECORD, &[1, 0xff, 0xff, 0xff]);
    endless.extend(plain(HANDSHAKE_RECORD, &[0; 16_000]).repeat(20));
    let mut table = vec![
        ("a request of HTTP".to_owned(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("a greeting of SP".to_owned(), b"\0SP\0\0\x10\0\0".to_vec()),
        ("a hello of SSL 2".to_owned(), b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80".to_vec()),
        ("a record that is too long".to_owned(), longer),
        ("the longest length".to_owned(), [&[HANDSHAKE_RECORD, 3, 3, 0xff, 0xff][..], &[0; 70_000]].concat()),
        ("a hello of 16 MiB".to_owned(), endless),
        ("an empty handshake".to_owned(), plain(HANDSHAKE_RECORD, &[])),
        ("data".to_owned(), plain(APPLICATION_DATA, b"data")),
        ("a fatal alert".to_owned(), plain(ALERT, &[2, 40])),
        ("an unknown alert".to_owned(), plain(ALERT, &[2, 200])),
        ("half an alert".to_owned(), plain(ALERT, &[2])),
        ("many warnings".to_owned(), plain(ALERT, &[1, 90]).repeat(100)),
        ("a hello, and a close_notify".to_owned(), [hello.clone(), plain(ALERT, &[1, 0])].concat()),
        ("two hellos".to_owned(), [hello.clone(), hello.clone()].concat()),
        ("a hello, and data".to_owned(), [hello.clone(), plain(APPLICATION_DATA, &[7; 100])].concat()),
        (
            "a hello, and 1,000 changes".to_owned(),
            [hello.clone(), plain(CHANGE_CIPHER_SPEC, &[1]).repeat(1000)].concat(),
        ),
        ("1,000 changes".to_owned(), plain(CHANGE_CIPHER_SPEC, &[1]).repeat(1000)),
        ("a change that is none".to_owned(), plain(CHANGE_CIPHER_SPEC, &[2, 3])),
    ];
    for kind in [0, 19, 24, 25, 255] {
        table.push((format!("a record of type {kind}"), plain(kind, b"what")));
    }
    for message in [0, 2, 4, 11, 20, 24, 99] {
        table.push((
            format!("a handshake that begins with message {message}"),
            plain(HANDSHAKE_RECORD, &[message, 0, 0, 0]),
        ));
    }
    table
}

#[test]
fn what_is_no_handshake_ends_at_once() {
    alone(|| {
        let mut trial = Trial::of(Over::Tls, PAIR, false);
        let watcher = trial.ours.watched("refusing");
        trial.descriptors = descriptors();
        for (name, bytes) in no_handshakes() {
            let start = Instant::now();
            let mut peer = trial.silent();
            peer.say(&bytes);
            peer.end();
            assert!(start.elapsed() < HANDSHAKE / 2, "{name}: it is waited for");
            peer.vanish(false);
            trial.recovers(&name);
            assert_eq!(trial.ours.recv(DONTWAIT), None, "{name}");
            let why = watcher.hears_why();
            assert!(why.contains("\"reason\":\"tls\""), "{name}: {why}");
        }
    });
}

/// The same from a server; and what it says is no longer than it may be.
#[test]
fn a_server_that_does_not_shake_hands_is_left() {
    alone(|| {
        let listener = Server::listen(Over::Tls);
        let ours = listener.connecting(PAIR);
        let mut first = Peer::accepted(Over::Tls, &listener);
        first.greet(PAIR);
        first.exchange(&ours, "before");
        first.vanish(false);
        let before = memory().resident;
        for (name, bytes) in no_handshakes() {
            let mut bare = Bare(listener.accept_raw().into());
            bare.say(&bytes);
            bare.end();
            bare.vanish(false);
            let mut good = Peer::accepted(Over::Tls, &listener);
            good.greet(PAIR);
            good.exchange(&ours, &name);
            good.vanish(false);
        }
        // A chain of certificates that never ends is ended at 64 KiB.
        let leaf: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(pki().both.as_bytes()).map(|der| der.expect("a certificate")).collect();
        let chain: Vec<_> = leaf.iter().cycle().take(1000).cloned().collect();
        let mut bare = Bare(listener.accept_raw().into());
        let mut tls = server_with(chain);
        while !tls.wants_write() {
            let mut bytes = vec![0; 4096];
            let size = bare.0.read(&mut bytes).expect("a hello");
            tls.read_tls(&mut &bytes[..size]).expect("bytes");
            tls.process_new_packets().expect("a hello");
        }
        let words = first_words(&mut tls);
        assert!(words.len() > 300_000, "{} bytes are no long chain", words.len());
        bare.say(&words);
        bare.end();
        bare.vanish(false);
        let mut good = Peer::accepted(Over::Tls, &listener);
        good.greet(PAIR);
        good.exchange(&ours, "an endless chain");
        let grown = memory().resident.saturating_sub(before);
        assert!(grown < SLACK, "{grown} bytes more");
    });
}

/// Peers that stop anywhere in their handshake, and one that drips: each has five seconds altogether, and then its end is told.
#[test]
fn a_handshake_of_tls_has_five_seconds() {
    alone(|| {
        let ours = Ours::listening(Over::Tls, PAIR);
        let watcher = ours.watched("stalling");
        let start = Instant::now();
        let hello = first_words(&mut client());
        let mut silent: Vec<Bare> = (0..10)
            .map(|part| {
                let mut bare = Bare::raw(ours.place());
                bare.say(&hello[..hello.len() * part / 9]);
                bare
            })
            .collect();
        // Nothing vouches for a farewell before there are keys.
        silent[0].say(&plain(ALERT, &[1, 0]));
        let mut dripping = Bare::raw(ours.place());
        let drip = thread::spawn(move || {
            dripping.0.set_read_timeout(Some(Duration::from_millis(40))).expect("a pause");
            for byte in hello {
                dripping.say(&[byte]);
                match dripping.0.read(&mut [0]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    _ => break,
                }
            }
            start.elapsed()
        });
        let silent_server = thread::spawn(|| {
            let listener = Server::listen(Over::Tls);
            let ours = listener.connecting(PAIR);
            let mut bare = Bare(listener.accept_raw().into());
            let start = Instant::now();
            bare.end();
            let took = start.elapsed();
            let mut good = Peer::accepted(Over::Tls, &listener);
            good.greet(PAIR);
            good.exchange(&ours, "after a silent server");
            took
        });
        let mut good = Peer::to(ours.place());
        good.greet(PAIR);
        good.exchange(&ours, "while others wait");
        assert!(start.elapsed() < HANDSHAKE / 2, "a good client had to wait");
        good.vanish(false);
        for bare in &mut silent {
            bare.end();
            let took = start.elapsed();
            assert!(took > HANDSHAKE * 9 / 10 && took < HANDSHAKE + LATE, "ended after {took:?}");
        }
        for _ in 0..silent.len() {
            let why = watcher.hears_why();
            assert!(why.contains("\"reason\":\"timeout\""), "{why}");
        }
        for took in [silent_server.join().expect("it is silent"), drip.join().expect("it drips")] {
            assert!(took > HANDSHAKE * 9 / 10 && took < HANDSHAKE + LATE, "ended after {took:?}");
        }
        eventually("all ended", || ours.statistic(ACCEPTED) == 12 && ours.statistic(BROKEN) == 12);
    });
}

/// One that has come through has its second for the greeting, as over tcp, and no more.
#[test]
fn who_was_secured_is_to_greet() {
    alone(|| {
        let ours = Ours::listening(Over::Tls, PAIR);
        let watcher = ours.watched("secured");
        for old in [false, true] {
            let mut forger = Forger::to(ours.place(), old);
            let start = Instant::now();
            forger.says(ContentType::ApplicationData, b"\0SP\0");
            forger.bare.end();
            let took = start.elapsed();
            assert!(took < HANDSHAKE - HANDSHAKE / 4, "{took:?}");
            let why = watcher.hears_why();
            assert!(why.contains("\"reason\":\"timeout\""), "{why}");
        }
    });
}
