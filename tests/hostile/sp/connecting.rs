//! Our sockets dial those who are wrong: they come back, and bring nothing along from the connection before.

use crate::ours::{BROKEN, DONTWAIT, Over, REQ, SURVEYOR, alone, descriptors, memory};
use crate::peers::sp::{Peer, frame, greeting, head, peer_of};
use crate::peers::{Server, Speaks, TYPES};

/// What a server says to whoever connects, instead of what it should; and whether that alone is reason to leave it.
fn bad_servers(over: Over, protocol: i32) -> Vec<(&'static str, Vec<u8>, bool)> {
    let good = greeting(peer_of(protocol));
    let forged = [&good[..], &frame(over, [&[0x80, 0, 0, 1], b"forged"])].concat();
    let mut version = good;
    version[3] = 1;
    let wrong = greeting(if protocol == peer_of(protocol) { 1 } else { protocol });
    vec![
        ("nothing", vec![], false),
        ("half a greeting", good[..5].to_vec(), false),
        ("another version", version.to_vec(), true),
        ("its own type", wrong.to_vec(), true),
        ("its own type, and a message", [&wrong[..], &frame(over, [&[0x80, 0, 0, 1], b"forged"])].concat(), true),
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), true),
        ("noise, and a forged connection", [&[0xff; 8][..], &forged].concat(), true),
        ("too long a message, and a forged connection", [&good[..], &head(over, u64::MAX), &forged].concat(), true),
        ("half a message", [&good[..], &head(over, 100), b"half"].concat(), false),
    ]
}

fn servers(over: Over) {
    for (protocol, _) in TYPES {
        let server = Server::listen(over);
        let ours = server.connecting(protocol);
        let mut first = Peer::accepted(over, &server);
        first.greet(protocol);
        first.exchange(&ours, "before");
        let (held, resident) = (descriptors(), memory().resident);
        first.vanish(false);
        let mut broken = 1;
        for (name, bytes, refused) in bad_servers(over, protocol) {
            for reset in [false, true] {
                let mut peer = Peer::accepted(over, &server);
                peer.say(&bytes);
                // A reset of ours may come before our greeting.
                if refused {
                    peer.end();
                } else {
                    let _ = peer.read(8);
                }
                peer.vanish(reset);
                broken += 1;
                let mut good = Peer::accepted(over, &server);
                good.greet(protocol);
                assert_eq!(ours.statistic(BROKEN), broken, "{name}");
                ours.has_peers(1);
                assert_eq!(ours.recv(DONTWAIT), None, "{name}: something was left over");
                good.exchange(&ours, name);
                assert_eq!(ours.recv(DONTWAIT), None, "{name}: something was left over");
                assert_eq!(descriptors(), held, "{name}");
                good.vanish(reset);
                broken += 1;
            }
        }
        let grown = memory().resident.saturating_sub(resident);
        assert!(grown < crate::trial::SLACK, "{grown} bytes more");
    }
}

#[test]
fn wrong_servers_are_left_and_dialled_again_over_tcp() {
    alone(|| servers(Over::Tcp));
}

#[test]
fn wrong_servers_are_left_and_dialled_again_over_tls() {
    alone(|| servers(Over::Tls));
}

#[test]
fn wrong_servers_are_left_and_dialled_again_over_ipc() {
    alone(|| servers(Over::Ipc));
}

/// Where a request's id starts is nobody's to guess, nor is it where another socket's is.
#[test]
fn ids_start_anywhere() {
    const SOCKETS: usize = 20;
    for protocol in [REQ, SURVEYOR] {
        let mut ids: Vec<u32> = (0..SOCKETS)
            .map(|_| {
                let server = Server::listen(Over::Tcp);
                let ours = server.connecting(protocol);
                let mut peer = Peer::accepted(Over::Tcp, &server);
                peer.greet(protocol);
                ours.has_peers(1);
                ours.send(b"");
                u32::from_be_bytes(*peer.recv().first_chunk().expect("an id"))
            })
            .collect();
        ids.sort_unstable();
        assert!(ids.iter().all(|id| id >> 31 == 1));
        // Twenty of 2^31: two within a thousand of each other are a matter of 1 in 5,000.
        let close = ids.windows(2).filter(|pair| pair[1] - pair[0] < 1000).count();
        assert!(close < 3, "{ids:x?}");
    }
}
