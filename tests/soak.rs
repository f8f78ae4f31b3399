//! All patterns on all transports at once, under load, with sockets that come and go and processes that are killed: nothing
//! that was promised is lost, doubled or out of order, and memory and descriptors are after each round what they were.
//!
//! `SOAK_SECONDS` says how long (`make soak`). The hubs live as long as the run; everybody else comes and goes, and is gone
//! when a round is over and counted. Over TLS come and go `SOAK_RECONNECTS`, one after the other.

#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use nanomsg::{Socket, SocketType, Statistic};
use tempfile::TempDir;

/// After which what must happen is taken not to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pause of a publisher, so that there is something to be heard between what is dropped.
const PACE: Duration = Duration::from_millis(1);

/// Of a survey.
const DEADLINE: Duration = Duration::from_millis(50);

const COUNTS: [&str; 8] = ["pushed", "replies", "heard", "surveys", "bus", "echoes", "sockets", "killed"];

/// What a run has seen.
#[derive(Default)]
struct Board {
    counts: [AtomicU64; COUNTS.len()],
    failures: Mutex<Vec<String>>,
    /// How many groups have been told to stop.
    stopped: AtomicU8,
}

/// In the order in which they stop: nobody is left alone who still wants something from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Asking,
    Visiting,
    Serving,
}

type Work = fn(&Hubs, &Board);

const WORKS: [(Group, Work); 18] = [
    (Group::Asking, Hubs::request),
    (Group::Asking, Hubs::push_and_close),
    (Group::Asking, Hubs::push_and_close),
    (Group::Asking, Hubs::push_and_be_killed),
    (Group::Asking, Hubs::call_and_close),
    (Group::Visiting, Hubs::reply_and_close),
    (Group::Visiting, Hubs::reply_and_close),
    (Group::Visiting, Hubs::reply_and_be_killed),
    (Group::Visiting, Hubs::subscribe_and_close),
    (Group::Visiting, Hubs::subscribe_and_close),
    (Group::Visiting, Hubs::respond_and_close),
    (Group::Visiting, Hubs::respond_and_close),
    (Group::Visiting, Hubs::join_the_bus),
    (Group::Serving, Hubs::pull),
    (Group::Serving, Hubs::publish),
    (Group::Serving, Hubs::survey),
    (Group::Serving, Hubs::bus),
    (Group::Serving, Hubs::echo),
];

impl Board {
    fn count(&self, what: &str) {
        let at = COUNTS.iter().position(|&name| name == what).unwrap();
        self.counts[at].fetch_add(1, Ordering::Relaxed);
    }

    fn stop(&self, group: Group) {
        self.stopped.fetch_max(group as u8 + 1, Ordering::Relaxed);
    }

    fn goes_on(&self, group: Group) -> bool {
        self.stopped.load(Ordering::Relaxed) <= group as u8
    }

    fn hold(&self, promise: bool, otherwise: impl FnOnce() -> String) {
        if !promise {
            self.failures.lock().unwrap().push(otherwise());
            self.stop(Group::Serving);
        }
    }
}

/// Xorshift: the soak is not to be the same every time.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(process::id() as u64 ^ Instant::now().elapsed().as_nanos() as u64 ^ fresh() << 20 | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        for shift in [13, -7, 17_i32] {
            self.0 ^= if shift > 0 { self.0 << shift } else { self.0 >> -shift };
        }
        self.0 % limit
    }
}

/// A number of which there is only one in this process.
fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A message that says who has sent it and the how many-th it is; the rest follows from that.
fn numbered(sender: u64, number: u64, filler: usize) -> Vec<u8> {
    let mut message = [sender.to_le_bytes(), number.to_le_bytes()].concat();
    message.resize(16 + filler, number as u8);
    message
}

fn read(message: &[u8]) -> Option<(u64, u64)> {
    let (sender, rest) = message.split_first_chunk()?;
    let (number, filler) = rest.split_first_chunk()?;
    let number = u64::from_le_bytes(*number);
    filler.iter().all(|&byte| byte == number as u8).then_some((u64::from_le_bytes(*sender), number))
}

