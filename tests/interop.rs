//! Our library talks to other implementations of the same protocols: to Debian's libnanomsg and to libnng, each in a
//! process of its own, over tcp, ipc and ws, whichever side binds; with 1,000 messages each way, and with the other side
//! killed and started again in the middle. At a path of ipc ours is also called by the other name, unix.
//! libnng knows abstract, tls+tcp and wss, too.
//!
//! The processes are the programs in `tests/interop/`. They do what the scenes in this file order, and check every
//! byte of every message; `tests/interop/peer.h` has the orders.
//!
//! | variable           | effect                                                                           |
//! |--------------------|----------------------------------------------------------------------------------|
//! | `CI=true`          | libnng (Debian's `libnng-dev`) and the original (`libnanomsg-dev`) must be there |
//! | `NN_ORACLE_ONLY=1` | the original takes our library's place                                           |
//! | `NN_LIB_DIR`       | where our `libnanomsg.so.5` is, instead of `target/lib`                          |
//! | `CC`               | the compiler, instead of `cc`                                                    |
//! | `NN_CROSS_CC`      | the compiler of our side, which then is for another machine                      |
//! | `NN_RUNNER`        | what runs programs for that machine                                              |
//! | `NN_NATIVE_LIB_DIR`| this machine's own build of our library takes Debian's place                     |

#![cfg(target_os = "linux")]

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::TempDir;

/// How long any one answer of a peer may take. Longer than a peer's own patience, so that it can tell its reason.
const LIMIT: Duration = Duration::from_secs(30);

/// How many messages go each way.
const MANY: u64 = 1000;

/// From this number on messages have one to four MiB (tests/interop/peer.h), and so many of them go each way.
const LARGE: u64 = 1 << 40;
const FEW: u64 = 8;

/// A publisher has at most so many messages on their way: PUB and BUS may drop what a slow peer does not take.
const WINDOW: u64 = 16;

/// More than the kernel holds between two processes, so that the sender still sends when its peer is killed.
const FLOOD: u64 = 16_000;

/// The library that a peer runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Ours,
    Debian,
    Nng,
}

use On::{Debian, Nng, Ours};

