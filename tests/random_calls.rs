//! Random calls from several threads, through the C functions: whatever is called when, each call comes back in time with
//! an answer that its manual page knows, no message comes twice or from nowhere, everything can be closed, and nothing is
//! left behind. Sequences that have failed once are kept in `random_calls.seeds`.

#![cfg(target_os = "linux")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "every pointer is of a variable that outlives the call")]

use std::collections::{HashMap, HashSet};
use std::ffi::{CString, c_int, c_short};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nanomsg::ffi::symbols::*;
use nanomsg::ffi::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use tempfile::TempDir;

/// Sockets of a thread alone, whose state it knows, and sockets that all threads use.
const OWN: usize = 2;
const SHARED: usize = 3;
const THREADS: usize = 3;

/// How long calls that wait do so, and how long any call may take on a busy machine.
const WAIT_MILLIS: c_int = 5;
const WAITS: [c_int; 3] = [NN_SNDTIMEO, NN_RCVTIMEO, NN_LINGER];
const PATIENCE: Duration = Duration::from_secs(20);

const TYPES: [c_int; 10] =
    [NN_PAIR, NN_PUB, NN_SUB, NN_REQ, NN_REP, NN_PUSH, NN_PULL, NN_SURVEYOR, NN_RESPONDENT, NN_BUS];

#[derive(Debug, Clone)]
enum Call {
    Socket { raw: bool, kind: usize },
    Close,
    Bind(usize),
    Connect(usize),
    Shutdown(c_int),
    Send { wait: bool, length: usize },
    Recv { wait: bool },
    Set { level: c_int, option: c_int, value: c_int },
    Get { level: c_int, option: c_int },
    Poll { events: c_short },
    Statistic(c_int),
}

fn call() -> impl Strategy<Value = Call> {
    let level = || prop_oneof![3 => Just(0), 1 => prop::sample::select(&TYPES[..]), 1 => -5..3_i32];
    prop_oneof![
        3 => (prop::bool::weighted(0.2), 0..TYPES.len()).prop_map(|(raw, kind)| Call::Socket { raw, kind }),
        1 => Just(Call::Close),
        2 => (0..ADDRESSES).prop_map(Call::Bind),
        3 => (0..ADDRESSES).prop_map(Call::Connect),
        1 => (-1..4_i32).prop_map(Call::Shutdown),
        6 => (any::<bool>(), prop_oneof![0..100_usize, 0..70_000_usize])
            .prop_map(|(wait, length)| Call::Send { wait, length }),
        6 => any::<bool>().prop_map(|wait| Call::Recv { wait }),
        2 => (level(), 0..20_i32, prop_oneof![-2..20_i32, any::<c_int>()])
            .prop_map(|(level, option, value)| Call::Set { level, option, value }),
        1 => (level(), 0..20_i32).prop_map(|(level, option)| Call::Get { level, option }),
        1 => (0..4_i16).prop_map(|events| Call::Poll { events }),
        1 => prop_oneof![100..110_i32, 200..430_i32].prop_map(Call::Statistic),
    ]
}

const ADDRESSES: usize = 9;

/// What all threads of one case share.
struct Stage {
    addresses: Vec<CString>,
    shared: [AtomicI32; SHARED],
    /// Messages that were accepted or may be, by number, and those received, by handle.
    next: AtomicU32,
    received: Mutex<HashSet<(u64, u32)>>,
    /// Makes handles that are used again into different sockets.
    lives: Mutex<HashMap<c_int, u64>>,
    problems: Mutex<Vec<String>>,
}

#[derive(Clone, Copy)]
struct Known {
    handle: c_int,
    raw: bool,
    kind: c_int,
}

impl Known {
    fn sends(self) -> bool {
        !matches!(self.kind, NN_SUB | NN_PULL)
    }

    fn receives(self) -> bool {
        !matches!(self.kind, NN_PUB | NN_PUSH)
    }
}

impl Stage {
    fn new(dir: &TempDir) -> Self {
        let port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (tcp, ws) = (port(), port());
        let addresses = [
            "inproc://a".into(),
            "inproc://b".into(),
            format!("ipc://{}/a", dir.path().display()),
            format!("tcp://127.0.0.1:{tcp}"),
            format!("ws://127.0.0.1:{ws}/a"),
            "tcp://127.0.0.1:0".into(),
            "tcp:/127.0.0.1".into(),
            "pigeon://roof".into(),
            format!("ipc:///{}", "x".repeat(120)),
        ];
        assert_eq!(addresses.len(), ADDRESSES);
        Self {
            addresses: addresses.map(|address| CString::new(address).unwrap()).into(),
            shared: [const { AtomicI32::new(-1) }; SHARED],
            next: AtomicU32::new(0),
            received: Mutex::default(),
            lives: Mutex::default(),
            problems: Mutex::default(),
        }
    }

    fn problem(&self, text: String) {
        self.problems.lock().unwrap().push(text);
    }

