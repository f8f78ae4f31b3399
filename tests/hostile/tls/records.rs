//! Records behind a handshake that should not be, well protected, from one that is no TLS library.

use std::io::Write;

use rustls::ContentType;

use crate::ours::{DONTWAIT, Over, PULL, PUSH, alone, memory};
use crate::peers::sp::{Peer, frame, greeting};
use crate::peers::tls::{Forger, client, first_words, plain};
use crate::peers::{Server, Speaks};
use crate::trial::{SLACK, Trial};

const ALERT: ContentType = ContentType::Alert;
const DATA: ContentType = ContentType::ApplicationData;
const HANDSHAKE: ContentType = ContentType::Handshake;

impl Trial {
    /// A peer that has been let in, by either version.
    fn forger(&mut self, old: bool) -> Forger {
        let mut forger = Forger::to(self.visited(), old);
        forger.says(DATA, &greeting(PUSH));
        self.ours.has_peers(1);
        forger
    }
}

/// What a peer says, between a message and another: the first is heard, the connection ends, and the second is not.
type Attack = (&'static str, fn(&mut Forger));

const ATTACKS: [Attack; 15] = [
    ("a fatal alert", |forger| forger.says(ALERT, &[2, 40])),
    ("an unknown alert", |forger| forger.says(ALERT, &[2, 200])),
    ("a close_notify", |forger| forger.says(ALERT, &[1, 0])),
    ("half an alert", |forger| forger.says(ALERT, &[2])),
    ("many warnings", |forger| (0..100).for_each(|_| forger.says(ALERT, &[1, 90]))),
    ("many empty records", |forger| (0..1000).for_each(|_| forger.says(DATA, &[]))),
    ("empty handshakes", |forger| (0..100).for_each(|_| forger.says(HANDSHAKE, &[]))),
    ("changes", |forger| forger.bare.say(&plain(20, &[1]).repeat(100))),
    ("many ClientHellos", |forger| (0..100).for_each(|_| forger.says(HANDSHAKE, &[1, 0, 0, 0]))),
    ("many HelloRequests", |forger| (0..100).for_each(|_| forger.says(HANDSHAKE, &[0, 0, 0, 0]))),
    ("a Finished", |forger| forger.says(HANDSHAKE, &[20, 0, 0, 1, 0])),
    ("an unknown type", |forger| forger.says(ContentType::Unknown(99), b"what")),
    ("more than a record holds", |forger| forger.says(DATA, &[7; 16_385])),
    ("what nothing protects", |forger| forger.bare.say(&plain(23, &frame(Over::Tls, [b"", b"forged"])))),
    ("a wrong seal", |forger| {
        let mut record = forger.record(DATA, &frame(Over::Tls, [b"", b"forged"]));
        *record.last_mut().expect("a byte") ^= 1;
        forger.bare.say(&record);
    }),
];

#[test]
fn records_that_should_not_be_end_their_connection() {
    alone(|| {
        let mut trial = Trial::of(Over::Tls, PULL, false);
        for old in [false, true] {
            for (name, attack) in ATTACKS {
                let mut forger = trial.forger(old);
                forger.says(DATA, &frame(Over::Tls, [b"", b"good"]));
                assert_eq!(trial.ours.recv(0).as_deref(), Some(&b"good"[..]), "{name}");
                let [first, second] = [b"half".repeat(10_000), b"behind".repeat(10)];
                // In the middle of a message.
                forger.says(DATA, &frame(Over::Tls, [b"", &first])[..10_000]);
                attack(&mut forger);
                forger.says(DATA, &frame(Over::Tls, [b"", &second]));
                forger.bare.end();
                forger.bare.vanish(false);
                trial.has_heard_nothing(name);
                trial.recovers(name);
            }
        }
    });
}

/// From a server, who is dialled again.
#[test]
fn records_of_a_server_that_should_not_be_end_their_connection() {
    alone(|| {
        let server = Server::listen(Over::Tls);
        let ours = server.connecting(PULL);
        for old in [false, true] {
            for (name, attack) in ATTACKS {
                let mut forger = Forger::accepted(&server, old);
                forger.says(DATA, &greeting(PUSH));
                ours.has_peers(1);
                forger.says(DATA, &frame(Over::Tls, [b"", b"good"]));
                assert_eq!(ours.recv(0).as_deref(), Some(&b"good"[..]), "{name}");
                forger.says(DATA, &frame(Over::Tls, [b"", &[7; 40_000]])[..10_000]);
                attack(&mut forger);
                forger.says(DATA, &frame(Over::Tls, [b"", b"behind"]));
                forger.bare.end();
                forger.bare.vanish(false);
                ours.is_alone();
                assert_eq!(ours.recv(DONTWAIT), None, "{name}");
            }
        }
        let mut good = Peer::accepted(Over::Tls, &server);
        good.greet(PULL);
        good.exchange(&ours, "behind all of them");
    });
}

/// Nothing has to come behind it.
#[test]
fn a_close_notify_ends_its_connection() {
    alone(|| {
        let mut trial = Trial::of(Over::Tls, PULL, false);
        for old in [false, true] {
            let mut forger = trial.forger(old);
            forger.says(ALERT, &[1, 0]);
            forger.bare.end();
            forger.bare.vanish(false);
            trial.recovers("a close_notify");
        }
    });
}

/// Every byte of a record is protected.
#[test]
fn a_record_that_was_changed_anywhere_is_lost() {
    alone(|| {
        let mut trial = Trial::of(Over::Tls, PULL, false);
        for old in [false, true] {
            let length = trial.forger(old).record(DATA, &frame(Over::Tls, [b"", b"forged"])).len();
            // In TLS 1.3 all records have one type and version, and what is said in their place is not looked at.
            for at in (0..length).filter(|at| old || ![0, 2].contains(at)) {
                let mut forger = trial.forger(old);
                let mut bytes = forger.record(DATA, &frame(Over::Tls, [b"", b"good"]));
                let mut changed = forger.record(DATA, &frame(Over::Tls, [b"", b"forged"]));
                changed[at] ^= 1;
                bytes.extend(changed);
                bytes.extend(forger.record(DATA, &frame(Over::Tls, [b"", b"behind"])));
                // A length may make it wait for more.
                bytes.resize(bytes.len() + 1024, 0);
                forger.bare.say(&bytes);
                forger.bare.end();
                forger.bare.vanish(false);
                assert_eq!(trial.ours.recv(0).as_deref(), Some(&b"good"[..]), "byte {at}");
                trial.has_heard_nothing(&format!("byte {at}"));
            }
        }
        trial.recovers("changed records");
    });
}

/// A warning now and then, or an empty record, is no harm; a renegotiation that is asked for once is declined (RFC 5246,
/// section 7.4.1.1).
#[test]
fn what_is_allowed_is_no_harm() {
    alone(|| {
        let mut trial = Trial::of(Over::Tls, PULL, false);
        let harmless: [Attack; 3] = [
            ("an empty record", |forger| forger.says(DATA, &[])),
            ("a warning", |forger| forger.says(ALERT, &[1, 90])),
            ("a renegotiation", |forger| forger.says(HANDSHAKE, &first_words(&mut client())[5..])),
        ];
        for old in [false, true] {
            for (name, harmless) in &harmless[..if old { 3 } else { 2 }] {
                let mut forger = trial.forger(old);
                harmless(&mut forger);
                forger.says(DATA, &frame(Over::Tls, [b"", name.as_bytes()]));
                assert_eq!(trial.ours.recv(0).as_deref(), Some(name.as_bytes()));
                forger.bare.vanish(false);
                trial.recovers(name);
            }
        }
    });
}

/// A peer that asks for new keys with every message and never reads: no answer is hoarded. With nothing between them it is
/// ended.
#[test]
fn a_flood_of_key_updates_takes_no_memory() {
    alone(|| {
        let mut trial = Trial::of(Over::Tls, PULL, false);
        let message = frame(Over::Tls, [b"", b"new keys"]);
        let mut peer = trial.guest();
        for _ in 0..20_000 {
            peer.0.tls().refresh_traffic_keys().expect("TLS 1.3");
            peer.0.write_all(&message).expect("it is let in");
            assert_eq!(trial.ours.recv(0).as_deref(), Some(&b"new keys"[..]));
        }
        let grown = memory().resident.saturating_sub(trial.resident);
        assert!(grown < SLACK / 4, "{grown} bytes more");
        peer.vanish(true);
        trial.recovers("new keys");
        let mut peer = trial.guest();
        for _ in 0..1000 {
            if peer.0.tls().refresh_traffic_keys().is_err() || peer.0.writes().is_err() {
                break;
            }
        }
        peer.end();
        peer.vanish(true);
        trial.recovers("nothing but new keys");
        assert_eq!(trial.ours.recv(DONTWAIT), None);
    });
}