fn socket(kind: SocketType) -> Socket {
    let socket = Socket::new(kind).unwrap();
    socket.set_recv_timeout(Some(Duration::from_millis(50))).unwrap();
    socket.set_send_timeout(Some(PATIENCE)).unwrap();
    socket.set_linger(Some(PATIENCE)).unwrap();
    socket.set_reconnect_interval(Duration::from_millis(10)).unwrap();
    socket
}

fn connected(kind: SocketType, address: &str, board: &Board) -> Socket {
    let socket = socket(kind);
    socket.connect(address).unwrap();
    board.count("sockets");
    socket
}

/// The sockets of one transport that stay, and what has come in.
struct Hubs {
    transport: &'static str,
    addresses: HashMap<&'static str, String>,
    pull: Socket,
    requester: Socket,
    publisher: Socket,
    surveyor: Socket,
    bus: Socket,
    echo: Socket,
    /// How many messages each PUSH that is done has sent, and which is next from each.
    sent: Mutex<HashMap<u64, u64>>,
    next: Mutex<HashMap<u64, u64>>,
}

impl Hubs {
    fn new(transport: &'static str, dir: &TempDir) -> Self {
        let mut addresses = HashMap::new();
        let mut hub = |name, kind| {
            let address = match transport {
                "inproc" => format!("inproc://soak-{name}"),
                "ipc" => format!("ipc://{}/{name}", dir.path().display()),
                _ => {
                    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
                    format!("{transport}://127.0.0.1:{port}")
                }
            };
            let socket = socket(kind);
            socket.bind(&address).unwrap();
            addresses.insert(name, address);
            socket
        };
        let pull = hub("pull", SocketType::Pull);
        let requester = hub("req", SocketType::Req);
        requester.set_resend_interval(Some(Duration::from_secs(1))).unwrap();
        requester.set_recv_timeout(Some(PATIENCE)).unwrap();
        let publisher = hub("pub", SocketType::Pub);
        let surveyor = hub("survey", SocketType::Surveyor);
        surveyor.set_survey_deadline(Some(DEADLINE)).unwrap();
        let (bus, echo) = (hub("bus", SocketType::Bus), hub("pair", SocketType::Pair));
        let (sent, next) = Default::default();
        Self { transport, addresses, pull, requester, publisher, surveyor, bus, echo, sent, next }
    }

    fn all(&self) -> [&Socket; 6] {
        [&self.pull, &self.requester, &self.publisher, &self.surveyor, &self.bus, &self.echo]
    }

    fn address(&self, hub: &str) -> &str {
        &self.addresses[hub]
    }

    // What the hubs do in a round.

    /// Everything arrives, in order: all of it from those who have closed, as far as they came from those who were killed.
    fn pull(&self, board: &Board) {
        let mut patience = None;
        loop {
            match self.pull.recv() {
                Ok(message) => {
                    board.count("pushed");
                    let Some((sender, number)) = read(&message) else {
                        return board.hold(false, || format!("{}: PULL got something else", self.transport));
                    };
                    let mut next = self.next.lock().unwrap();
                    let next = next.entry(sender).or_insert(0);
                    board.hold(number == *next, || format!("{}: PULL got {number} and not {next}", self.transport));
                    *next = number + 1;
                }
                Err(_) if board.goes_on(Group::Serving) => {}
                Err(_) => {
                    let (sent, next) = (self.sent.lock().unwrap(), self.next.lock().unwrap());
                    let mut missing = sent.iter().filter(|(sender, count)| next.get(sender) != Some(count));
                    let Some((sender, count)) = missing.next() else { return };
                    let until = *patience.get_or_insert_with(|| Instant::now() + PATIENCE);
                    if Instant::now() > until {
                        let came = next.get(sender);
                        let text = format!("{}: PULL got {came:?} of {count} messages", self.transport);
                        return board.failures.lock().unwrap().push(text);
                    }
                }
            }
        }
    }