    /// Notes what a call answered, if it should not have.
    fn check(&self, call: &Call, known: Option<Known>, result: i64, since: Instant) {
        if since.elapsed() > PATIENCE {
            self.problem(format!("{call:?} took {:?}", since.elapsed()));
        }
        if result >= 0 {
            return;
        }
        let code = nn_errno();
        let common = [libc::EBADF, libc::EINVAL];
        let more: &[c_int] = match call {
            Call::Socket { .. } | Call::Shutdown(_) | Call::Statistic(_) | Call::Close => &[],
            Call::Bind(_) => &[libc::ENAMETOOLONG, libc::EPROTONOSUPPORT, libc::EADDRINUSE],
            Call::Connect(_) => &[libc::ENAMETOOLONG, libc::EPROTONOSUPPORT],
            Call::Send { .. } | Call::Recv { .. } => &[libc::ENOTSUP, EFSM, libc::EAGAIN, libc::ETIMEDOUT],
            Call::Set { .. } | Call::Get { .. } | Call::Poll { .. } => &[libc::ENOPROTOOPT],
        };
        if !common.contains(&code) && !more.contains(&code) {
            self.problem(format!("{call:?}: errno {code}"));
        }
        let Some(known) = known else { return };
        let never = match call {
            _ if code == libc::EBADF => true,
            Call::Send { .. } => (code == libc::ENOTSUP) == known.sends() || (code == libc::EINVAL && !known.raw),
            Call::Recv { .. } => (code == libc::ENOTSUP) == known.receives() || code == libc::EINVAL,
            Call::Socket { .. } => true,
            _ => false,
        };
        if never {
            self.problem(format!("{call:?} on type {} (raw: {}): errno {code}", known.kind, known.raw));
        }
    }

    fn open(&self, raw: bool, kind: c_int) -> c_int {
        let handle = nn_socket(if raw { AF_SP_RAW } else { AF_SP }, kind);
        if handle >= 0 {
            static LIVES: AtomicU32 = AtomicU32::new(0);
            self.lives.lock().unwrap().insert(handle, u64::from(LIVES.fetch_add(1, Ordering::Relaxed)));
            for option in WAITS {
                set(handle, 0, option, WAIT_MILLIS);
            }
            if kind == NN_SUB {
                unsafe { nn_setsockopt(handle, NN_SUB, NN_SUB_SUBSCRIBE, c"".as_ptr().cast(), 0) };
            }
        }
        handle
    }

