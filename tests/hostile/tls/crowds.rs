//! Many at once.

use std::time::{Duration, Instant};

use crate::ours::{ACCEPTED, Over, PAIR, PULL, allocated, alone, descriptors, eventually};
use crate::peers::sp::Peer;
use crate::peers::tls::{client, first_words};
use crate::peers::{Bare, Speaks};
use crate::trial::{BUSY, Trial};

/// 2,000 in the middle of their handshake: those who are served go on, and others are let in.
#[test]
fn half_open_handshakes_keep_nobody_out() {
    alone(|| {
        const HALF_OPEN: usize = 2000;
        let mut trial = Trial::of(Over::Tls, PAIR, false);
        let before = allocated();
        let mut good = trial.guest();
        let hello = first_words(&mut client());
        let mut slowest = Duration::ZERO;
        let half_open: Vec<Bare> = (0..HALF_OPEN)
            .map(|number| {
                let mut bare = trial.silent();
                // None of them reads.
                bare.say(&hello[..hello.len() * (number % 5) / 4]);
                if number % 20 == 0 {
                    let start = Instant::now();
                    good.exchange(&trial.ours, "among half-open ones");
                    slowest = slowest.max(start.elapsed());
                }
                bare
            })
            .collect();
        assert!(slowest < BUSY, "an exchange took {slowest:?}");
        good.vanish(false);
        trial.ours.has_peers(0);
        let start = Instant::now();
        let mut next = trial.guest();
        next.exchange(&trial.ours, "behind half-open ones");
        let took = start.elapsed();
        assert!(took < BUSY, "one more had to wait {took:?}");
        next.vanish(false);
        eventually("the half-open ones are closed", || descriptors() == trial.descriptors + half_open.len());
        drop(half_open);
        trial.is_left_alone("half-open handshakes");
        trial.serves_a_good_client("half-open handshakes");
        let grown = allocated().saturating_sub(before);
        assert!(grown < HALF_OPEN * 500, "{grown} bytes more");
    });
}

/// Without descriptors peers wait, and are let in when there are some.
#[test]
fn without_descriptors_peers_wait() {
    alone(|| {
        let mut trial = Trial::of(Over::Tls, PULL, false);
        let sockets: Vec<_> = (0..30).map(|_| Bare::socket(trial.ours.place())).collect();
        let limit = limit_descriptors(descriptors() as u64 + 5);
        let accepted = trial.ours.statistic(ACCEPTED);
        let hello = first_words(&mut client());
        let waiting: Vec<Bare> = sockets
            .into_iter()
            .map(|socket| {
                let mut bare = Bare::by(socket, trial.visited());
                bare.say(&hello);
                bare
            })
            .collect();
        eventually("some are let in", || trial.ours.statistic(ACCEPTED) >= accepted + 5);
        assert!(trial.ours.statistic(ACCEPTED) < accepted + 30, "there are descriptors enough");
        limit_descriptors(limit);
        let mut good: Peer = trial.guest();
        good.exchange(&trial.ours, "there are some");
        good.vanish(false);
        drop(waiting);
        trial.recovers("descriptors that were short");
    });
}

/// The limit that was.
fn limit_descriptors(to: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is there.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        let was = std::mem::replace(&mut limit.rlim_cur, to);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
        was
    }
}