    /// Every request is answered, with its own answer, whoever dies meanwhile.
    fn request(&self, board: &Board) {
        while board.goes_on(Group::Asking) {
            let question = numbered(0, fresh(), 20);
            self.requester.send(&question).unwrap();
            let answer = self.requester.recv();
            board.hold(answer.as_ref().is_ok_and(|answer| **answer == question[..]), || {
                format!("{}: REQ got {answer:?}", self.transport)
            });
            board.count("replies");
        }
    }

    fn publish(&self, board: &Board) {
        for number in 0.. {
            if !board.goes_on(Group::Serving) {
                return;
            }
            let topic = [b'a', b'b'][number as usize % 2];
            self.publisher.send([&[topic][..], &numbered(0, number, 50)].concat()).unwrap();
            thread::sleep(PACE);
        }
    }

    /// Only answers to this survey, and to no other.
    fn survey(&self, board: &Board) {
        while board.goes_on(Group::Serving) {
            let question = numbered(0, fresh(), 0);
            self.surveyor.send(&question).unwrap();
            while let Ok(answer) = self.surveyor.recv() {
                board.hold(*answer == question[..], || format!("{}: SURVEYOR got a stale answer", self.transport));
                board.count("surveys");
            }
        }
    }

    fn bus(&self, board: &Board) {
        talk_on_the_bus(&self.bus, self.transport, board, Group::Serving, u64::MAX);
    }

    fn echo(&self, board: &Board) {
        while board.goes_on(Group::Serving) {
            let Ok(message) = self.echo.recv() else { continue };
            // The client may be gone by now.
            let _ = self.echo.try_send(&*message);
        }
    }

    // Who comes and goes.

    fn push_and_close(&self, board: &Board) {
        let mut random = Random::new();
        while board.goes_on(Group::Asking) {
            let (push, sender) = (connected(SocketType::Push, self.address("pull"), board), fresh());
            let count = 1 + random.below(300);
            for number in 0..count {
                let filler = if random.below(50) == 0 { random.below(100_000) } else { random.below(200) };
                if let Err(error) = push.send(numbered(sender, number, filler as usize)) {
                    return board.hold(false, || format!("{}: PUSH: {error}", self.transport));
                }
            }
            self.sent.lock().unwrap().insert(sender, count);
            push.close().unwrap();
        }
    }

    fn reply_and_close(&self, board: &Board) {
        let mut random = Random::new();
        while board.goes_on(Group::Visiting) {
            let rep = connected(SocketType::Rep, self.address("req"), board);
            for _ in 0..random.below(200) {
                match rep.recv() {
                    // It may close with a question unanswered.
                    Ok(question) if random.below(100) > 0 => rep.send(&*question).unwrap(),
                    _ => break,
                }
            }
        }
    }

    fn subscribe_and_close(&self, board: &Board) {
        let mut random = Random::new();
        while board.goes_on(Group::Visiting) {
            let sub = connected(SocketType::Sub, self.address("pub"), board);
            let topic = [b'a', b'b'][random.below(2) as usize];
            sub.subscribe([topic]).unwrap();
            let mut last = None;
            for _ in 0..random.below(100) {
                let Ok(message) = sub.recv() else { break };
                let number = read(&message[1..]).map(|(_, number)| number);
                board.hold(message[0] == topic && number > last, || {
                    format!("{}: SUB got {number:?} after {last:?}", self.transport)
                });
                last = number;
                board.count("heard");
            }
        }
    }

    fn respond_and_close(&self, board: &Board) {
        let mut random = Random::new();
        while board.goes_on(Group::Visiting) {
            let respondent = connected(SocketType::Respondent, self.address("survey"), board);
            for _ in 0..random.below(20) {
                if let Ok(question) = respondent.recv() {
                    // Now and then too late: the next survey runs.
                    if random.below(20) == 0 {
                        thread::sleep(DEADLINE + PACE);
                    }
                    respondent.send(&*question).unwrap();
                }
            }
        }
    }