    fn perform(&self, call: &Call, handle: c_int) -> i64 {
        match *call {
            Call::Socket { .. } => unreachable!("is for the slot to do"),
            Call::Close => nn_close(handle).into(),
            Call::Bind(address) => unsafe { nn_bind(handle, self.addresses[address].as_ptr()).into() },
            Call::Connect(address) => unsafe { nn_connect(handle, self.addresses[address].as_ptr()).into() },
            Call::Shutdown(endpoint) => nn_shutdown(handle, endpoint).into(),
            Call::Send { wait, length } => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let mut message = number.to_le_bytes().to_vec();
                message.resize(4 + length, number as u8);
                let flags = if wait { 0 } else { NN_DONTWAIT };
                unsafe { nn_send(handle, message.as_ptr().cast(), message.len(), flags).into() }
            }
            Call::Recv { wait } => {
                let mut message = vec![0_u8; 100_000];
                let flags = if wait { 0 } else { NN_DONTWAIT };
                let life = self.lives.lock().unwrap().get(&handle).copied();
                let length = unsafe { nn_recv(handle, message.as_mut_ptr().cast(), message.len(), flags) };
                let same = life == self.lives.lock().unwrap().get(&handle).copied();
                if let (Ok(length), Some(life)) = (usize::try_from(length), life.filter(|_| same)) {
                    self.received(life, &message[..length]);
                }
                length.into()
            }
            Call::Set { level, option, value } => {
                let result = set(handle, level, option, value);
                if level == 0 && WAITS.contains(&option) {
                    // For as long as it may be, but not for the calls that follow.
                    set(handle, 0, option, WAIT_MILLIS);
                }
                result.into()
            }
            Call::Get { level, option } => {
                let mut value = [0_u8; 128];
                let mut size = value.len();
                unsafe { nn_getsockopt(handle, level, option, value.as_mut_ptr().cast(), &raw mut size).into() }
            }
            Call::Poll { events } => {
                let mut fds = [handle, self.shared[0].load(Ordering::Relaxed)].map(|fd| nn_pollfd {
                    fd,
                    events: events & 3,
                    revents: 0,
                });
                unsafe { nn_poll(fds.as_mut_ptr(), 2, WAIT_MILLIS).into() }
            }
            Call::Statistic(which) => nn_get_statistic(handle, which) as i64,
        }
    }

    /// What comes was sent, as it was sent, and comes once to each socket. What raw sockets and their peers add in front is
    /// cut off by searching for the number's own filler; a message without filler is taken as it is.
    fn received(&self, life: u64, message: &[u8]) {
        let Some((number, filler)) = message.split_first_chunk::<4>() else { return };
        let number = u32::from_le_bytes(*number);
        if number >= self.next.load(Ordering::Relaxed) {
            // A raw socket's message with a header of the other side; it has no number of ours in front.
            return;
        }
        if filler.iter().any(|&byte| byte != number as u8) {
            return self.problem(format!("message {number} has changed on its way"));
        }
        if !self.received.lock().unwrap().insert((life, number)) {
            self.problem(format!("message {number} came twice"));
        }
    }

    /// One thread's calls: to its own sockets, of which it knows everything, and to those that all use.
    fn play(&self, calls: &[(usize, Call)]) {
        let mut own: [Option<Known>; OWN] = [None; OWN];
        for (slot, call) in calls {
            let since = Instant::now();
            match (own.get_mut(*slot), call) {
                (Some(place), &Call::Socket { raw, kind }) => {
                    if place.is_none() {
                        let handle = self.open(raw, TYPES[kind]);
                        self.check(call, None, handle.into(), since);
                        *place = (handle >= 0).then_some(Known { handle, raw, kind: TYPES[kind] });
                    }
                }
                (Some(place), call) => {
                    if let Some(known) = *place {
                        let result = self.perform(call, known.handle);
                        // The shared socket of a poll may be anything.
                        let known = (!matches!(call, Call::Poll { .. })).then_some(known);
                        self.check(call, known, result, since);
                        if matches!(call, Call::Close) {
                            *place = None;
                        }
                    } else if !matches!(call, Call::Close) {
                        let result = self.perform(call, -1 - *slot as c_int);
                        self.check(call, None, result, since);
                        if result >= 0 && !matches!(call, Call::Poll { .. }) {
                            self.problem(format!("{call:?} on no socket at all"));
                        }
                    }
                }
                (None, &Call::Socket { raw, kind }) => {
                    let place = &self.shared[slot - OWN];
                    let handle = self.open(raw, TYPES[kind]);
                    self.check(call, None, handle.into(), since);
                    let before = place.swap(handle, Ordering::Relaxed);
                    if before >= 0 {
                        self.check(&Call::Close, None, nn_close(before).into(), since);
                    }
                }
                (None, call) => {
                    let place = &self.shared[slot - OWN];
                    // Who closes takes the handle out first: it may be another socket's the moment it is closed.
                    let closes = matches!(call, Call::Close);
                    let handle = if closes { place.swap(-1, Ordering::Relaxed) } else { place.load(Ordering::Relaxed) };
                    // Of a stranger's socket only what does no harm: the handle may be somebody's own by now.
                    if !matches!(call, Call::Shutdown(_) | Call::Set { .. } | Call::Recv { .. }) {
                        let result = self.perform(call, handle);
                        self.check(call, None, result, since);
                    } else if closes {
                        nn_close(handle);
                    }
                }
            }
        }
        for known in own.into_iter().flatten() {
            let since = Instant::now();
            self.check(&Call::Close, Some(known), nn_close(known.handle).into(), since);
        }
    }
}

fn set(handle: c_int, level: c_int, option: c_int, value: c_int) -> c_int {
    unsafe { nn_setsockopt(handle, level, option, (&raw const value).cast(), size_of::<c_int>()) }
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// In KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

static CASES: AtomicU32 = AtomicU32::new(0);
static FIRST: Mutex<Option<u64>> = Mutex::new(None);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        max_shrink_iters: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/random_calls.seeds"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_sequence_of_calls_ends_well(calls in vec(vec((0..OWN + SHARED, call()), 1..60), THREADS)) {
        let before = descriptors();
        let dir = TempDir::new().unwrap();
        let stage = Stage::new(&dir);
        thread::scope(|scope| {
            for calls in &calls {
                scope.spawn(|| stage.play(calls));
            }
        });
        for place in &stage.shared {
            let handle = place.load(Ordering::Relaxed);
            prop_assert!(handle < 0 || nn_close(handle) == 0);
        }
        let problems = stage.problems.into_inner().unwrap();
        prop_assert!(problems.is_empty(), "{:?}", problems);
        let left = fs::read_dir(dir.path()).unwrap().count();
        prop_assert_eq!(left, 0, "ipc files");
        // What belongs to a thread goes when that has ended, which is a moment after its work has.
        let until = Instant::now() + PATIENCE;
        while descriptors() != before && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        prop_assert_eq!(descriptors(), before, "descriptors");

        // What the first cases have allocated is kept; what later ones do is not.
        if CASES.fetch_add(1, Ordering::Relaxed) >= 50 {
            let first = *FIRST.lock().unwrap().get_or_insert_with(memory);
            prop_assert!(memory() < first + 32 * 1024, "from {} KiB to {} KiB", first, memory());
        }
    }
}
