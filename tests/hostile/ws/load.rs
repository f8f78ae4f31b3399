//! Time and memory.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::ours::{Ours, Over::Ws, PAIR, PULL, RCVMAXSIZE, SOL_SOCKET, alone, memory};
use crate::peers::ws::{BINARY, CONTINUATION, MASK, PING, PONG, Raw, TEXT, frame, get, headers};
use crate::peers::{Server, Speaks};
use crate::trial::Trial;
use crate::{LATE, PATIENCE};

/// How long both sides wait for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Peers that connect and say nothing, or not enough, are given five seconds, and are in nobody's way.
#[test]
fn a_handshake_has_five_seconds() {
    let pair = Ours::listening(Ws, PAIR);
    let start = Instant::now();
    let whole = get(&headers("pair"));
    let mut idle: Vec<Raw> = (0..40)
        .map(|i| {
            let mut raw = Raw::to(pair.place());
            raw.say(&whole[..i * (whole.len() - 1) / 39]);
            raw
        })
        .collect();
    // A byte now and then does not buy more time.
    let dripping = {
        let mut raw = Raw::to(pair.place());
        let whole = whole.clone();
        thread::spawn(move || {
            let pause = Duration::from_millis(200);
            raw.0.set_read_timeout(Some(pause)).expect("a pause");
            for byte in whole.chunks(1) {
                let mut more = [0];
                match raw.0.write_all(byte).and_then(|()| raw.0.read(&mut more)) {
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                    _ => break,
                }
            }
            start.elapsed()
        })
    };
    let silent_server = thread::spawn(|| {
        let server = Server::listen(Ws);
        let pair = server.connecting(PAIR);
        let mut peer = server.stranger();
        peer.head();
        let start = Instant::now();
        assert!(peer.end().is_empty());
        let took = start.elapsed();
        server.serves(&pair, "after a silent server");
        took
    });
    pair.serves_a_good_client("while others wait");
    for raw in &mut idle {
        assert!(raw.end().is_empty());
        let took = start.elapsed();
        assert!(took > HANDSHAKE - Duration::from_millis(500) && took < HANDSHAKE + LATE, "closed after {took:?}");
    }
    for took in [dripping.join().expect("it drips"), silent_server.join().expect("it is silent")] {
        assert!(took > HANDSHAKE - Duration::from_secs(1) && took < HANDSHAKE + LATE, "closed after {took:?}");
    }
    pair.serves_a_good_client("after all of them");
}

/// More than the socket takes, as over tcp and ipc.
#[test]
fn floods_take_no_memory() {
    alone(|| {
        const TOTAL: usize = 12 << 20;
        Trial::each(Ws, |trial| {
            let burst = frame(BINARY, true, &[&[0x80, 0, 0, 1][..], &[b'f'; 1000]].concat(), MASK).repeat(100);
            let mut client = trial.client();
            client.0.set_write_timeout(Some(Duration::from_millis(100))).expect("an option");
            let mut sent = 0;
            while sent < TOTAL && client.0.write_all(&burst).is_ok() {
                sent += burst.len();
            }
            let grown = memory().resident.saturating_sub(trial.resident);
            assert!(grown < crate::trial::SLACK, "{grown} bytes for a flood of {sent}");
            client.vanish(true);
            trial.recovers("a flood");
        });
    });
}

/// A peer that sends PINGs and never reads: its PONGs are not hoarded.
#[test]
fn a_flood_of_pings_takes_no_memory() {
    const TOTAL: usize = 256 << 20;
    let pair = Ours::listening(Ws, PAIR);
    let mut client = Raw::client(pair.place(), "pair");
    let burst = frame(PING, true, &[b'p'; 125], MASK).repeat(1000);
    let before = memory().resident;
    for _ in 0..TOTAL / burst.len() {
        client.say(&burst);
    }
    // Everything before this was taken.
    client.say(&frame(BINARY, true, b"was that all?", MASK));
    assert_eq!(pair.recv(0).as_deref(), Some(&b"was that all?"[..]));
    // Others run in this process too.
    let grown = memory().resident.saturating_sub(before);
    assert!(grown < TOTAL / 2, "{grown} bytes more");
    client.vanish(true);
    pair.serves_a_good_client("flood");
}

/// What small and empty pieces cost grows with their number, not with its square: a copy of the whole for each piece would be
/// 32 GB here.
#[test]
fn small_pieces_take_little_time_and_memory() {
    const PIECES: usize = 65_536;
    alone(|| {
        for (opcode, piece) in
            [(BINARY, &[b'x'; 16][..]), (TEXT, "\u{1f600}\u{1f600}\u{e9}\u{e9}\u{e9}\u{e9}".as_bytes())]
        {
            let pair = Ours::listening(Ws, PAIR);
            let mut client = Raw::client(pair.place(), "pair");
            let (first, middle) = (frame(opcode, false, piece, MASK), frame(CONTINUATION, false, piece, MASK));
            let whole = [first, middle.repeat(PIECES - 2), frame(CONTINUATION, true, piece, MASK)].concat();
            let (before, start) = (memory().resident, processor_time());
            let sender = thread::spawn(move || {
                client.say(&whole);
                client
            });
            assert_eq!(pair.recv(0), Some(piece.repeat(PIECES)));
            let (took, grown) = (processor_time() - start, memory().resident.saturating_sub(before));
            assert!(took < Duration::from_secs(2), "{took:?}");
            assert!(grown < 16 << 20, "{grown} bytes more");
            sender.join().expect("it sends").leave();
        }
    });
}

/// That this process has used.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("procfs");
    // Behind the name, which may have anything in it: the 14th and the 15th field, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(10 * ticks)
}

/// A length is a promise, not a fact: memory is taken for what has come.
#[test]
fn announced_lengths_take_no_memory() {
    const PEERS: usize = 200;
    let pull = Ours::listening(Ws, PULL);
    pull.set(SOL_SOCKET, RCVMAXSIZE, 100 << 20);
    let before = memory().reserved;
    let mut liars: Vec<Raw> = (0..PEERS).map(|_| Raw::client(pull.place(), "pull")).collect();
    for liar in &mut liars {
        liar.say(&[&[0x82, 0xff][..], &(100u64 << 20).to_be_bytes(), &[0; 4], &[b'x'; 10_000]].concat());
    }
    let mut honest = Raw::client(pull.place(), "pull");
    honest.say(&frame(BINARY, true, b"work", MASK));
    assert_eq!(pull.recv(0).as_deref(), Some(&b"work"[..]));
    // Memory that is not touched yet counts here: so do the stacks and arenas of other tests' threads.
    let grown = memory().reserved.saturating_sub(before);
    assert!(grown < PEERS * (100 << 20) / 2, "{grown} bytes more for {PEERS} peers");
}

/// Q-R32: the slot of a PAIR is free as soon as its peer is gone.
#[test]
fn thousands_of_short_visits_leave_the_door_open() {
    let pair = Ours::listening(Ws, PAIR);
    for i in 0..3000 {
        let mut client = Raw::to(pair.place());
        client.say(&get(&headers("pair")));
        if i % 3 == 0 {
            client.head();
        }
        client.vanish(i % 2 == 0);
    }
    // Some of them may still wait in the queue.
    let until = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < until, "it serves nobody");
        let mut client = Raw::to(pair.place());
        client.say(&get(&headers("pair")));
        if client.head().starts_with("HTTP/1.1 503 ") {
            continue;
        }
        client.say(&frame(PING, true, b"", MASK));
        if client.try_hear().is_ok_and(|(opcode, _)| opcode == PONG) {
            client.exchange(&pair, "after thousands");
            break client.leave();
        }
    }
}