    fn join_the_bus(&self, board: &Board) {
        let mut random = Random::new();
        while board.goes_on(Group::Visiting) {
            let bus = connected(SocketType::Bus, self.address("bus"), board);
            talk_on_the_bus(&bus, self.transport, board, Group::Visiting, random.below(100));
        }
    }

    /// One exchange after the other: what comes back is what was sent. The peer that answers may lose an answer to the last
    /// client, so a request without one is sent again.
    fn call_and_close(&self, board: &Board) {
        let mut random = Random::new();
        while board.goes_on(Group::Asking) {
            let pair = connected(SocketType::Pair, self.address("pair"), board);
            pair.set_recv_timeout(Some(Duration::from_millis(500))).unwrap();
            for _ in 0..1 + random.below(100) {
                let mine = fresh();
                let text = numbered(1, mine, random.below(3000) as usize);
                let until = Instant::now() + PATIENCE;
                let came = loop {
                    if let Err(error) = pair.send(&text) {
                        break Err(error);
                    }
                    match pair.recv() {
                        // To what was sent before.
                        Ok(echo) if read(&echo).is_some_and(|(_, number)| number < mine) => {}
                        Err(error) if error.is_timed_out() && Instant::now() < until => {}
                        came => break came,
                    }
                };
                if !came.as_ref().is_ok_and(|echo| **echo == text[..]) {
                    return board.hold(false, || format!("{}: PAIR got {came:?}", self.transport));
                }
                board.count("echoes");
            }
        }
    }

    fn push_and_be_killed(&self, board: &Board) {
        self.start_and_kill("push", "pull", board, Group::Asking);
    }

    fn reply_and_be_killed(&self, board: &Board) {
        self.start_and_kill("rep", "req", board, Group::Visiting);
    }

    /// Processes that do their work until they are killed in the middle of it.
    fn start_and_kill(&self, role: &str, hub: &str, board: &Board, group: Group) {
        let mut random = Random::new();
        while self.transport != "inproc" && board.goes_on(group) {
            let mut child = start(role, self.address(hub), fresh());
            thread::sleep(Duration::from_millis(50 + random.below(400)));
            child.kill().unwrap();
            child.wait().unwrap();
            board.count("killed");
        }
    }
}

/// Messages of each sender come in order; some may be missing.
fn talk_on_the_bus(bus: &Socket, transport: &str, board: &Board, group: Group, messages: u64) {
    let (me, mut last) = (fresh(), HashMap::new());
    for number in 1..=messages {
        if !board.goes_on(group) {
            return;
        }
        bus.send(numbered(me, number, 30)).unwrap();
        while let Ok(message) = bus.try_recv() {
            let (sender, number) = read(&message).unwrap_or_default();
            let before = last.insert(sender, number).unwrap_or(0);
            board.hold(number > before, || format!("{transport}: BUS got {number} after {before}"));
            board.count("bus");
        }
        thread::sleep(PACE);
    }
}

fn start(role: &str, address: &str, sender: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_process_that_is_killed", "--ignored"])
        .envs([("SOAK_ROLE", role), ("SOAK_ADDRESS", address), ("SOAK_SENDER", &sender.to_string())])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "started by the soak"]
fn a_process_that_is_killed() {
    let (Ok(role), Ok(address)) = (env::var("SOAK_ROLE"), env::var("SOAK_ADDRESS")) else { return };
    let sender = env::var("SOAK_SENDER").unwrap().parse().unwrap();
    let board = Board::default();
    // Should the soak itself be killed.
    let until = Instant::now() + PATIENCE;
    if role == "push" {
        let push = connected(SocketType::Push, &address, &board);
        for number in 0.. {
            let sent = push.send(numbered(sender, number, number as usize * 7 % 5000));
            if sent.is_err() || Instant::now() > until {
                return;
            }
        }
    }
    let rep = connected(SocketType::Rep, &address, &board);
    while Instant::now() < until {
        if let Ok(question) = rep.recv() {
            let _ = rep.send(&*question);
        }
    }
}

