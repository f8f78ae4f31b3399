//! What a connection takes, beside what the kernel has of it.

use std::fs;

use crate::ours::{CURRENT, DONTWAIT, Ours, Over, PULL, PUSH, Place, alone, eventually};

const CONNECTIONS: usize = 1000;

/// Most of it is rustls's, keys and certificates.
const IDLE: usize = 8 << 10;

/// Of those that have just carried 64 KiB.
const ACTIVE: usize = 8 << 10;

/// Bytes of the process that are in no file.
fn anonymous() -> usize {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("procfs");
    let line = rollup.lines().find(|line| line.starts_with("Anonymous:")).expect("a line");
    line.split_whitespace().nth(1).expect("a number").parse::<usize>().expect("a number") * 1024
}

/// Both ends are of this process.
#[test]
fn a_connection_takes_little_memory() {
    alone(|| {
        let (far, near) = (Ours::open(PULL, false), Ours::open(PUSH, false));
        let place = Place::new(Over::Tls);
        far.bind_to(&place);
        near.connect(&place);
        near.has_peers(1);
        let carries = |messages: usize| {
            let body = vec![b'm'; 64 << 10];
            for _ in 0..messages {
                while !near.try_send(&body) {
                    far.drain();
                }
                while far.recv(DONTWAIT).is_some() {}
            }
            far.drain();
        };
        carries(CONNECTIONS);
        let before = anonymous();
        let each = || anonymous().saturating_sub(before) / CONNECTIONS / 2;
        (1..CONNECTIONS).for_each(|_| near.connect_again(&place));
        eventually("all are connected", || {
            [&near, &far].iter().all(|ours| ours.statistic(CURRENT) == CONNECTIONS as u64)
        });
        let idle = each();
        assert!(idle <= IDLE, "{idle} bytes for each end of an idle connection");
        carries(3 * CONNECTIONS);
        let active = each();
        assert!(active <= ACTIVE, "{active} bytes for each end of an active connection");
    });
}
