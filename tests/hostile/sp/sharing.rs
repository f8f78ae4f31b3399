//! Peers that agree to pass large messages by reference (docs/shared-memory.md), and lie.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use crate::ours::{DONTWAIT, Ours, Over, PULL, PUSH, alone, descriptors, eventually, memory};
use crate::peers::Speaks;
use crate::peers::sp::{Peer, frame, greeting, peer_of};
use crate::sp::crowds::give;
use crate::trial::{SLACK, Trial};

const PAGE: usize = 4096;
const SEGMENT: usize = 1 << 20;
const SEALS: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// Words of the page.
const FIRST_SLOT: usize = 64;
const SLOTS: u32 = 960;

fn memory_of(size: usize, seals: libc::c_int) -> OwnedFd {
    // SAFETY: the name ends with a NUL; the rest are numbers, and the descriptor is nobody else's.
    let file = unsafe {
        let number = libc::memfd_create(c"lies".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
        assert!(number >= 0, "memfd_create: {}", io::Error::last_os_error());
        OwnedFd::from_raw_fd(number)
    };
    let file = File::from(file);
    file.set_len(size as u64).expect("a size");
    // SAFETY: numbers.
    assert!(seals == 0 || unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } == 0);
    file.into()
}

fn sealed(size: usize) -> OwnedFd {
    memory_of(size, SEALS)
}

fn control(kind: u8, payload: &[&[u8]]) -> Vec<u8> {
    let payload = payload.concat();
    [&[kind][..], &(payload.len() as u64).to_be_bytes(), &payload].concat()
}

fn handed(number: u32, length: u64) -> Vec<u8> {
    control(4, &[&number.to_be_bytes(), &length.to_be_bytes()])
}

fn reference([slot, number, segment]: [u32; 3], [offset, length]: [u64; 2], header: &[u8]) -> Vec<u8> {
    let words = [slot, number, segment].map(u32::to_be_bytes).concat();
    control(6, &[&words, &offset.to_be_bytes(), &length.to_be_bytes(), header])
}

/// A peer that has given the sign, and been given it.
fn sharer(trial: &mut Trial) -> Peer {
    let peer = Peer::to(trial.visited());
    agree(peer, &trial.ours)
}

fn agree(mut peer: Peer, ours: &Ours) -> Peer {
    give(&peer, &sealed(1), &greeting(peer_of(ours.protocol)));
    assert_eq!(peer.read(8).expect("a greeting"), greeting(ours.protocol));
    peer
}

/// Asks, hands over memory, and says whether it was taken.
fn hand(peer: &mut Peer, number: u32, length: u64, descriptor: Option<&OwnedFd>) -> bool {
    let frame = handed(number, length);
    match descriptor {
        Some(descriptor) => give(peer, descriptor, &frame),
        None => peer.say(&frame),
    }
    let answer = peer.read(14).expect("an answer");
    assert_eq!(answer[..13], control(5, &[&number.to_be_bytes(), &[0]])[..13]);
    answer[13] == 1
}

fn asks(peer: &mut Peer) {
    peer.say(&control(2, &[]));
    assert_eq!(peer.read(9).expect("an answer"), control(3, &[]));
}

/// One to whom a page and a segment belong.
fn lender(trial: &mut Trial) -> (Peer, File, File) {
    let mut peer = sharer(trial);
    asks(&mut peer);
    let (page, segment) = (sealed(PAGE), sealed(SEGMENT));
    assert!(hand(&mut peer, 0, PAGE as u64, Some(&page)));
    assert!(hand(&mut peer, 1, SEGMENT as u64, Some(&segment)));
    (peer, page.into(), segment.into())
}

fn word(page: &File, index: usize) -> u32 {
    let mut bytes = [0; 4];
    page.read_exact_at(&mut bytes, index as u64 * 4).expect("a word");
    u32::from_ne_bytes(bytes)
}

/// A reference is a message: with its bytes, and given back when it was received.
#[test]
fn references_are_messages_and_are_given_back() {
    alone(|| {
        let mut trial = Trial::of(Over::Ipc, PULL, false);
        let (mut peer, page, segment) = lender(&mut trial);
        segment.write_all_at(&[7; 50_000], 8192).expect("room");
        for number in 1..100 {
            peer.say(&reference([number % SLOTS, number, 1], [8192, 50_000], b""));
            assert_eq!(trial.ours.recv(0), Some(vec![7; 50_000]));
            let slot = FIRST_SLOT + (number % SLOTS) as usize;
            eventually("it is given back", || word(&page, slot) == number);
            assert_eq!(word(&page, 0), number, "and counted");
        }
        // The frame of a header, and bytes that change once they were sent.
        peer.say(&reference([1, 200, 1], [500_000, 20_000], b"head"));
        segment.write_all_at(&[9; 20_000], 500_000).expect("room");
        assert_eq!(trial.ours.recv(0).map(|body| body.len()), Some(20_004));
        // Small ones, and nothing at all.
        for length in [0, 1, 104, 105] {
            peer.say(&reference([2, 300, 1], [8192, length], b""));
            assert_eq!(trial.ours.recv(0), Some(vec![7; length as usize]));
        }
        peer.exchange(&trial.ours, "references");
        peer.vanish(false);
        drop((page, segment));
        trial.recovers("references");
    });
}