/// One round: everybody comes, works, and goes.
fn round(hubs: &[Hubs], board: &Board, length: Duration) {
    thread::scope(|scope| {
        let threads: Vec<_> = hubs
            .iter()
            .flat_map(|hub| WORKS.map(|(group, work)| (group, scope.spawn(move || work(hub, board)))))
            .collect();
        let until = Instant::now() + length;
        while board.goes_on(Group::Asking) && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        let mut threads = threads;
        for group in [Group::Asking, Group::Visiting, Group::Serving] {
            board.stop(group);
            for (_, thread) in threads.extract_if(.., |(its, _)| *its == group) {
                thread.join().unwrap();
            }
        }
    });
}

/// One comes to the PAIR, leaves a message unread, and goes: the next is served all the same.
fn serves_the_next(hub: &Hubs, board: &Board) {
    let until = Instant::now() + PATIENCE;
    let gone = connected(SocketType::Pair, hub.address("pair"), board);
    if let Err(error) = gone.send("unread").and_then(|()| gone.close()) {
        return board.hold(false, || format!("{}: a PAIR cannot leave a message: {error}", hub.transport));
    }
    let next = connected(SocketType::Pair, hub.address("pair"), board);
    // Into a connection that is about to end a message may be sent in vain.
    while hub.echo.try_send("welcome").is_err() || next.recv().is_err() {
        if Instant::now() > until {
            return board.hold(false, || format!("{}: the PAIR has no place for the next", hub.transport));
        }
    }
    // What was left is there still, and nothing else.
    let left = hub.echo.recv();
    board.hold(left.as_ref().is_ok_and(|left| **left == *b"unread"), || format!("{}: left: {left:?}", hub.transport));
}

/// Waits until nobody is connected, and forgets who was.
fn settle(hubs: &[Hubs], board: &Board) {
    let until = Instant::now() + PATIENCE;
    for hub in hubs {
        serves_the_next(hub, board);
        for socket in hub.all() {
            // Nobody may leave a message behind that keeps its pipe: what a socket does not want any more is dropped.
            while socket.statistic(Statistic::CurrentConnections).unwrap() > 0 && Instant::now() < until {
                let _ = socket.try_recv();
                thread::sleep(PACE);
            }
            let left = socket.statistic(Statistic::CurrentConnections).unwrap();
            board.hold(left == 0, || format!("{}: {left} connections of {socket:?} are left", hub.transport));
        }
        hub.sent.lock().unwrap().clear();
        hub.next.lock().unwrap().clear();
    }
    board.stopped.store(0, Ordering::Relaxed);
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What is allocated, in KiB. How much of the rest the allocator keeps differs from round to round.
fn memory() -> u64 {
    // SAFETY: it has no conditions.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as u64 / 1024
}

/// What the process holds is looked at by one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn nothing_is_lost_and_nothing_grows() {
    let _alone = ALONE.lock();
    let seconds = env::var("SOAK_SECONDS").map_or(20, |text| text.parse().expect("SOAK_SECONDS is a number"));
    let length = Duration::from_secs((seconds / 5).clamp(1, 60));
    let rounds = (seconds / length.as_secs()).max(3);
    let dir = TempDir::new().unwrap();
    let board = Board::default();
    let hubs = ["inproc", "ipc", "tcp", "ws"].map(|transport| Hubs::new(transport, &dir));
    // The first round makes what is kept.
    let mut first = None;
    for number in 1..=rounds {
        round(&hubs, &board, length);
        settle(&hubs, &board);
        let (descriptors, memory) = (descriptors(), memory());
        let counts: Vec<String> = COUNTS
            .iter()
            .zip(&board.counts)
            .map(|(name, count)| format!("{name} {}", count.load(Ordering::Relaxed)))
            .collect();
        eprintln!("round {number}: {descriptors} descriptors, {memory} KiB, {}", counts.join(", "));
        let failures = board.failures.lock().unwrap();
        assert!(failures.is_empty(), "{failures:?}");
        let (fewest, least) = *first.get_or_insert((descriptors, memory));
        assert_eq!(descriptors, fewest, "descriptors");
        // Thousands of sockets come and go in each round: a leak of some bytes with each of them is more.
        assert!(memory < least + 1024, "from {least} KiB to {memory} KiB");
    }
    for (name, count) in COUNTS.iter().zip(&board.counts) {
        assert!(count.load(Ordering::Relaxed) > 0, "there were no {name}");
    }
}

