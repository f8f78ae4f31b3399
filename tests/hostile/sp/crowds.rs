//! Many peers, and what they leave behind.

use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::ours::{
    ACCEPTED, CURRENT, DONTWAIT, Ours, Over, PAIR, PULL, PUSH, RCVBUF, SOL_SOCKET, alone, descriptors, eventually,
    memory,
};
use crate::peers::Speaks;
use crate::peers::sp::{Peer, frame, greeting, peer_of};
use crate::trial::Trial;

/// 2,000 that come and go, at whatever point of a connection's life.
#[test]
fn thousands_of_short_visits_leave_nothing() {
    alone(|| {
        for over in [Over::Tcp, Over::Ipc] {
            Trial::each(over, |trial| {
                let visits = if trial.ours.protocol == PAIR { 2000 } else { 200 };
                let hello = greeting(peer_of(trial.ours.protocol));
                let whole = [&hello[..], &frame(over, [&[0x80, 0, 0, 1], b"bye"])].concat();
                for i in 0..visits {
                    let mut peer = trial.stranger();
                    peer.say(&whole[..[0, 4, 8, 12, whole.len()][i % 5]]);
                    // A PAIR greets one that says nothing only after a while.
                    if i % 7 == 0 && (i % 5 >= 2 || i % 70 == 0) {
                        let _ = peer.read(8);
                    }
                    peer.vanish(i % 2 == 0);
                }
                // Who is greeted now has come behind all of them. How many there were is known then: a reset may take a
                // connection away before it is accepted.
                eventually("the last one is greeted", || {
                    let mut last = trial.stranger();
                    last.say(&hello);
                    let greeted = last.read(8).is_ok();
                    last.vanish(false);
                    greeted
                });
                // Looked at before it is received: what they have left holds no descriptor, and a PAIR's place is free.
                eventually("their descriptors are closed", || descriptors() == trial.descriptors);
                if trial.ours.protocol == PAIR {
                    let mut next = trial.guest();
                    trial.ours.send(b"welcome");
                    assert_eq!(next.recv(), b"welcome");
                    next.vanish(false);
                }
                eventually("they are gone", || {
                    trial.ours.drain();
                    descriptors() == trial.descriptors && trial.ours.statistic(CURRENT) == 0
                });
                trial.visits = trial.ours.statistic(ACCEPTED);
                trial.recovers("thousands");
            });
        }
    });
}

/// A guest that leaves a message, right behind its greeting, and ends its side.
fn leaves_a_message(trial: &mut Trial, number: u32) -> Peer {
    let mut peer = trial.stranger();
    peer.say(&[&greeting(PUSH)[..], &frame(trial.over, [&number.to_be_bytes(), &[b'm'; 96]])].concat());
    let _ = peer.0.shutdown(Shutdown::Write);
    peer
}

fn received(ours: &Ours, count: u32) {
    let mut numbers: Vec<u32> = (0..count)
        .map(|_| ours.recv(0).and_then(|body| Some(u32::from_be_bytes(*body.first_chunk()?))).expect("a number"))
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..count), "one is missing, or came twice");
    assert_eq!(ours.recv(DONTWAIT), None);
}

/// What a peer has left waits without the peer's descriptor.
#[test]
fn unread_messages_keep_no_descriptors() {
    alone(|| {
        for over in [Over::Tcp, Over::Ipc, Over::Tls] {
            let mut trial = Trial::of(over, PULL, false);
            for number in 0..300 {
                let mut peer = leaves_a_message(&mut trial, number);
                assert_eq!(peer.end(), greeting(PULL));
            }
            eventually("their descriptors are closed", || descriptors() == trial.descriptors);
            eventually("they are not counted", || trial.ours.statistic(CURRENT) == 0);
            received(&trial.ours, 300);
            trial.recovers("peers that left messages");
        }
    });
}

/// Takes what there is; says how much that was. The oldest is there, and nothing twice.
fn left(ours: &Ours) -> usize {
    let mut numbers = Vec::new();
    while let Some(body) = ours.recv(DONTWAIT) {
        numbers.push(u32::from_be_bytes(*body.first_chunk().expect("a number")));
    }
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count, "one came twice");
    count
}