#[test]
fn lies_about_references_end_their_connection() {
    let whole = SEGMENT as u64;
    let lies: Vec<(&str, Vec<u8>)> = vec![
        ("another segment", reference([1, 1, 2], [0, 100], b"")),
        ("the page as a segment", reference([1, 1, 0], [0, 100], b"")),
        ("behind the end", reference([1, 1, 1], [whole, 1], b"")),
        ("across the end", reference([1, 1, 1], [whole - 10, 11], b"")),
        ("more than all", reference([1, 1, 1], [1, whole], b"")),
        ("a sum that overflows", reference([1, 1, 1], [u64::MAX, 2], b"")),
        ("a length that overflows", reference([1, 1, 1], [100, u64::MAX - 50], b"")),
        ("no such slot", reference([SLOTS, 1, 1], [0, 100], b"")),
        ("the last number as a slot", reference([u32::MAX, 1, 1], [0, 100], b"")),
        ("no number", reference([1, 0, 1], [0, 100], b"")),
        ("a long header", reference([1, 1, 1], [0, 100], &[0; 1025])),
        ("a short frame", control(6, &[&[0; 27]])),
        ("an absurd frame", [&[6][..], &u64::MAX.to_be_bytes()].concat()),
        ("a forgotten segment", [control(8, &[&1_u32.to_be_bytes()]), reference([1, 1, 1], [0, 100], b"")].concat()),
        ("a question twice", control(2, &[])),
        ("an answer to nothing", control(3, &[])),
        ("a page that nobody has handed over", control(5, &[&0_u32.to_be_bytes(), &[1]])),
        ("another kind", control(9, &[])),
    ];
    alone(move || {
        let mut trial = Trial::of(Over::Ipc, PULL, false);
        for (name, bytes) in &lies {
            let (mut peer, page, segment) = lender(&mut trial);
            peer.say(bytes);
            assert!(peer.end().is_empty(), "{name}: it says something before it goes");
            peer.vanish(false);
            drop((page, segment));
            assert_eq!(trial.ours.recv(DONTWAIT), None, "{name}");
            trial.recovers(name);
        }
        // Half of a frame, and none behind it.
        for cut in [1, 8, 9, 20, 36] {
            let (mut peer, page, segment) = lender(&mut trial);
            peer.say(&reference([1, 1, 1], [0, 100], b"")[..cut]);
            peer.vanish(false);
            drop((page, segment));
            trial.recovers("half a reference");
        }
    });
}

#[test]
fn a_reference_is_held_to_the_limit() {
    alone(|| {
        let mut trial = Trial::of(Over::Ipc, PULL, false);
        trial.ours.set(crate::ours::SOL_SOCKET, crate::ours::RCVMAXSIZE, 50_000);
        let (mut peer, page, segment) = lender(&mut trial);
        peer.say(&reference([1, 1, 1], [0, 50_000], b""));
        assert_eq!(trial.ours.recv(0).map(|body| body.len()), Some(50_000));
        peer.say(&reference([1, 2, 1], [0, 50_001], b""));
        assert!(peer.end().is_empty());
        peer.vanish(false);
        drop((page, segment));
        trial.recovers("one byte too many");
    });
}

/// What could be made smaller, or is not what was told, is not mapped.
#[test]
fn memory_that_could_harm_is_refused() {
    alone(|| {
        let mut trial = Trial::of(Over::Ipc, PULL, false);
        let mut peer = sharer(&mut trial);
        asks(&mut peer);
        let page = sealed(PAGE);
        let of = |seals| memory_of(PAGE, seals);
        assert!(!hand(&mut peer, 1, PAGE as u64, Some(&sealed(PAGE))), "a segment before the page");
        for (name, wrong) in [
            ("no seals", of(0)),
            ("it can shrink", of(SEALS & !libc::F_SEAL_SHRINK)),
            ("it can grow", of(SEALS & !libc::F_SEAL_GROW)),
            ("it is smaller", sealed(PAGE - 1)),
            ("it is larger", sealed(2 * PAGE)),
            ("a file", tempfile::tempfile().expect("a file").into()),
            ("a device", File::open("/dev/zero").expect("it").into()),
        ] {
            assert!(!hand(&mut peer, 0, PAGE as u64, Some(&wrong)), "{name}");
        }
        assert!(!hand(&mut peer, 0, PAGE as u64, None), "nothing");
        assert!(hand(&mut peer, 0, PAGE as u64, Some(&page)));
        assert!(!hand(&mut peer, 0, PAGE as u64, Some(&page)), "twice");
        assert!(!hand(&mut peer, 1, 0, Some(&sealed(0))), "nothing");
        assert!(!hand(&mut peer, 1, u64::MAX, Some(&sealed(PAGE))), "all there is");
        assert!(!hand(&mut peer, 1, 2 * PAGE as u64, Some(&sealed(PAGE))), "another size");
        // So many, and no more.
        let segment = sealed(PAGE);
        let taken = (1..=400).filter(|&number| hand(&mut peer, number, PAGE as u64, Some(&segment))).count();
        assert_eq!(taken, 256);
        assert!(!hand(&mut peer, 7, PAGE as u64, Some(&segment)), "a number twice");
        peer.exchange(&trial.ours, "memory");
        peer.vanish(false);
        drop((page, segment));
        trial.recovers("memory");
    });
}