#[cfg(feature = "tls")]
mod tls {
    use std::ffi::{CString, c_int, c_void};
    use std::path::Path;

    use nanomsg::ffi;

    use super::*;

    const TLS: c_int = -1002;
    const CA: c_int = 1001;
    const CERT: c_int = 1002;
    const PUSH: c_int = 80;
    const PULL: c_int = 81;

    fn done(result: c_int) -> c_int {
        assert!(result >= 0, "{}", std::io::Error::from_raw_os_error(ffi::nn_errno()));
        result
    }

    fn open(protocol: c_int, option: c_int, path: &Path) -> c_int {
        let socket = done(ffi::nn_socket(1, protocol));
        let path = path.to_str().unwrap();
        // SAFETY: the value has its length.
        done(unsafe { ffi::nn_setsockopt(socket, TLS, option, path.as_ptr().cast::<c_void>(), path.len()) });
        socket
    }

    /// Comes, leaves a message, and goes; which one it was is in the message.
    fn visits(push: c_int, pull: c_int, address: &CString, number: u64) -> c_int {
        let (message, mut heard) = (number.to_ne_bytes(), [0; 8]);
        // SAFETY: the address is a C string, and the buffers have their lengths.
        unsafe {
            let endpoint = done(ffi::nn_connect(push, address.as_ptr()));
            done(ffi::nn_send(push, message.as_ptr().cast::<c_void>(), message.len(), 0));
            done(ffi::nn_recv(pull, heard.as_mut_ptr().cast::<c_void>(), heard.len(), 0));
            assert_eq!(u64::from_ne_bytes(heard), number);
            endpoint
        }
    }

    #[test]
    fn reconnects_over_tls_leave_nothing() {
        let _alone = ALONE.lock();
        let reconnects = env::var("SOAK_RECONNECTS").map_or(2000, |text| text.parse().expect("a number"));
        let dir = TempDir::new().unwrap();
        let made = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pki.sh")).arg(dir.path()).status();
        assert!(made.unwrap().success(), "openssl makes no certificates");
        let (both, ca) = (dir.path().join("both.pem"), dir.path().join("ca.pem"));
        let pull = open(PULL, CERT, &both);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = CString::new(format!("tls+tcp://127.0.0.1:{port}")).unwrap();
        // SAFETY: the address is a C string.
        done(unsafe { ffi::nn_bind(pull, address.as_ptr()) });
        // Every other one is of a socket that stays, and knows the server.
        let stays = open(PUSH, CA, &ca);
        let mut first = None;
        for number in 1..=reconnects {
            if number % 2 == 0 {
                let endpoint = visits(stays, pull, &address, number);
                done(ffi::nn_shutdown(stays, endpoint));
            } else {
                let push = open(PUSH, CA, &ca);
                visits(push, pull, &address, number);
                done(ffi::nn_close(push));
            }
            if number % (reconnects / 10) == 0 {
                let until = Instant::now() + PATIENCE;
                while ffi::nn_get_statistic(pull, 201) > 0 && Instant::now() < until {
                    thread::sleep(PACE);
                }
                let (descriptors, memory) = (descriptors(), memory());
                let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
                let resident = rollup.lines().find(|line| line.starts_with("Rss:")).unwrap();
                eprintln!("{number} over TLS: {descriptors} descriptors, {memory} KiB, {resident}");
                let (fewest, least) = *first.get_or_insert((descriptors, memory));
                assert_eq!(descriptors, fewest, "descriptors");
                // Some bytes with each of them are more.
                assert!(memory < least + 64 + reconnects / 100, "from {least} KiB to {memory} KiB");
            }
        }
        done(ffi::nn_close(stays));
        done(ffi::nn_close(pull));
    }
}