/// What too many have left is dropped, but keeps nobody out: 64 times NN_RCVBUF, each with half a KiB more than its
/// messages.
#[test]
fn what_gone_peers_leave_unread_is_bounded() {
    alone(|| {
        const VISITS: u32 = 2000;
        for over in [Over::Tcp, Over::Ipc] {
            let mut trial = Trial::of(over, PULL, false);
            trial.ours.set(SOL_SOCKET, RCVBUF, 4096);
            let peers: Vec<Peer> = (0..VISITS).map(|number| leaves_a_message(&mut trial, number)).collect();
            eventually("all are let in", || trial.ours.statistic(ACCEPTED) >= u64::from(VISITS));
            eventually("and gone", || trial.ours.statistic(CURRENT) == 0);
            let left = left(&trial.ours);
            assert!((300..700).contains(&left), "{left} messages were kept");
            drop(peers);
            trial.recovers("a crowd that left messages");
        }
    });
}

/// The same inside of one process.
#[test]
fn what_gone_neighbours_leave_unread_is_bounded() {
    alone(|| {
        let pull = Ours::open(PULL, false);
        pull.set(SOL_SOCKET, RCVBUF, 4096);
        pull.bind_inproc("crowd");
        let before = memory().resident;
        for number in 0..5000u32 {
            let push = Ours::open(PUSH, false);
            push.connect_inproc("crowd");
            let body = [&number.to_be_bytes()[..], &[b'm'; 96]].concat();
            assert!(push.try_send(&body), "{number} is kept out");
        }
        let grown = memory().resident.saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes");
        let left = left(&pull);
        assert!((300..1000).contains(&left), "{left} messages were kept");
    });
}

/// nn_shutdown of the endpoint takes along what its peers have left.
#[test]
fn an_endpoint_that_ends_frees_what_gone_peers_left() {
    alone(|| {
        for over in [Over::Tcp, Over::Ipc] {
            let trial = Trial::of(over, PULL, false);
            let before = memory().resident;
            for _ in 0..20 {
                let place = crate::ours::Place::new(over);
                let endpoint = trial.ours.bind_to(&place);
                for _ in 0..10 {
                    let mut peer = Peer::to(&place);
                    peer.say(&greeting(PUSH));
                    peer.send(b"", &[b'l'; 100_000]);
                    let _ = peer.0.shutdown(Shutdown::Write);
                    assert_eq!(peer.end(), greeting(PULL));
                }
                trial.ours.shutdown(endpoint);
                trial.ours.is_alone();
            }
            eventually("their descriptors are closed", || descriptors() == trial.descriptors);
            let grown = memory().resident.saturating_sub(before);
            assert!(grown < crate::trial::SLACK, "{grown} bytes more");
        }
    });
}

/// Descriptors that a peer sends along are not taken.
#[test]
fn descriptors_sent_along_are_not_taken() {
    alone(|| {
        let mut trial = Trial::of(Over::Ipc, PULL, false);
        let mut peer = trial.guest();
        let gift: OwnedFd = std::fs::File::open("/dev/null").expect("a file").into();
        for _ in 0..50 {
            give(&peer, &gift, &frame(Over::Ipc, [b"", b"with a gift"]));
            assert_eq!(trial.ours.recv(0).as_deref(), Some(&b"with a gift"[..]));
        }
        // The peer's end, ours of it, and the gift itself.
        eventually("no gift is kept", || descriptors() == trial.descriptors + 3);
        peer.exchange(&trial.ours, "gifts");
        peer.vanish(false);
        drop(gift);
        trial.recovers("gifts");
    });
}

pub(super) fn give(peer: &Peer, gift: &OwnedFd, bytes: &[u8]) {
    const ROOM: usize = 64;
    let mut control = [0u64; ROOM / 8];
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: the header describes `part` and `control`, which outlive the call; ROOM is enough for one descriptor.
    let sent = unsafe {
        let size = size_of::<libc::c_int>() as libc::c_uint;
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size) as usize;
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        ((*head).cmsg_level, (*head).cmsg_type) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
        (*head).cmsg_len = libc::CMSG_LEN(size) as usize;
        libc::CMSG_DATA(head).cast::<libc::c_int>().write_unaligned(gift.as_raw_fd());
        libc::sendmsg(peer.0.as_raw_fd(), &raw const message, 0)
    };
    assert_eq!(sent, bytes.len() as isize);
}
