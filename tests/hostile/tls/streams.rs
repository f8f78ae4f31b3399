//! Streams under load: whoever does not read, both sides writing at once, and buffers of a few bytes.

use std::thread;
use std::time::{Duration, Instant};

use crate::is_long;
use crate::ours::{Ours, Over, PAIR, PUSH, RCVBUF, SNDBUF, SOL_SOCKET, TLS, TLS_CERT, alone, memory};
use crate::peers::Speaks;
use crate::peers::tls::pki;
use crate::trial::{SLACK, Trial};

/// What is sent to one that does not read waits, as far as NN_SNDBUF goes; nothing of it is lost or doubled.
#[test]
fn who_does_not_read_is_waited_for() {
    alone(|| {
        let mut trial = Trial::of(Over::Tls, PUSH, false);
        for size in [10, 5000, 16_384, 100_000, 1 << 20] {
            let mut peer = trial.guest();
            trial.ours.has_peers(1);
            let mut sent = 0u32;
            let mut body = vec![0; size];
            loop {
                body[..4].copy_from_slice(&sent.to_be_bytes());
                if !trial.ours.try_send(&body) {
                    break;
                }
                sent += 1;
            }
            let grown = memory().resident.saturating_sub(trial.resident);
            assert!(grown < SLACK, "{grown} bytes for {sent} messages of {size}");
            for number in 0..sent {
                body[..4].copy_from_slice(&number.to_be_bytes());
                assert!(peer.recv() == body, "message {number} of {sent}, of {size} bytes");
            }
            peer.exchange(&trial.ours, "it reads again");
            peer.vanish(false);
            trial.recovers("one that did not read");
        }
    });
}

/// Xorshift.
fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random
}

/// What the sender of this seed sends next. The receiver makes the same.
fn body(random: &mut u64) -> Vec<u8> {
    let size = match next(random) % 10 {
        0 => next(random) % 500_000,
        1..4 => next(random) % 40_000,
        _ => next(random) % 300,
    };
    let first = next(random);
    (0..size + 1).map(|at| (first.wrapping_mul(at + 1) >> 24) as u8).collect()
}

fn talk(near: &Ours, far: &Ours, time: Duration) {
    let until = Instant::now() + time;
    let sends = |ours: &Ours, seed: u64| {
        let (mut random, mut count) = (seed, 0u64);
        while Instant::now() < until {
            ours.send(&body(&mut random));
            count += 1;
        }
        ours.send(b"");
        count
    };
    let hears = |ours: &Ours, seed: u64| {
        let (mut random, mut count) = (seed, 0u64);
        loop {
            let heard = ours.recv(0).expect("a message");
            if heard.is_empty() {
                return count;
            }
            assert!(heard == body(&mut random), "message {count} is another");
            count += 1;
        }
    };
    thread::scope(|scope| {
        let there = [scope.spawn(|| sends(near, 7)), scope.spawn(|| hears(far, 7))];
        let back = [scope.spawn(|| sends(far, 11)), scope.spawn(|| hears(near, 11))];
        for threads in [there, back] {
            let [sent, heard] = threads.map(|thread| thread.join().expect("it ends"));
            assert_eq!(sent, heard);
            assert!(sent > 10, "{sent} messages");
        }
    });
}

fn pair(over: Over, prepare: impl Fn(&Ours)) -> [Ours; 2] {
    let open = || {
        let ours = Ours::open(PAIR, false);
        prepare(&ours);
        ours
    };
    let far = open().bind(over);
    let near = open();
    near.connect(far.place());
    [&near, &far].iter().for_each(|ours| ours.has_peers(1));
    [near, far]
}

/// Two threads on each side, and messages of any size.
#[test]
fn threads_that_read_and_write_lose_nothing() {
    let time = Duration::from_secs(if is_long() { 60 } else { 4 });
    for over in [Over::Tls, Over::Wss] {
        let [near, far] = pair(over, |_| {});
        talk(&near, &far, time);
    }
}

fn has_small_buffers(ours: &Ours) {
    for option in [SNDBUF, RCVBUF] {
        ours.set(SOL_SOCKET, option, 1);
    }
}

/// The same where each record finds the kernel full.
#[test]
fn small_buffers_lose_nothing() {
    let time = Duration::from_secs(if is_long() { 20 } else { 2 });
    for over in [Over::Tls, Over::Wss] {
        let [near, far] = pair(over, has_small_buffers);
        talk(&near, &far, time);
    }
}

/// Both sides send before either receives.
#[test]
fn both_may_send_at_once() {
    let [near, far] = pair(Over::Tls, |_| {});
    let large = [vec![1; 1 << 20], vec![2; 1 << 20]];
    for _ in 0..20 {
        thread::scope(|scope| {
            for (ours, mine, other) in [(&near, &large[0], &large[1]), (&far, &large[1], &large[0])] {
                scope.spawn(move || {
                    ours.send(mine);
                    assert!(ours.recv(0).as_ref() == Some(other));
                });
            }
        });
    }
}

/// A handshake of 40 KiB through buffers of a few.
#[test]
fn a_long_chain_goes_through_small_buffers() {
    let far = Ours::open(PAIR, false);
    let near = Ours::open(PAIR, false);
    for ours in [&near, &far] {
        has_small_buffers(ours);
    }
    let place = crate::ours::Place::new(Over::Tls);
    far.set_bytes(TLS, TLS_CERT, format!("{}{}", pki().both, pki().authority.repeat(70)).as_bytes());
    far.bind_with(&place);
    near.connect(&place);
    [&near, &far].iter().for_each(|ours| ours.has_peers(1));
    talk(&near, &far, Duration::from_millis(500));
}
