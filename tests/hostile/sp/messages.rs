//! Messages that nobody asked for: whole and well framed, and of no meaning to the socket that gets them.

use std::io::Write;
use std::time::Duration;

use crate::ours::{DONTWAIT, Over, PAIR, PULL, REQ, SURVEYOR, SURVEYOR_DEADLINE, alone, eventually, memory};
use crate::peers::Speaks;
use crate::peers::sp::frame;
use crate::trial::Trial;
use crate::{PATIENCE, is_long};

const TOP: u8 = 0x80;

/// Headers that are none, and some that are: whoever gets them has never sent what they answer.
fn strange_messages() -> Vec<Vec<u8>> {
    let hop = [0, 0, 0, 7];
    let id = [TOP, 1, 2, 3];
    vec![
        vec![],
        vec![TOP],
        vec![0, 0, 0],
        hop.to_vec(),
        id.to_vec(),
        [&id[..], b"an answer to nothing"].concat(),
        [&hop[..], &id, b"from behind a device"].concat(),
        hop.repeat(1000),
        [hop.repeat(300), id.to_vec()].concat(),
        [&hop[..], b"x"].concat(),
        vec![0; 100],
        vec![0xff; 60_000],
    ]
}

/// The connection they came on is none the worse for them.
fn are_passed_over(over: Over) {
    Trial::each(over, |trial| {
        for (number, message) in strange_messages().iter().enumerate() {
            let mut peer = trial.guest();
            for _ in 0..3 {
                peer.send(b"", message);
            }
            peer.exchange(&trial.ours, "behind something strange");
            for _ in 0..3 {
                peer.send(b"", message);
            }
            peer.vanish(number % 2 == 0);
            trial.recovers(&format!("message {number}"));
        }
    });
}

#[test]
fn strange_messages_are_passed_over_over_tcp() {
    alone(|| are_passed_over(Over::Tcp));
}

#[test]
fn strange_messages_are_passed_over_over_tls() {
    alone(|| are_passed_over(Over::Tls));
}

#[test]
fn strange_messages_are_passed_over_over_ipc() {
    alone(|| are_passed_over(Over::Ipc));
}

/// More than the socket takes, to one whose user does not look, or that has no use for it. What waits is bounded, and what
/// has no use takes nothing.
fn flood(over: Over) {
    let total: usize = if is_long() { 256 << 20 } else { 12 << 20 };
    Trial::each(over, |trial| {
        let burst = frame(over, [&[TOP, 0, 0, 1], &[b'f'; 1000]]).repeat(100);
        let mut peer = trial.guest();
        peer.0.set_write_timeout(Some(Duration::from_millis(100))).expect("an option");
        let mut sent = 0;
        while sent < total && peer.0.write_all(&burst).is_ok() {
            sent += burst.len();
        }
        let grown = memory().resident.saturating_sub(trial.resident);
        assert!(grown < crate::trial::SLACK, "{grown} bytes for a flood of {sent}");
        peer.vanish(true);
        trial.recovers("a flood");
    });
}

/// Messages without a byte have their weight too: whoever does not look is not sent them without end.
#[test]
fn floods_of_nothing_take_no_memory() {
    alone(|| {
        const TOTAL: usize = 128 << 20;
        for over in [Over::Tcp, Over::Ipc, Over::Tls] {
            for protocol in [PAIR, PULL] {
                let mut trial = Trial::of(over, protocol, false);
                let burst = frame(over, [b"", b""]).repeat(100_000);
                let mut peer = trial.guest();
                peer.0.set_write_timeout(Some(Duration::from_millis(500))).expect("an option");
                let mut sent = 0;
                while sent < TOTAL && peer.0.write_all(&burst).is_ok() {
                    sent += burst.len();
                }
                assert!(sent < TOTAL, "all was taken");
                let grown = memory().resident.saturating_sub(trial.resident);
                assert!(grown < crate::trial::SLACK, "{grown} bytes for a flood of {sent}");
                peer.vanish(true);
                trial.recovers("a flood of nothing");
            }
        }
    });
}

#[test]
fn floods_take_no_memory_over_tcp() {
    alone(|| flood(Over::Tcp));
}

#[test]
fn floods_take_no_memory_over_tls() {
    alone(|| flood(Over::Tls));
}

#[test]
fn floods_take_no_memory_over_ipc() {
    alone(|| flood(Over::Ipc));
}

/// Answers to a question that was answered already, or was never put, while the user does not look.
#[test]
fn second_answers_are_dropped() {
    alone(|| {
        for over in [Over::Tcp, Over::Ipc, Over::Tls] {
            for protocol in [REQ, SURVEYOR] {
                let mut trial = Trial::of(over, protocol, false);
                let mut peer = trial.guest();
                trial.ours.has_peers(1);
                trial.ours.send(b"question");
                let asked = peer.recv();
                let id = &asked[..4];
                let wrong = &[TOP, 9, 9, 9][..];
                // To a SURVEYOR each answer is one: it has many respondents.
                let second = if protocol == REQ { id } else { wrong };
                // All at once: none of them is late.
                let answers: [(&[u8], &[u8]); 5] =
                    [(id, b"first"), (wrong, b"wrong"), (wrong, b"later"), (second, b"twice"), (b"", b"?")];
                peer.say(&answers.map(|(header, body)| frame(over, [header, body])).concat());
                assert_eq!(trial.ours.recv(0).as_deref(), Some(&b"first"[..]));
                peer.exchange(&trial.ours, "another question");
                peer.vanish(false);
                trial.recovers("second answers");
            }
        }
    });
}

/// Answers to another survey are freed.
#[test]
fn answers_to_other_surveys_take_no_memory() {
    alone(|| {
        for over in [Over::Tcp, Over::Ipc, Over::Tls] {
            let mut trial = Trial::of(over, SURVEYOR, false);
            trial.ours.set(SURVEYOR, SURVEYOR_DEADLINE, PATIENCE.as_millis() as i32);
            let mut peer = trial.guest();
            trial.ours.has_peers(1);
            trial.ours.send(b"question");
            let asked = peer.recv();
            for _ in 0..if is_long() { 20_000 } else { 5000 } {
                peer.send(&[TOP, 9, 9, 9], &[b's'; 4096]);
                trial.ours.recv(DONTWAIT);
            }
            peer.send(&asked[..4], b"answer");
            let mut heard = None;
            eventually("the answer", || {
                heard = trial.ours.recv(DONTWAIT);
                heard.is_some()
            });
            assert_eq!(heard.as_deref(), Some(&b"answer"[..]));
            peer.vanish(false);
            trial.recovers("answers to other surveys");
        }
    });
}

/// Around every size at which something is stored another way.
#[test]
fn messages_of_every_size_pass() {
    alone(|| {
        for over in [Over::Tcp, Over::Ipc, Over::Tls] {
            Trial::each(over, |trial| {
                let mut peer = trial.guest();
                for size in (0..300).chain([4095, 4096, 8191, 8192, 65_535, 65_536, 1 << 18]) {
                    peer.exchange(&trial.ours, &"s".repeat(size));
                }
                peer.vanish(false);
                trial.recovers("messages of every size");
            });
        }
    });
}
