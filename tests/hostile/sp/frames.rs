//! Lengths that cannot be, and messages that break off.

use crate::ours::{Over, PULL, RCVMAXSIZE, SOL_SOCKET, alone, memory};
use crate::peers::Speaks;
use crate::peers::sp::{Peer, frame, head};
use crate::trial::Trial;

/// One above NN_RCVMAXSIZE, and lengths that no machine has memory for.
const TOO_LONG: [u64; 8] =
    [(1 << 20) + 1, 1 << 31, 1 << 32, (1 << 32) + 1, 1 << 45, i64::MAX as u64, 1 << 63, u64::MAX];

fn bad_frames(over: Over) -> Vec<(String, Vec<u8>)> {
    let mut table: Vec<(String, Vec<u8>)> =
        TOO_LONG.iter().map(|&length| (format!("{length} bytes"), head(over, length))).collect();
    if over == Over::Ipc {
        for kind in [0, 2, 0x80, 0xff] {
            let mut bytes = frame(over, [b"", b"body"]);
            bytes[0] = kind;
            table.push((format!("a frame of kind {kind}"), bytes));
        }
    }
    table
}

/// Bytes behind which a peer goes in the middle of a message.
fn halves(over: Over) -> Vec<(String, Vec<u8>)> {
    let small = frame(over, [b"", b"0123456789"]);
    let large = [head(over, 1 << 20), vec![b'x'; 200_000]].concat();
    let cuts = (1..small.len()).map(|at| (format!("{at} bytes of a small message"), small[..at].to_vec()));
    cuts.chain([("a part of a large message".to_owned(), large), ("a length".to_owned(), head(over, 1 << 20))])
        .collect()
}

fn are_refused(over: Over) {
    Trial::each(over, |trial| {
        for (name, bytes) in bad_frames(over) {
            let mut peer = trial.guest();
            peer.say(&bytes);
            assert!(peer.end().is_empty(), "{name}: it says something before it goes");
            peer.vanish(false);
            trial.recovers(&name);
        }
        for (name, bytes) in halves(over) {
            for reset in [false, true] {
                let mut peer = trial.guest();
                peer.say(&bytes);
                peer.vanish(reset);
                trial.has_heard_nothing(&name);
                trial.recovers(&name);
            }
        }
    });
}

#[test]
fn wrong_frames_end_their_connection_over_tcp() {
    alone(|| are_refused(Over::Tcp));
}

#[test]
fn wrong_frames_end_their_connection_over_tls() {
    alone(|| are_refused(Over::Tls));
}

#[test]
fn wrong_frames_end_their_connection_over_ipc() {
    alone(|| are_refused(Over::Ipc));
}

/// Without NN_RCVMAXSIZE there is still the machine's memory.
#[test]
fn without_a_limit_absurd_lengths_end_their_connection() {
    alone(|| {
        for over in [Over::Tcp, Over::Ipc, Over::Tls] {
            Trial::each(over, |trial| {
                trial.ours.set(SOL_SOCKET, RCVMAXSIZE, -1);
                for length in [1 << 45, 1 << 62, i64::MAX as u64, 1 << 63, u64::MAX] {
                    let mut peer = trial.guest();
                    peer.say(&[head(over, length), b"the beginning".to_vec()].concat());
                    assert!(peer.end().is_empty());
                    peer.vanish(false);
                    trial.recovers("an absurd length");
                }
            });
        }
    });
}

/// A length is a promise, not a fact: memory is taken for what has come.
#[test]
fn announced_lengths_take_no_memory_over_tcp_and_ipc() {
    alone(|| {
        const PEERS: usize = 200;
        const LENGTH: u64 = 100 << 20;
        for over in [Over::Tcp, Over::Ipc, Over::Tls] {
            let mut trial = Trial::of(over, PULL, false);
            trial.ours.set(SOL_SOCKET, RCVMAXSIZE, LENGTH as i32);
            let before = memory().reserved;
            let mut liars: Vec<Peer> = (0..PEERS).map(|_| trial.guest()).collect();
            for liar in &mut liars {
                liar.say(&[head(over, LENGTH), vec![b'x'; 10_000]].concat());
            }
            let mut honest = trial.guest();
            honest.exchange(&trial.ours, "among liars");
            honest.vanish(false);
            let grown = memory().reserved.saturating_sub(before);
            // A connection that has begun a large message has room for 256 KiB of it.
            assert!(grown < PEERS << 20, "{grown} bytes more for {PEERS} peers");
            liars.into_iter().for_each(|liar| liar.vanish(false));
            trial.recovers("liars");
        }
    });
}
