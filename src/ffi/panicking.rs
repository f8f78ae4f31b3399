//! Panics at every entry point and in every inner place, each in a process of its own: the call says ENOTRECOVERABLE, one
//! line is on stderr, a socket that was at work is broken off and can be closed, and everything else works on.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io::Read;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::symbols::*;
use super::*;
use crate::panics::{FailPoint, injected};

const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `body` in a process of its own, which has to end well, with `lines` reports of a panic on stderr and nothing else.
fn alone(name: &str, lines: usize, body: impl FnOnce()) {
    const NAME: &str = "NN_PANICKING";
    if std::env::var_os(NAME).is_some() {
        return body();
    }
    let mut child = this_program()
        .args(["--exact", &format!("ffi::panicking::{name}"), "--nocapture", "--test-threads=1"])
        .env(NAME, name)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = child.stderr.take().unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).unwrap();
        text
    });
    let until = Instant::now() + 3 * PATIENCE;
    let ended = loop {
        match child.try_wait().unwrap() {
            Some(ended) => break ended,
            None if Instant::now() > until => {
                child.kill().unwrap();
                panic!("{name} hangs: {}", reader.join().unwrap());
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let errors = reader.join().unwrap();
    assert!(ended.success(), "{name}: {ended}: {errors}");
    assert_eq!(errors.lines().count(), lines, "{name}: {errors}");
    assert!(errors.lines().all(|line| line.starts_with("nanomsg: internal error at ")), "{errors}");
}

/// Through what runs programs of this one's kind, if the machine does not do so by itself (tests/cross/run.sh).
fn this_program() -> Command {
    let program = std::env::current_exe().unwrap();
    let runner = std::env::var("NN_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(first) = words.next() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(words).arg(program);
    command
}

macro_rules! alone {
    ($(#[$text:meta])* $name:ident, $lines:expr, $body:expr) => {
        $(#[$text])*
        #[test]
        fn $name() {
            alone(stringify!($name), $lines, $body);
        }
    };
}

// What C programs write, without its pointers.

fn send(socket: c_int, text: &[u8], flags: c_int) -> c_int {
    // SAFETY: the slice outlives the call.
    unsafe { nn_send(socket, text.as_ptr().cast(), text.len(), flags) }
}

fn recv(socket: c_int, flags: c_int) -> c_int {
    let mut text = [0_u8; 64];
    // SAFETY: as above.
    unsafe { nn_recv(socket, text.as_mut_ptr().cast(), text.len(), flags) }
}

fn bind(socket: c_int, address: &str) -> c_int {
    let address = CString::new(address).unwrap();
    // SAFETY: as above.
    unsafe { nn_bind(socket, address.as_ptr()) }
}

fn connect(socket: c_int, address: &str) -> c_int {
    let address = CString::new(address).unwrap();
    // SAFETY: as above.
    unsafe { nn_connect(socket, address.as_ptr()) }
}

fn set(socket: c_int, option: c_int, value: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { nn_setsockopt(socket, NN_SOL_SOCKET, option, (&raw const value).cast(), size_of::<c_int>()) }
}

fn poll(sockets: &[c_int], timeout: c_int) -> c_int {
    let mut fds: Vec<_> =
        sockets.iter().map(|&fd| nn_pollfd { fd, events: NN_POLLIN as c_short, revents: 0 }).collect();
    // SAFETY: as above.
    unsafe { nn_poll(fds.as_mut_ptr(), fds.len() as c_int, timeout) }
}

/// A socket whose calls give up some time.
fn socket(protocol: c_int) -> c_int {
    let socket = nn_socket(AF_SP, protocol);
    assert!(socket >= 0);
    for option in [NN_SNDTIMEO, NN_RCVTIMEO] {
        assert_eq!(set(socket, option, PATIENCE.as_millis() as c_int), 0);
    }
    socket
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

/// Two PAIRs that have exchanged a message.
fn joined(address: &str) -> [c_int; 2] {
    let pair = [socket(NN_PAIR), socket(NN_PAIR)];
    assert!(bind(pair[0], address) > 0 && connect(pair[1], address) > 0);
    for (from, to) in [(0, 1), (1, 0)] {
        assert_eq!((send(pair[from], b"first", 0), recv(pair[to], 0)), (5, 5));
    }
    pair
}

const BROKEN: (c_int, c_int) = (-1, libc::ENOTRECOVERABLE);

fn told(result: c_int) -> (c_int, c_int) {
    (result, errno::get())
}

/// The socket is broken off: every call says so, closing works, at once, and once.
fn is_broken(socket: c_int) {
    for flags in [0, NN_DONTWAIT] {
        assert_eq!(told(send(socket, b"x", flags)), BROKEN);
        assert_eq!(told(recv(socket, flags)), BROKEN);
    }
    assert_eq!(told(set(socket, NN_LINGER, 1)), BROKEN);
    assert_eq!(told(bind(socket, "inproc://broken")), BROKEN);
    assert_eq!(told(poll(&[socket], 0)), BROKEN);
    assert_eq!(nn_get_statistic(socket, NN_STAT_MESSAGES_SENT), u64::MAX);
    let before = Instant::now();
    assert_eq!(nn_close(socket), 0);
    assert!(before.elapsed() < PATIENCE / 2, "it does not linger");
    assert_eq!(told(nn_close(socket)), (-1, libc::EBADF));
}

/// The rest of the library is as it was, the address included.
fn all_is_well(address: &str) {
    let [a, b] = joined(address);
    assert_eq!((nn_close(a), nn_close(b)), (0, 0));
    let [a, b] = joined("inproc://well");
    assert_eq!((nn_close(a), nn_close(b)), (0, 0));
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// One of two joined sockets does something, and is broken by that.
fn breaks(place: FailPoint, address: &str, act: impl FnOnce(c_int) -> c_int) {
    breaks_in(&[place], address, act);
}

/// The same, with more panics on the way out.
fn breaks_in(places: &[FailPoint], address: &str, act: impl FnOnce(c_int) -> c_int) {
    let [a, b] = joined(address);
    injected::arm_all(places);
    assert_eq!(told(act(a)), BROKEN);
    assert!(!injected::is_armed());
    is_broken(a);
    assert_eq!(nn_close(b), 0);
    all_is_well(address);
}

alone!(every_function_contains_a_panic, 24, || {
    let s = socket(NN_PAIR);
    let mut chunk = nn_allocmsg(8, 0);
    let mut hdr =
        nn_msghdr { msg_iov: ptr::null_mut(), msg_iovlen: 0, msg_control: ptr::null_mut(), msg_controllen: 0 };
    let hdr = &raw mut hdr;
    let mut value = 0;
    let mut size = size_of::<c_int>();
    // SAFETY: all of them panic before they look at what they were given, which outlives the calls.
    let calls: [(&str, &mut dyn FnMut() -> bool); 24] = unsafe {
        [
            ("nn_errno", &mut || nn_errno() == -1),
            ("nn_strerror", &mut || nn_strerror(1).is_null()),
            ("nn_symbol", &mut || nn_symbol(0, ptr::null_mut()).is_null()),
            ("nn_symbol_info", &mut || nn_symbol_info(0, ptr::null_mut(), 0) == -1),
            ("nn_term", &mut || {
                nn_term();
                true
            }),
            ("nn_init", &mut || {
                nn_init();
                true
            }),
            ("nn_allocmsg", &mut || nn_allocmsg(1, 0).is_null()),
            ("nn_reallocmsg", &mut || nn_reallocmsg(chunk, 9).is_null()),
            ("nn_freemsg", &mut || nn_freemsg(chunk) == -1),
            ("nn_cmsg_nxthdr_", &mut || nn_cmsg_nxthdr_(hdr, ptr::null()).is_null()),
            ("nn_socket", &mut || nn_socket(AF_SP, NN_PAIR) == -1),
            ("nn_close", &mut || nn_close(s) == -1),
            ("nn_setsockopt", &mut || set(s, NN_LINGER, 1) == -1),
            ("nn_getsockopt", &mut || {
                nn_getsockopt(s, NN_SOL_SOCKET, NN_LINGER, (&raw mut value).cast(), &raw mut size) == -1
            }),
            ("nn_bind", &mut || bind(s, "inproc://a") == -1),
            ("nn_connect", &mut || connect(s, "inproc://a") == -1),
            ("nn_shutdown", &mut || nn_shutdown(s, 1) == -1),
            ("nn_send", &mut || send(s, b"x", NN_DONTWAIT) == -1),
            ("nn_recv", &mut || recv(s, NN_DONTWAIT) == -1),
            ("nn_sendmsg", &mut || nn_sendmsg(s, hdr, NN_DONTWAIT) == -1),
            ("nn_recvmsg", &mut || nn_recvmsg(s, hdr, NN_DONTWAIT) == -1),
            ("nn_poll", &mut || poll(&[s], 0) == -1),
            ("nn_device", &mut || nn_device(s, s) == -1),
            ("nn_get_statistic", &mut || nn_get_statistic(s, NN_STAT_MESSAGES_SENT) == u64::MAX),
        ]
    };
    let names: BTreeSet<&str> = calls.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, include_str!("exports.txt").lines().collect());
    for (name, call) in calls {
        injected::arm(FailPoint::Entry);
        errno::set(0);
        assert!(call(), "{name} fails");
        assert!(!injected::is_armed(), "{name} has a panic to contain");
        assert_eq!(errno::get(), libc::ENOTRECOVERABLE, "{name}");
    }
    // None of them had begun to do anything.
    assert_eq!(set(s, NN_LINGER, 1), 0);
    // SAFETY: the chunk is ours.
    unsafe {
        chunk = nn_reallocmsg(chunk, 100);
        assert_eq!(nn_freemsg(chunk), 0);
    }
    assert_eq!(nn_close(s), 0);
    all_is_well(&free_address());
});

alone!(
    /// A Rust program's hook is its own: it hears of every panic, also of one that goes no further, and nobody else tells of it.
    a_rust_program_keeps_its_hook, 0, || {
        static HEARD: AtomicUsize = AtomicUsize::new(0);
        let hook: Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync> = Box::new(|_| {
            HEARD.fetch_add(1, Ordering::Relaxed);
        });
        panic::set_hook(hook);
        let bound = || {
            let socket = crate::Socket::new(crate::SocketType::Pair).unwrap();
            socket.bind(&free_address()).unwrap();
            socket
        };
        let socket = bound();
        injected::arm(FailPoint::Close);
        drop(socket);
        assert!(!injected::is_armed() && HEARD.load(Ordering::Relaxed) == 1, "one that is contained");
        let socket = bound();
        injected::arm(FailPoint::Send);
        let ended = panic::catch_unwind(AssertUnwindSafe(|| socket.send("x")));
        assert!(ended.is_err() && HEARD.load(Ordering::Relaxed) == 2, "and one that is not");
        let _ = panic::catch_unwind(|| panic!("the program's own"));
        assert_eq!(HEARD.load(Ordering::Relaxed), 3);
    }
);

alone!(while_opening, 1, || {
    let first = socket(NN_PAIR);
    injected::arm(FailPoint::Open);
    assert_eq!(told(nn_socket(AF_SP, NN_PAIR)), BROKEN);
    let second = socket(NN_PAIR);
    assert_eq!(second, first + 1, "the handle is free again");
    assert_eq!((nn_close(first), nn_close(second)), (0, 0));
    all_is_well(&free_address());
});

alone!(while_sending, 1, || breaks(FailPoint::Send, &free_address(), |s| send(s, b"x", 0)));
alone!(while_sending_inproc, 1, || breaks(FailPoint::Send, "inproc://a", |s| send(s, b"x", 0)));
alone!(while_receiving, 1, || breaks(FailPoint::Receive, &free_address(), |s| recv(s, 0)));
alone!(while_receiving_inproc, 1, || breaks(FailPoint::Receive, "inproc://a", |s| recv(s, 0)));
alone!(while_writing, 1, || breaks(FailPoint::WriteThrough, &free_address(), |s| send(s, b"x", 0)));
alone!(while_waiting, 1, || breaks(FailPoint::Wait, &free_address(), |s| recv(s, 0)));
alone!(while_waiting_inproc, 1, || breaks(FailPoint::Wait, "inproc://a", |s| recv(s, 0)));
alone!(while_driving, 1, || breaks(FailPoint::Turn, &free_address(), |s| recv(s, 0)));
alone!(while_polling_one, 1, || breaks(FailPoint::Turn, &free_address(), |s| poll(&[s], 10_000)));

alone!(
    /// In the turn that a PUB does before it sends.
    while_hearing_subscribers, 1, || {
        let address = free_address();
        let (publisher, subscriber) = (socket(NN_PUB), socket(NN_SUB));
        assert!(bind(publisher, &address) > 0 && connect(subscriber, &address) > 0);
        // SAFETY: the topic outlives the call.
        let subscribed = unsafe { nn_setsockopt(subscriber, NN_SUB, NN_SUB_SUBSCRIBE, b"x".as_ptr().cast(), 1) };
        assert_eq!((subscribed, set(subscriber, NN_RCVTIMEO, 10)), (0, 0));
        wait_until("it is heard", || send(publisher, b"x", 0) == 1 && recv(subscriber, 0) == 1);
        // Whoever has just looked does not look again.
        thread::sleep(Duration::from_millis(20));
        injected::arm(FailPoint::Turn);
        assert_eq!(told(send(publisher, b"x", 0)), BROKEN);
        assert!(!injected::is_armed());
        assert_eq!(told(send(publisher, b"x", 0)), BROKEN);
        assert_eq!((nn_close(publisher), nn_close(subscriber)), (0, 0));
        all_is_well(&address);
    }
);

alone!(while_polling_several, 1, || {
    let address = free_address();
    let [a, b] = joined(&address);
    injected::arm(FailPoint::Poll);
    assert_eq!(told(poll(&[a, b], 10_000)), BROKEN);
    is_broken(a);
    is_broken(b);
    all_is_well(&address);
});

// As often as a thread can panic on its way out of the first.
alone!(again_while_letting_go, 2, || {
    breaks_in(&[FailPoint::Send, FailPoint::RunEffects], &free_address(), |s| send(s, b"x", 0));
});
alone!(again_while_waiting, 3, || {
    breaks_in(&[FailPoint::Wait, FailPoint::RunEffects, FailPoint::RunEffects], &free_address(), |s| recv(s, 0));
});
alone!(again_while_driving, 2, || {
    breaks_in(&[FailPoint::Turn, FailPoint::RunEffects], &free_address(), |s| recv(s, 0));
});
alone!(again_while_polling_several, 4, || {
    let address = free_address();
    let [a, b] = joined(&address);
    injected::arm_all(&[FailPoint::Poll, FailPoint::RunEffects, FailPoint::RunEffects, FailPoint::RunEffects]);
    assert_eq!(told(poll(&[a, b], 10_000)), BROKEN);
    assert!(!injected::is_armed());
    is_broken(a);
    is_broken(b);
    all_is_well(&address);
});

alone!(while_writing_what_was_gathered, 1, || {
    let address = free_address();
    let [a, b] = joined(&address);
    injected::arm(FailPoint::Flush);
    // Sooner or later a sender is fast enough, and it or the worker writes what was gathered.
    wait_until("something is gathered", || {
        for _ in 0..1000 {
            let sent = told(send(a, b"x", NN_DONTWAIT));
            assert!(sent.0 == 1 || sent == BROKEN || sent == (-1, libc::EAGAIN));
            if !injected::is_armed() {
                return true;
            }
        }
        while recv(b, NN_DONTWAIT) > 0 {}
        false
    });
    wait_until("the socket is broken", || told(send(a, b"x", NN_DONTWAIT)) == BROKEN);
    is_broken(a);
    assert_eq!(nn_close(b), 0);
    all_is_well(&address);
});

alone!(while_closing, 1, || {
    let address = free_address();
    let [a, b] = joined(&address);
    injected::arm(FailPoint::Close);
    assert_eq!(told(nn_close(a)), BROKEN);
    assert_eq!(told(nn_close(a)), (-1, libc::EBADF), "it is closed all the same");
    assert_eq!(nn_close(b), 0);
    all_is_well(&address);
});

alone!(while_closing_in_nn_term, 1, || {
    let [a, b] = joined(&free_address());
    injected::arm(FailPoint::Close);
    nn_term();
    assert!(!injected::is_armed());
    for closed in [a, b] {
        assert_eq!(told(nn_close(closed)), (-1, libc::EBADF));
    }
    nn_init();
    all_is_well(&free_address());
});

alone!(those_who_wait_are_told, 1, || waiters_are_told(&free_address()));
alone!(those_who_wait_are_told_inproc, 1, || waiters_are_told("inproc://a"));

fn waiters_are_told(address: &str) {
    let [a, b] = joined(address);
    let (waits, waiting) = mpsc::channel();
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let waits = waits.clone();
            thread::spawn(move || {
                waits.send(()).unwrap();
                told(recv(a, 0))
            })
        })
        .collect();
    (0..3).for_each(|_| waiting.recv().unwrap());
    injected::arm(FailPoint::Send);
    let start = Instant::now();
    assert_eq!(told(send(a, b"x", 0)), BROKEN);
    for waiter in waiters {
        assert_eq!(waiter.join().unwrap(), BROKEN);
    }
    assert!(start.elapsed() < PATIENCE / 2, "they found out when their time was over");
    is_broken(a);
    assert_eq!(nn_close(b), 0);
    all_is_well(address);
}

alone!(a_neighbour_is_broken_where_its_note_is_read, 1, || {
    let [a, b] = joined("inproc://a");
    injected::arm(FailPoint::Note);
    // The note is read by the sender, who is not to blame.
    assert_eq!(told(send(a, b"x", 0)), BROKEN);
    is_broken(b);
    assert_eq!(set(a, NN_LINGER, 1), 0);
    assert_eq!(told(recv(a, NN_DONTWAIT)), (-1, libc::EAGAIN));
    let c = socket(NN_PAIR);
    assert!(connect(c, "inproc://a") > 0);
    assert_eq!((send(c, b"x", 0), recv(a, 0)), (1, 1), "and free for another one");
    assert_eq!((nn_close(a), nn_close(c)), (0, 0));
    all_is_well(&free_address());
});

alone!(in_the_worker_at_work_for_a_socket, 1, || {
    let address = free_address();
    let [a, b] = joined(&address);
    // Nobody waits in `a`: its messages are the worker's.
    injected::arm(FailPoint::Work);
    assert_eq!(send(b, b"x", 0), 1);
    wait_until("the worker comes by", || !injected::is_armed());
    let broken = |&s: &c_int| told(set(s, NN_LINGER, 1000)) == BROKEN;
    wait_until("one of them is broken", || [a, b].iter().any(broken));
    let (bad, good) = if broken(&a) { (a, b) } else { (b, a) };
    is_broken(bad);
    assert_eq!(nn_close(good), 0);
    all_is_well(&address);
});

alone!(in_the_worker_between_two_sockets, 1, || {
    let address = free_address();
    let [a, b] = joined(&address);
    let mut fd = 0;
    let mut size = size_of::<c_int>();
    // SAFETY: both outlive the call.
    let got = unsafe { nn_getsockopt(a, NN_SOL_SOCKET, NN_RCVFD, (&raw mut fd).cast(), &raw mut size) };
    assert_eq!(got, 0);
    for round in 0..20 {
        if round == 10 {
            injected::arm(FailPoint::EventLoop);
        }
        assert_eq!(send(b, b"x", 0), 1);
        // Only the worker can make it readable.
        #[cfg(unix)]
        {
            let mut watched = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            // SAFETY: one entry, that outlives the call.
            assert_eq!(unsafe { libc::poll(&raw mut watched, 1, PATIENCE.as_millis() as c_int) }, 1);
        }
        #[cfg(not(unix))]
        while fd != 0 && recv(a, NN_DONTWAIT) < 0 {
            crate::sys::yield_now();
        }
        #[cfg(unix)]
        assert_eq!(recv(a, NN_DONTWAIT), 1);
    }
    assert!(!injected::is_armed());
    assert_eq!((nn_close(a), nn_close(b)), (0, 0));
    all_is_well(&address);
});

alone!(in_a_device, 1, || breaks_a_device(&[FailPoint::Poll]));
alone!(again_in_a_device, 3, || breaks_a_device(&[FailPoint::Poll, FailPoint::RunEffects, FailPoint::RunEffects]));

fn breaks_a_device(places: &[FailPoint]) {
    let addresses = [free_address(), free_address()];
    let front = nn_socket(AF_SP_RAW, NN_PULL);
    let back = nn_socket(AF_SP_RAW, NN_PUSH);
    assert!(bind(front, &addresses[0]) > 0 && bind(back, &addresses[1]) > 0);
    let (from, to) = (socket(NN_PUSH), socket(NN_PULL));
    assert!(connect(from, &addresses[0]) > 0 && connect(to, &addresses[1]) > 0);
    let device = thread::spawn(move || told(nn_device(front, back)));
    assert_eq!((send(from, b"x", 0), recv(to, 0)), (1, 1));
    injected::arm_all(places);
    assert_eq!(send(from, b"x", 0), 1);
    assert_eq!(device.join().unwrap(), BROKEN);
    is_broken_off(front);
    is_broken_off(back);
    assert_eq!((nn_close(from), nn_close(to)), (0, 0));
    all_is_well(&addresses[0]);
}

fn is_broken_off(socket: c_int) {
    assert_eq!(told(set(socket, NN_LINGER, 1)), BROKEN);
    assert_eq!(nn_close(socket), 0);
}

alone!(in_a_lookup, 1, || {
    let address = free_address();
    let port = address.rsplit(':').next().unwrap().to_owned();
    let (a, b) = (socket(NN_PAIR), socket(NN_PAIR));
    assert_eq!(set(b, NN_RECONNECT_IVL, 10), 0);
    assert!(bind(a, &address) > 0);
    injected::arm(FailPoint::LookUp);
    assert!(connect(b, &format!("tcp://localhost:{port}")) > 0);
    assert_eq!((send(b, b"x", 0), recv(a, 0)), (1, 1), "the dialer has asked again");
    assert!(!injected::is_armed());
    assert_eq!((nn_close(a), nn_close(b)), (0, 0));
});

alone!(at_the_end_of_the_process, 1, || {
    let [a, _b] = joined(&free_address());
    injected::arm(FailPoint::Turn);
    assert_eq!(told(recv(a, 0)), BROKEN);
    // Not closed: exit passes over it.
});

alone!(a_program_that_unwinds_breaks_nothing, 0, || {
    struct SendsLate(c_int);
    impl Drop for SendsLate {
        fn drop(&mut self) {
            assert_eq!(send(self.0, b"x", 0), 1);
            assert_eq!(poll(&[self.0, self.0], 0), 0);
        }
    }
    let [a, b] = joined(&free_address());
    panic::set_hook(Box::new(|_| {}));
    let late = SendsLate(a);
    let ended = thread::spawn(move || {
        let _late = late;
        panic!("the program's own");
    });
    assert!(ended.join().is_err());
    assert_eq!(recv(b, 0), 1);
    assert_eq!((nn_close(a), nn_close(b)), (0, 0));
});
