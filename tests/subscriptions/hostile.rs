//! Subscribers who want to do harm.

use std::io::{Read, Write};

use nanomsg::{SocketType, Statistic};

use super::bytes::{agreed, tell};
use super::{
    address, count, memory, open, subscriber, wait_for_connections, wait_until, wait_until_filtered, wait_until_heard,
};

#[test]
fn topics_without_end_are_not_kept() {
    let (address, _) = address("tcp");
    let publisher = open(SocketType::Pub);
    publisher.bind(&address).unwrap();
    let friend = subscriber(&["a"]);
    friend.connect(&address).unwrap();
    wait_until_filtered(&publisher, 1);
    let before = memory();
    let mut hostile = agreed(&address);
    tell(&mut hostile, b"\x02");
    wait_until_filtered(&publisher, 2);
    // 200 MB of topics.
    let mut frames = Vec::new();
    for number in 0..100_000u32 {
        frames.clear();
        let topic = [&number.to_be_bytes()[..], &[7; 1996]].concat();
        frames.extend_from_slice(&2001u64.to_be_bytes());
        frames.push(1);
        frames.extend_from_slice(&topic);
        hostile.write_all(&frames).unwrap();
    }
    wait_until("it is sent everything", || {
        let before = count(&publisher, Statistic::MessagesFiltered);
        publisher.send("x").unwrap();
        count(&publisher, Statistic::MessagesFiltered) == before + 1
    });
    // And it is not read: the other subscriber does not suffer.
    for number in 0..10_000 {
        publisher.send(format!("a{number}")).unwrap();
        assert_eq!(friend.recv().unwrap(), format!("a{number}"));
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 120 * 1024, "{grown} kB");
}

#[test]
fn a_huge_frame_ends_the_connection_or_is_not_kept() {
    let (address, _) = address("tcp");
    let publisher = open(SocketType::Pub);
    publisher.bind(&address).unwrap();
    let mut long = agreed(&address);
    tell(&mut long, &[&[1][..], &[7; 500_000]].concat());
    tell(&mut long, b"\x02");
    let mut huge = agreed(&address);
    huge.write_all(&[0x7f; 8]).unwrap();
    assert_eq!(huge.read(&mut [0]).unwrap_or(0), 0, "it is sent away");
    wait_for_connections(&publisher, 1);
    publisher.send("everything").unwrap();
    let mut bytes = [0; 18];
    long.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes[8..], b"everything");
}

#[test]
fn noise_and_chains_of_prefixes_do_no_harm() {
    let (address, _) = address("tcp");
    let publisher = open(SocketType::Pub);
    publisher.bind(&address).unwrap();
    let friend = subscriber(&["a"]);
    friend.connect(&address).unwrap();
    wait_until_filtered(&publisher, 1);
    let mut hostile = agreed(&address);
    for frame in [&b""[..], b"\0", b"\0never", b"\x02", b"\x02", b"\x03x", b"\xff"] {
        tell(&mut hostile, frame);
    }
    wait_until_filtered(&publisher, 2);
    // Each topic below the one before: as deep as a tree can be.
    for length in 0..4000 {
        tell(&mut hostile, &[&[1][..], &vec![b'a'; length]].concat());
    }
    wait_until_heard(&publisher, &friend, &"a".repeat(5000));
    drop(hostile);
    wait_for_connections(&publisher, 1);
    wait_until_filtered(&publisher, 1);
    wait_until_heard(&publisher, &friend, "a1");
}