/// Each scene with both other libraries over all transports, and either side binding.
macro_rules! scenes {
    ($($scene:ident)*) => {
        $(scenes! { $scene:
            nng_binds_tcp("tcp", super::Nng, false) nng_connects_tcp("tcp", super::Nng, true)
            nng_binds_ipc("ipc", super::Nng, false) nng_connects_ipc("ipc", super::Nng, true)
            nng_binds_ws("ws", super::Nng, false) nng_connects_ws("ws", super::Nng, true)
            debian_binds_tcp("tcp", super::Debian, false) debian_connects_tcp("tcp", super::Debian, true)
            debian_binds_ipc("ipc", super::Debian, false) debian_connects_ipc("ipc", super::Debian, true)
            nng_binds_unix("unix", super::Nng, false) nng_connects_unix("unix", super::Nng, true)
            debian_binds_unix("unix", super::Debian, false) debian_connects_unix("unix", super::Debian, true)
            nng_binds_abstract("abstract", super::Nng, false) nng_connects_abstract("abstract", super::Nng, true)
            debian_binds_ws("ws", super::Debian, false) debian_connects_ws("ws", super::Debian, true)
            nng_binds_tls("tls+tcp", super::Nng, false) nng_connects_tls("tls+tcp", super::Nng, true)
            nng_binds_wss("wss", super::Nng, false) nng_connects_wss("wss", super::Nng, true)
        })*
    };
    ($scene:ident: $($name:ident($($how:tt)*))*) => {
        mod $scene {
            $(#[test] fn $name() { super::meet(super::$scene, $($how)*); })*
        }
    };
}

// The first role in a name is ours.
scenes! {
    pair_and_pair pair_and_restarted_pair
    publisher_and_sub publisher_and_restarted_sub sub_and_publisher sub_and_restarted_publisher
    req_and_rep req_and_restarted_rep rep_and_req rep_and_restarted_req
    push_and_pull push_and_restarted_pull pull_and_push pull_and_restarted_push
    surveyor_and_respondent surveyor_and_restarted_respondent
    respondent_and_surveyor respondent_and_restarted_surveyor
    bus_and_bus bus_and_restarted_bus
}

// ---- PAIR ----

fn pair_and_pair(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("pair", "pair");
    both_ways(&mut ours, &mut theirs, 0, MANY);
}

fn pair_and_restarted_pair(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("pair", "pair");
    both_ways(&mut ours, &mut theirs, 0, MANY / 2);
    theirs.kill();
    // Until the end of the old connection is noticed, a message may still go there.
    ours.tell("peers 0", "0 peers");
    theirs.restart();
    both_ways(&mut ours, &mut theirs, MANY / 2, MANY / 2);
}

fn both_ways(a: &mut Peer, b: &mut Peer, from: u64, count: u64) {
    for peer in [&mut *a, &mut *b] {
        peer.order(&format!("both {from} {count}"));
    }
    for peer in [a, b] {
        peer.expect(&format!("exchanged {count}"));
    }
}

/// With Debian's only: libnng's peers have no room for that.
mod large {
    #[test]
    fn debian_binds_tcp() {
        super::meet(super::large_messages, "tcp", super::Debian, false);
    }

    #[test]
    fn debian_connects_tcp() {
        super::meet(super::large_messages, "tcp", super::Debian, true);
    }
}

/// Some MiB each, in every pattern where both sides know when the other has one.
fn large_messages(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("pair", "pair");
    both_ways(&mut ours, &mut theirs, LARGE, FEW);
    drop((ours, theirs));
    for (us, them) in [("req", "rep"), ("rep", "req")] {
        let (ours, theirs) = meeting.start(us, them);
        let (mut asks, mut answers) = if us == "req" { (ours, theirs) } else { (theirs, ours) };
        asks.order(&format!("ask {LARGE} {FEW}"));
        answers.order(&format!("answer {LARGE} {FEW}"));
        asks.expect(&format!("asked {FEW}"));
        answers.expect(&format!("answered {FEW}"));
    }
    for (us, them) in [("pub", "sub"), ("sub", "pub")] {
        let (ours, theirs) = meeting.start(us, them);
        let (mut from, mut to) = if us == "pub" { (ours, theirs) } else { (theirs, ours) };
        greet(&mut from, &mut to);
        for number in LARGE..LARGE + FEW {
            from.tell(&format!("send {number} 1"), "sent 1");
            to.tell(&format!("recv {number} 1"), "received 1");
        }
    }
}

// ---- PUB and SUB ----

fn publisher_and_sub(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("pub", "sub");
    greet(&mut ours, &mut theirs);
    paced(&mut ours, &mut theirs, 0, MANY);
}

fn publisher_and_restarted_sub(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("pub", "sub");
    greet(&mut ours, &mut theirs);
    paced(&mut ours, &mut theirs, 0, MANY / 2);
    theirs.kill();
    ours.tell(&format!("send 0 {WINDOW}"), &format!("sent {WINDOW}"));
    theirs.restart();
    greet(&mut ours, &mut theirs);
    paced(&mut ours, &mut theirs, MANY / 2, MANY / 2);
}

fn sub_and_publisher(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("sub", "pub");
    greet(&mut theirs, &mut ours);
    paced(&mut theirs, &mut ours, 0, MANY);
}

fn sub_and_restarted_publisher(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("sub", "pub");
    greet(&mut theirs, &mut ours);
    paced(&mut theirs, &mut ours, 0, MANY / 2);
    theirs.kill();
    theirs.restart();
    greet(&mut theirs, &mut ours);
    paced(&mut theirs, &mut ours, MANY / 2, MANY / 2);
}

/// Sends until something arrives: only then is a connection certain to carry what comes next.
fn greet(from: &mut Peer, to: &mut Peer) {
    let until = Instant::now() + LIMIT;
    to.order("hear");
    loop {
        from.tell("greet", "greeted");
        match to.answer(Duration::from_millis(5)) {
            Some(answer) => return assert_eq!(answer, "heard", "{to:?}"),
            None => assert!(Instant::now() < until, "no greeting arrives: {from:?} {to:?}"),
        }
    }
}

/// The next messages leave when those before them have arrived.
fn paced(from: &mut Peer, to: &mut Peer, first: u64, count: u64) {
    windows(first, count, |first, count| {
        from.tell(&format!("send {first} {count}"), &format!("sent {count}"));
        to.tell(&format!("recv {first} {count}"), &format!("received {count}"));
    });
}

fn windows(first: u64, count: u64, mut one: impl FnMut(u64, u64)) {
    let end = first + count;
    for at in (first..end).step_by(usize::try_from(WINDOW).expect("it is small")) {
        one(at, WINDOW.min(end - at));
    }
}

// ---- REQ and REP, SURVEYOR and RESPONDENT ----

fn req_and_rep(meeting: &Meeting) {
    asks_all(meeting.start("req", "rep"));
}

fn surveyor_and_respondent(meeting: &Meeting) {
    asks_all(meeting.start("surveyor", "respondent"));
}

fn rep_and_req(meeting: &Meeting) {
    let (ours, theirs) = meeting.start("rep", "req");
    asks_all((theirs, ours));
}

fn respondent_and_surveyor(meeting: &Meeting) {
    let (ours, theirs) = meeting.start("respondent", "surveyor");
    asks_all((theirs, ours));
}

fn asks_all((mut asking, mut answering): (Peer, Peer)) {
    answering.order("serve 0");
    asking.tell(&format!("ask 0 {MANY}"), &format!("asked {MANY}"));
}

fn req_and_restarted_rep(meeting: &Meeting) {
    asks_on(meeting.start("req", "rep"));
}

fn surveyor_and_restarted_respondent(meeting: &Meeting) {
    asks_on(meeting.start("surveyor", "respondent"));
}

/// The one who answers is killed with a request in its hands.
fn asks_on((mut ours, mut theirs): (Peer, Peer)) {
    let half = MANY / 2;
    theirs.order(&format!("answer 0 {half}"));
    ours.order(&format!("ask 0 {MANY}"));
    theirs.expect(&format!("answered {half}"));
    theirs.tell(&format!("take {half}"), &format!("took {half}"));
    theirs.kill();
    theirs.restart();
    theirs.order(&format!("serve {half}"));
    ours.expect(&format!("asked {MANY}"));
}

fn rep_and_restarted_req(meeting: &Meeting) {
    answers_on(meeting.start("rep", "req"));
}

fn respondent_and_restarted_surveyor(meeting: &Meeting) {
    answers_on(meeting.start("respondent", "surveyor"));
}

/// The one who asks is killed before its answer comes, and asks the same again.
fn answers_on((mut ours, mut theirs): (Peer, Peer)) {
    let half = MANY / 2;
    ours.order("serve 0");
    theirs.tell(&format!("ask 0 {half}"), &format!("asked {half}"));
    theirs.tell(&format!("send {half} 1"), "sent 1");
    theirs.kill();
    theirs.restart();
    theirs.tell(&format!("ask {half} {half}"), &format!("asked {half}"));
}

// ---- PUSH and PULL ----

fn push_and_pull(meeting: &Meeting) {
    streams(meeting.start("push", "pull"));
}

fn pull_and_push(meeting: &Meeting) {
    let (ours, theirs) = meeting.start("pull", "push");
    streams((theirs, ours));
}

fn streams((mut from, mut to): (Peer, Peer)) {
    from.order(&format!("send 0 {MANY}"));
    to.tell(&format!("recv 0 {MANY}"), &format!("received {MANY}"));
    from.expect(&format!("sent {MANY}"));
}

/// What is on its way to a PULL that dies is lost, and nothing after it.
fn push_and_restarted_pull(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("push", "pull");
    ours.order(&format!("send 0 {FLOOD}"));
    theirs.tell(&format!("recv 0 {MANY}"), &format!("received {MANY}"));
    theirs.kill();
    theirs.restart();
    theirs.tell(&format!("last {MANY} {}", FLOOD - 1), &format!("reached {}", FLOOD - 1));
    ours.expect(&format!("sent {FLOOD}"));
    theirs.order(&format!("recv 0 {MANY}"));
    ours.tell(&format!("send 0 {MANY}"), &format!("sent {MANY}"));
    theirs.expect(&format!("received {MANY}"));
}

fn pull_and_restarted_push(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("pull", "push");
    let half = MANY / 2;
    for from in [0, half] {
        ours.order(&format!("recv {from} {half}"));
        theirs.tell(&format!("send {from} {half}"), &format!("sent {half}"));
        ours.expect(&format!("received {half}"));
        theirs.kill();
        theirs.restart();
    }
}

// ---- BUS ----

fn bus_and_bus(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("bus", "bus");
    bus_ride(&mut ours, &mut theirs, 0, MANY);
}

fn bus_and_restarted_bus(meeting: &Meeting) {
    let (mut ours, mut theirs) = meeting.start("bus", "bus");
    bus_ride(&mut ours, &mut theirs, 0, MANY / 2);
    theirs.kill();
    ours.tell(&format!("send 0 {WINDOW}"), &format!("sent {WINDOW}"));
    theirs.restart();
    bus_ride(&mut ours, &mut theirs, MANY / 2, MANY / 2);
}

fn bus_ride(a: &mut Peer, b: &mut Peer, first: u64, count: u64) {
    greet(a, b);
    greet(b, a);
    windows(first, count, |first, count| {
        for (verb, done) in [("send", "sent"), ("recv", "received")] {
            for peer in [&mut *a, &mut *b] {
                peer.order(&format!("{verb} {first} {count}"));
            }
            for peer in [&mut *a, &mut *b] {
                peer.expect(&format!("{done} {count}"));
            }
        }
    });
}

// ---- Our device between two others ----

macro_rules! devices {
    ($($name:ident: $how:expr;)*) => {
        mod device {
            $(#[test] fn $name() { super::pass(&$how); })*
        }
    };
}

devices! {
    debian_asks_nng_tcp: super::Passage { asks: super::Debian, answers: super::Nng, transport: "tcp", devices: 1 };
    debian_asks_nng_ipc: super::Passage { asks: super::Debian, answers: super::Nng, transport: "ipc", devices: 1 };
    nng_asks_debian_tcp: super::Passage { asks: super::Nng, answers: super::Debian, transport: "tcp", devices: 1 };
    nng_asks_debian_ipc: super::Passage { asks: super::Nng, answers: super::Debian, transport: "ipc", devices: 1 };
    debian_asks_nng_ws: super::Passage { asks: super::Debian, answers: super::Nng, transport: "ws", devices: 1 };
    nng_asks_debian_ws: super::Passage { asks: super::Nng, answers: super::Debian, transport: "ws", devices: 1 };
    nng_asks_nng_tls: super::Passage { asks: super::Nng, answers: super::Nng, transport: "tls+tcp", devices: 1 };
    nng_asks_nng_wss: super::Passage { asks: super::Nng, answers: super::Nng, transport: "wss", devices: 1 };
    debian_asks_nng_through_three: super::Passage {
        asks: super::Debian, answers: super::Nng, transport: "tcp", devices: 3
    };
    nng_asks_debian_through_three: super::Passage {
        asks: super::Nng, answers: super::Debian, transport: "ipc", devices: 3
    };
}

struct Passage {
    asks: On,
    answers: On,
    transport: &'static str,
    devices: usize,
}

/// Requests through our devices and their answers back; once with the devices binding, once connecting, and in the
/// middle of a chain both.
fn pass(passage: &Passage) {
    let Some(stage) = Stage::new(&[passage.asks, passage.answers], passage.transport) else { return };
    for (front, back) in [("bind", "connect"), ("connect", "bind")] {
        let addresses: Vec<String> = (0..=passage.devices).map(|_| stage.address(passage.transport)).collect();
        let mut devices: Vec<Peer> =
            addresses.windows(2).map(|ends| stage.peer(Ours, &["device", front, &ends[0], back, &ends[1]])).collect();
        for device in &mut devices {
            device.await_ready();
        }
        let [first, .., last] = &addresses[..] else { unreachable!("a device has two sides") };
        // Who meets a side that binds connects to it.
        let mut asking = stage.peer(passage.asks, &["req", back, first]);
        let mut answering = stage.peer(passage.answers, &["rep", front, last]);
        asking.await_ready();
        answering.await_ready();
        asks_all((asking, answering));
    }
}

// ---- Subscriptions: what an offer to carry them costs ----

macro_rules! attempts {
    ($($name:ident($dials:ident, $binds:ident, $most:expr))*) => {
        mod attempts {
            $(#[test] fn $name() { super::count_attempts(super::$dials, super::$binds, $most); })*
        }
    };
}

attempts! {
    ours_dials_ours(Ours, Ours, 1)
    ours_dials_debian(Ours, Debian, 2) ours_dials_nng(Ours, Nng, 2)
    debian_dials_ours(Debian, Ours, 1) nng_dials_ours(Nng, Ours, 1)
}

/// Nothing is lost, and an endpoint makes at most one connection more than it would have to: in both roles.
fn count_attempts(dials: On, binds: On, most: usize) {
    let Some(stage) = Stage::new(&[dials, binds], "") else { return };
    for transport in ["tcp", "ipc", "ws"] {
        for publisher_binds in [true, false] {
            let (address, counted) = (stage.address(transport), stage.address(transport));
            let counter = Counter::new(&counted, &address);
            let (dialling, binding) = if publisher_binds { ("sub", "pub") } else { ("pub", "sub") };
            let mut binding = stage.peer(binds, &[binding, "bind", &address]);
            binding.await_ready();
            let mut dialling = stage.peer(dials, &[dialling, "connect", &counted]);
            dialling.await_ready();
            let (from, to) =
                if publisher_binds { (&mut binding, &mut dialling) } else { (&mut dialling, &mut binding) };
            greet(from, to);
            paced(from, to, 0, MANY / 4);
            let attempts = counter.accepted();
            let most = if transport == "ws" { 1 } else { most };
            assert!(attempts <= most, "{attempts} connections over {transport}, publisher binds: {publisher_binds}");
        }
    }
}

/// Stands between two peers, and counts the connections that one makes to the other.
struct Counter(Arc<AtomicUsize>);

impl Counter {
    fn new(listens: &str, behind: &str) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let (listener, behind) =
            (Socket::new(domain(listens), Type::STREAM, None).expect("a socket"), behind.to_owned());
        if domain(listens) == Domain::IPV4 {
            listener.set_reuse_address(true).expect("a socket option");
        }
        listener.bind(&place(listens)).expect("the address is free");
        listener.listen(16).expect("it listens");
        let counted = Arc::clone(&count);
        // It ends with the process.
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                counted.fetch_add(1, Ordering::SeqCst);
                let far = Socket::new(domain(&behind), Type::STREAM, None).expect("a socket");
                far.connect(&place(&behind)).expect("the other side listens");
                let (near, far) = (Arc::new(near), Arc::new(far));
                for (from, to) in [(Arc::clone(&near), Arc::clone(&far)), (far, near)] {
                    thread::spawn(move || {
                        let _ = io::copy(&mut &*from, &mut &*to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        Self(count)
    }

    fn accepted(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn domain(address: &str) -> Domain {
    if address.starts_with("ipc") || address.starts_with("unix") { Domain::UNIX } else { Domain::IPV4 }
}

fn place(address: &str) -> SockAddr {
    let place = address.split_once("://").expect("a transport").1;
    match place.parse::<SocketAddrV4>() {
        Ok(place) => place.into(),
        Err(_) => SockAddr::unix(place).expect("a short path"),
    }
}

// ---- The stage ----

fn meet(scene: fn(&Meeting), transport: &str, other: On, ours_binds: bool) {
    let Some(stage) = Stage::new(&[other], transport) else { return };
    scene(&Meeting { address: stage.address(transport), stage, other, ours_binds });
}

struct Meeting {
    stage: Stage,
    address: String,
    other: On,
    ours_binds: bool,
}

impl Meeting {
    /// A peer on our library and one on the other, which have their addresses.
    fn start(&self, ours: &str, theirs: &str) -> (Peer, Peer) {
        let (us, them) = if self.ours_binds { ("bind", "connect") } else { ("connect", "bind") };
        let mut ours = self.stage.peer(Ours, &[ours, us, &self.address]);
        let mut theirs = self.stage.peer(self.other, &[theirs, them, &self.address]);
        ours.await_ready();
        theirs.await_ready();
        (ours, theirs)
    }
}

/// The compiled peers. `Err` says what is missing on this machine.
struct Programs {
    sp: PathBuf,
    /// For our side, if that is for another machine.
    cross: Option<PathBuf>,
    original: Result<(), String>,
    nng: Result<PathBuf, String>,
    /// An authority, and a certificate that it has signed with its key: PEM.
    certificates: Result<[String; 2], String>,
}

impl Programs {
    fn get() -> &'static Self {
        static PROGRAMS: OnceLock<Programs> = OnceLock::new();
        PROGRAMS.get_or_init(Self::compile)
    }

    fn compile() -> Self {
        // The original alone exports its internal names.
        let original = "#include <nanomsg/nn.h>\nextern const int SYM_VALUE_NAMES_LEN;\n\
                        int main(void) { return nn_errno() + SYM_VALUE_NAMES_LEN; }\n";
        let original = links(original, "-lnanomsg")
            .then_some(())
            .ok_or_else(|| "the original library is not installed: apt-get install libnanomsg-dev".to_owned());
        let ours = [
            format!("-I{}", root().join("include").display()),
            format!("-L{}", library().display()),
            "-l:libnanomsg.so.5".to_owned(),
        ];
        let ours: Vec<&str> = ours.iter().map(String::as_str).collect();
        let cross = env::var("NN_CROSS_CC").ok();
        let cross = cross.map(|compiler| compile_with(Command::new(compiler), "peer_sp", "peer_sp.cross", &ours));
        let sp = compile("peer_sp", if original.is_ok() { &["-lnanomsg"] } else { &ours });
        let nng = if links("#include <nng/nng.h>\nint main(void) { return !nng_version(); }\n", "-lnng") {
            Ok(compile("peer_nng", &["-lnng"]))
        } else {
            Err("libnng is not installed: apt-get install libnng-dev".to_owned())
        };
        Self { sp, cross, original, nng, certificates: certificates() }
    }
}

fn certificates() -> Result<[String; 2], String> {
    let dir = TempDir::new().expect("a temporary folder");
    let output =
        Command::new("sh").arg(root().join("tests/pki.sh")).arg(dir.path()).output().expect("there is a shell");
    if !output.status.success() {
        return Err(format!("no certificates can be made: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(["ca.pem", "both.pem"].map(|name| fs::read_to_string(dir.path().join(name)).expect("it has been made")))
}

fn compile(name: &str, link: &[&str]) -> PathBuf {
    compile_with(compiler(), name, name, link)
}

fn compile_with(mut command: Command, name: &str, program: &str, link: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (program, new) = (folder.join(program), folder.join(format!("{program}.{}", process::id())));
    command.args(["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]).arg(&new);
    command.arg(root().join("tests/interop").join(format!("{name}.c"))).args(link);
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    // Another run of these tests may be using the old one.
    fs::rename(&new, &program).expect("the folder is writable");
    program
}

/// Runs a program for another machine.
fn through_runner(program: &Path) -> Command {
    let runner = env::var("NN_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(first) = words.next() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(words).arg(program);
    command
}

fn links(text: &str, library: &str) -> bool {
    let dir = TempDir::new().expect("a temporary folder");
    let source = dir.path().join("probe.c");
    fs::write(&source, text).expect("a source file");
    let mut command = compiler();
    command.arg("-o").arg(dir.path().join("probe")).arg(&source).arg(library);
    command.output().is_ok_and(|output| output.status.success())
}

fn compiler() -> Command {
    Command::new(env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn library() -> PathBuf {
    env::var_os("NN_LIB_DIR").map_or_else(|| root().join("target/lib"), PathBuf::from)
}

fn oracle_only() -> bool {
    env::var("NN_ORACLE_ONLY").is_ok_and(|v| v == "1")
}

struct Stage {
    dir: TempDir,
    files: Cell<usize>,
    ports: RefCell<Vec<Socket>>,
}

impl Stage {
    /// `None`, and a line that says so, where a library or openssl is missing; in CI a failure.
    fn new(others: &[On], transport: &str) -> Option<Self> {
        assert!(
            oracle_only() || library().join("libnanomsg.so.5").exists(),
            "{} has no libnanomsg.so.5: make build",
            library().display()
        );
        let programs = Programs::get();
        let original = if oracle_only() || others.contains(&Debian) { programs.original.as_ref().err() } else { None };
        let nng = if others.contains(&Nng) { programs.nng.as_ref().err() } else { None };
        let certificates =
            if matches!(transport, "tls+tcp" | "wss") { programs.certificates.as_ref().err() } else { None };
        let Some(missing) = original.or(nng).or(certificates) else {
            let dir = TempDir::new().expect("a temporary folder");
            return Some(Self { dir, files: Cell::new(0), ports: RefCell::default() });
        };
        assert!(!env::var("CI").is_ok_and(|v| v == "true"), "{missing}");
        // Not eprintln: what a passing test prints by that is not shown.
        let _ = io::stderr().write_all(format!("skipped: {missing}\n").as_bytes());
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.set(self.files.get() + 1);
        self.dir.path().join(format!("{name}{}", self.files.get()))
    }

    /// An address that stays free, for the peers only, also while none of them lives: a bound port that nobody listens
    /// on can be taken by those who set SO_REUSEADDR, and the kernel gives it to nobody else.
    fn address(&self, transport: &str) -> String {
        if matches!(transport, "ipc" | "unix" | "abstract") {
            return format!("{transport}://{}", self.path("socket").display());
        }
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("a socket option");
        socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = socket.local_addr().expect("its address").as_socket().expect("an IP address");
        self.ports.borrow_mut().push(socket);
        format!("{transport}://{address}")
    }

    fn peer(&self, on: On, arguments: &[&str]) -> Peer {
        // The same path by the name that each knows: unix is upstream's since 1.3.0.
        let known = |&word: &&str| match word.strip_prefix("unix://") {
            Some(path) if on != Ours => format!("ipc://{path}"),
            _ => word.to_owned(),
        };
        let arguments: Vec<String> = arguments.iter().map(known).collect();
        let errors = self.path("errors");
        let running = Running::start(on, &arguments, &errors);
        Peer { on, arguments, errors, running, said: Vec::new() }
    }
}

/// A peer that does what it is told. It does not outlive the test.
struct Peer {
    on: On,
    arguments: Vec<String>,
    errors: PathBuf,
    running: Running,
    /// Orders and answers, for the report of a failure.
    said: Vec<String>,
}

struct Running {
    child: Child,
    orders: ChildStdin,
    answers: mpsc::Receiver<String>,
}

impl Running {
    fn start(on: On, arguments: &[String], errors: &Path) -> Self {
        let programs = Programs::get();
        let mut command = match (on, &programs.cross) {
            (Ours, Some(program)) => through_runner(program),
            (Ours | Debian, _) => Command::new(&programs.sp),
            (Nng, _) => Command::new(programs.nng.as_ref().expect("the stage has looked")),
        };
        for name in ["LD_LIBRARY_PATH", "LD_PRELOAD", "NN_PRINT_ERRORS"] {
            command.env_remove(name);
        }
        if on == Ours && !oracle_only() {
            command.env("LD_LIBRARY_PATH", library());
        } else if on == Debian
            && let Some(native) = env::var_os("NN_NATIVE_LIB_DIR")
        {
            command.env("LD_LIBRARY_PATH", native);
        }
        if let Ok([authority, certificate]) = &programs.certificates {
            command.env("AUTHORITY", authority).env("CERTIFICATE", certificate);
        }
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let errors = fs::OpenOptions::new().create(true).append(true).open(errors).expect("a file");
        let mut child = command.stderr(errors).spawn().expect("the peer starts");
        let stdout = child.stdout.take().expect("it is piped");
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| sender.send(l)));
        Self { orders: child.stdin.take().expect("it is piped"), child, answers }
    }
}

impl Peer {
    /// The peer has its address.
    fn await_ready(&mut self) {
        self.expect("ready");
        if self.on != Nng {
            self.check_library();
        }
    }

    fn order(&mut self, order: &str) {
        self.said.push(format!("> {order}"));
        let sent = writeln!(self.running.orders, "{order}");
        assert!(sent.is_ok(), "it does not listen: {self:?}");
    }

    fn answer(&mut self, within: Duration) -> Option<String> {
        match self.running.answers.recv_timeout(within) {
            Ok(line) => {
                self.said.push(line.clone());
                Some(line)
            }
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => panic!("it has ended: {self:?}"),
        }
    }

    fn expect(&mut self, expected: &str) {
        match self.answer(LIMIT) {
            Some(answer) => assert_eq!(answer, expected, "{self:?}"),
            None => panic!("no answer, where {expected:?} is expected: {self:?}"),
        }
    }

    fn tell(&mut self, order: &str, expected: &str) {
        self.order(order);
        self.expect(expected);
    }

    /// By SIGKILL, which no library can see coming.
    fn kill(&mut self) {
        self.said.push("killed".to_owned());
        self.running.child.kill().expect("it is ours");
        self.running.child.wait().expect("it was not waited for");
    }

    /// Another process with the same role at the same address.
    fn restart(&mut self) {
        self.running = Running::start(self.on, &self.arguments, &self.errors);
        self.await_ready();
    }

    /// Which library the process has in its memory.
    fn check_library(&self) {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.running.child.id())).expect("it is running");
        let ours = fs::canonicalize(library().join("libnanomsg.so.5")).unwrap_or_default();
        let ours = maps.lines().any(|line| !ours.as_os_str().is_empty() && line.ends_with(&*ours.to_string_lossy()));
        assert_eq!(ours, self.on == Ours && !oracle_only(), "the wrong library: {self:?}");
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let errors = String::from_utf8_lossy(&fs::read(&self.errors).unwrap_or_default()).into_owned();
        let last = &self.said[self.said.len().saturating_sub(12)..];
        write!(
            f,
            "peer on {:?} {:?}, stderr {errors:?}, of {} lines the last: {last:#?}",
            self.on,
            self.arguments,
            self.said.len()
        )
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail for a child that has been waited for.
        let _ = self.running.child.kill();
        let _ = self.running.child.wait();
    }
}