/// Nobody who has not agreed can say such things, nor is what they give along kept.
#[test]
fn without_the_sign_nothing_is_agreed() {
    alone(|| {
        let mut trial = Trial::of(Over::Ipc, PULL, false);
        let signs: [fn() -> OwnedFd; 4] =
            [|| memory_of(1, 0), || sealed(2), || sealed(0), || File::open("/dev/null").expect("it").into()];
        for make in signs {
            let sign = make();
            let mut peer = Peer::to(trial.visited());
            give(&peer, &sign, &greeting(PUSH));
            assert_eq!(peer.read(8).expect("a greeting"), greeting(PULL));
            peer.exchange(&trial.ours, "another sign");
            peer.say(&control(2, &[]));
            assert!(peer.end().is_empty());
            peer.vanish(false);
            drop(sign);
            trial.recovers("another sign");
        }
    });
}

#[test]
fn floods_of_descriptors_are_not_kept() {
    alone(|| {
        let mut trial = Trial::of(Over::Ipc, PULL, false);
        let (mut peer, page, segment) = lender(&mut trial);
        let gift = sealed(PAGE);
        let before = descriptors();
        for _ in 0..4 {
            give(&peer, &gift, &frame(Over::Ipc, [b"", b"with a gift"]));
            assert_eq!(trial.ours.recv(0).as_deref(), Some(&b"with a gift"[..]));
        }
        assert!(descriptors() <= before + 4);
        // One more is too much.
        give(&peer, &gift, &frame(Over::Ipc, [b"", b"with a gift"]));
        peer.end();
        peer.vanish(false);
        drop((page, segment, gift));
        trial.ours.drain();
        trial.recovers("gifts");
    });
}

/// What is never taken, never read, or asked for without end costs no memory.
#[test]
fn who_asks_without_end_and_does_not_read_is_left() {
    alone(|| {
        let mut trial = Trial::of(Over::Ipc, PULL, false);
        let (mut peer, page, segment) = lender(&mut trial);
        let start = memory().resident;
        let flood: Vec<u8> = (0..1000).flat_map(|_| handed(9, 1)).collect();
        let mut said = 0;
        while io::Write::write_all(&mut peer.0, &flood).is_ok() {
            said += 1;
            assert!(said < 10_000, "it goes on listening");
        }
        assert!(memory().resident < start + SLACK);
        peer.vanish(false);
        drop((page, segment));
        trial.recovers("questions");
    });
}

/// A reader that lies: our PUSH sends to it by reference.
#[test]
fn readers_that_lie_hurt_nobody_else() {
    alone(|| {
        let mut trial = Trial::of(Over::Ipc, PUSH, false);
        let body = vec![5; 40_000];
        let mut peer = sharer(&mut trial);
        trial.ours.send(&body);
        assert_eq!(peer.read(9).expect("a question"), control(2, &[]));
        assert_eq!(peer.recv(), body, "behind it the message itself");
        peer.say(&control(3, &[]));
        eventually("a page comes, and the message behind it", || {
            trial.ours.send(&body);
            let kind = peer.read(1).expect("a frame")[0];
            let length = peer.read(8).expect("a length");
            let length = u64::from_be_bytes(length.try_into().expect("eight bytes")) as usize;
            peer.read(length).expect("the rest");
            kind == 4
        });
        assert_eq!(peer.recv(), body);
        // It has refused the page: everything goes over the stream.
        peer.say(&control(5, &[&0_u32.to_be_bytes(), &[0]]));
        for _ in 0..20 {
            trial.ours.send(&body);
            assert_eq!(peer.recv(), body);
        }
        // It says that it has taken what it was never sent, and has mapped what it was never handed.
        for _ in 0..100 {
            peer.say(&control(7, &[]));
            peer.say(&control(5, &[&9_u32.to_be_bytes(), &[1]]));
        }
        trial.ours.send(&body);
        assert_eq!(peer.recv(), body);
        peer.vanish(false);
        trial.recovers("refusals");
    });
}
