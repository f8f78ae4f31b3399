//! Debian's nanocat, unchanged, on our library, and our own nanocat: each talks to Debian's on the original library, over
//! tcp, ipc and ws, whichever of the two binds. At a path of ipc ours also speak by the name unix, which the original 1.1.5
//! does not know.
//!
//! | variable     | effect                                                                                     |
//! |--------------|--------------------------------------------------------------------------------------------|
//! | `CI=true`    | nanocat (Debian's `nanomsg-utils`), `systemd` and our library (`make build`) must be there |
//! | `NN_LIB_DIR` | where our `libnanomsg.so.5` is, instead of `target/lib`; nanocat is in `../bin`            |

#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use tempfile::TempDir;

const NANOCAT: &str = "/usr/bin/nanocat";

/// Starts a program with sockets, as systemd does.
const ACTIVATE: &str = "/usr/bin/systemd-socket-activate";

/// How long any one answer of a child may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The library that a nanocat runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Ours,
    Debian,
    /// Our nanocat, on our library.
    Own,
}

use On::{Debian, Ours, Own};

const TRANSPORTS: [&str; 4] = ["tcp", "ipc", "ws", "unix"];

#[test]
fn ours_binds_and_debian_connects() {
    exchange(Ours, Debian);
}

#[test]
fn debian_binds_and_ours_connects() {
    exchange(Debian, Ours);
}

#[test]
fn ours_talks_to_ours() {
    exchange(Ours, Ours);
}

#[test]
fn our_nanocat_talks_to_debians() {
    exchange(Own, Debian);
    exchange(Debian, Own);
}

/// A message in each direction, each printed by the other side, and a quiet end.
fn exchange(binds: On, connects: On) {
    let Some(stage) = Stage::new() else { return };
    let mut cats = Vec::new();
    for transport in TRANSPORTS {
        let address = stage.address(transport);
        let file = stage.file(b"a\n\"\\\x01\xff\0z");
        let pair = ["--pair", "--recv-timeout", "3", "--send-timeout", "30"];
        let one = ["--bind", &address, "--data", "Say \"hello\"", "--format", "hex"];
        let other = ["--connect", &address, "--file", &file, "--quoted"];
        let mut binder = stage.cat(binds, &[&pair[..], &one].concat());
        let mut connector = stage.cat(connects, &[&pair[..], &other].concat());
        assert_eq!(binder.line(), r#""\x61\x0a\x22\x5c\x01\xff\x00\x7a""#, "{binder:?}");
        assert_eq!(connector.line(), r#""Say \"hello\"""#, "{connector:?}");
        binder.check_library();
        connector.check_library();
        cats.extend([binder, connector]);
    }
    for cat in cats {
        assert_eq!(cat.end(), End { code: Some(0), rest: Vec::new(), errors: String::new() });
    }
}

#[test]
fn what_comes_at_intervals_goes_both_ways() {
    each_pairing(|stage, transport, binds, connects| {
        let address = stage.address(transport);
        let pair = ["--pair", "--interval", "0.02", "--recv-timeout", "30", "--ascii"];
        let mut binder = stage.cat(binds, &[&pair[..], &["--bind", &address, "--data", "tick"]].concat());
        let mut connector = stage.cat(connects, &[&pair[..], &["--connect", &address, "--data", "tock"]].concat());
        for _ in 0..5 {
            assert_eq!(binder.line(), "tock", "{binder:?}");
            assert_eq!(connector.line(), "tick", "{connector:?}");
        }
    });
}

/// Each pattern in the way that its sockets are used with nanocat; the messages are those that the receivers print.
#[test]
fn all_patterns_are_spoken() {
    each_pairing(|stage, transport, binds, connects| {
        let often = ["--interval", "0.02", "--data"];
        let wait = ["--recv-timeout", "30", "--ascii"];
        let answer = ["--recv-timeout", "30", "--quoted", "--data", "answer"];
        // The listener, the dialer, and what each prints.
        type Words<'a> = &'a [&'a [&'a str]];
        let scenes: [(Words, Words, Option<&str>, Option<&str>); 6] = [
            (&[&["--pull"], &wait], &[&["--push"], &often, &["job"]], Some("job"), None),
            (&[&["--pub"], &often, &["a news"]], &[&["--sub", "--subscribe", "a"], &wait], None, Some("a news")),
            (&[&["--rep"], &answer], &[&["--req", "--data", "why"], &wait], Some("\"why\""), Some("answer")),
            (
                &[&["--respondent"], &answer],
                &[&["--surveyor"], &["--recv-timeout", "30", "-A"], &often, &["who"]],
                Some("\"who\""),
                Some("answer"),
            ),
            (&[&["--bus"], &wait, &often, &["one"]], &[&["--bus"], &wait, &often, &["two"]], Some("two"), Some("one")),
            (
                &[&["--pair"], &wait, &often, &["one"]],
                &[&["--pair"], &wait, &often, &["two"]],
                Some("two"),
                Some("one"),
            ),
        ];
        for (listens, dials, first, second) in scenes {
            let address = stage.address(transport);
            let mut listener = stage.cat(binds, &[&listens.concat()[..], &["--bind", &address]].concat());
            let mut dialer = stage.cat(connects, &[&dials.concat()[..], &["--connect", &address]].concat());
            for (cat, expected) in [(&mut listener, first), (&mut dialer, second)] {
                if let Some(expected) = expected {
                    assert_eq!(cat.line(), expected, "{cat:?}");
                }
            }
        }
    });
}

#[test]
fn a_large_file_arrives_whole() {
    let body: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    each_pairing(|stage, transport, binds, connects| {
        let address = stage.address(transport);
        let mut reader = stage.cat(binds, &["--pair", "--recv-timeout", "30", "--bind", &address, "--raw"]);
        let file = stage.file(&body);
        let _writer = stage.cat(connects, &["--pair", "--recv-timeout", "30", "--connect", &address, "--file", &file]);
        assert!(reader.bytes(body.len()) == body, "the bytes differ: {reader:?}");
    });
}

#[test]
fn a_connection_is_made_again_when_the_binder_comes_back() {
    each_pairing(|stage, transport, binds, connects| {
        let address = stage.address(transport);
        let pair = ["--pair", "--recv-timeout", "30", "--send-timeout", "30", "--ascii"];
        let repeating = [&pair[..], &["--connect", &address, "--interval", "0.02", "--data", "still here"]].concat();
        let mut connector = stage.cat(connects, &repeating);
        // The original's ws connector does not come back every other time, from whichever library the binder was.
        let times = if (transport, connects) == ("ws", Debian) { 1 } else { 2 };
        for greeting in &["first", "second"][..times] {
            let mut binder = stage.cat(binds, &[&pair[..], &["--bind", &address, "--data", greeting]].concat());
            assert_eq!(connector.line(), *greeting, "{connector:?}");
            assert_eq!(binder.line(), "still here", "{binder:?}");
        }
    });
}

/// Nothing here needs a peer; both libraries must lead to the same text and the same exit code.
#[test]
fn failures_look_the_same() {
    let Some(stage) = Stage::new() else { return };
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = format!("tcp://{}", taken.local_addr().expect("its address"));
    let nowhere = format!("ipc://{}/missing/socket", stage.dir.path().display());
    let free = stage.address("tcp");
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--bind", &free, "--recv-timeout", "1", "--ascii"], 0, ""),
        (&["--bind", &free, "--send-timeout", "0.1", "--data", "x"], 3, "Can't send: "),
        (&["--bind", &taken], 3, "Can't bind: "),
        (&["--bind", &nowhere], 3, "Can't bind: "),
        (&["--bind", "bogus://address"], 3, "Can't bind: "),
        (&["--bind", "tcp://127.0.0.1"], 3, "Can't bind: "),
        (&["--connect", "tcp://127.0.0.1:99999"], 3, "Can't connect: "),
        (&["--connect", "no address"], 3, "Can't connect: "),
        (&["--bind", &free, "--socket-name", &"long".repeat(50)], 3, "Can't set socket name: "),
    ];
    for (arguments, code, start) in cases {
        let arguments = [&["--pair"], arguments].concat();
        let [theirs, ours, mut own] = [Debian, Ours, Own].map(|on| stage.cat(on, &arguments).end());
        assert_eq!(theirs, ours, "the original, and then ours, with {arguments:?}");
        // Our nanocat says more about an address, on further lines.
        if let Some(end) = own.errors.find("\n    ") {
            own.errors.truncate(end + 1);
        }
        assert_eq!(theirs, own, "the original, and then our nanocat, with {arguments:?}");
        assert_eq!(ours.code, Some(code), "{arguments:?}: {ours:?}");
        assert!(ours.errors.contains(start), "{arguments:?}: {ours:?}");
    }
}

/// What the system's loader says, and with it that no other test here talks to the wrong library.
#[test]
fn the_loader_takes_our_library() {
    let Some(stage) = Stage::new() else { return };
    for (on, expected) in [(Ours, true), (Debian, false)] {
        let mut command = stage.command(on);
        let output = command.arg("--help").env("LD_DEBUG", "libs").output().expect("nanocat starts");
        assert!(output.status.success(), "{output:?}");
        let log = String::from_utf8_lossy(&output.stderr);
        let ours = stage.library.join("libnanomsg.so.5").display().to_string();
        let loaded = log.lines().any(|line| line.contains("calling init:") && line.ends_with(&ours));
        assert_eq!(loaded, expected, "{on:?}\n{log}");
    }
}

/// As systemd starts a service when somebody dials it: with a socket that listens already, or with the connection.
#[test]
fn a_nanocat_that_systemd_starts_serves_at_once() {
    let Some(stage) = Stage::new() else { return };
    if !Path::new(ACTIVATE).exists() {
        return missing(&format!("{ACTIVATE} is not installed: apt-get install systemd"));
    }
    for transport in ["tcp", "unix"] {
        for (started_with, accepts) in [("fd://work", false), ("fd://3", false), ("fd://work", true)] {
            let address = stage.address(transport);
            let (_, listens) = address.split_once("://").expect("a scheme");
            let mut command = Command::new(ACTIVATE);
            command.args(["--listen", listens, "--fdname=work"]).args(accepts.then_some("--accept"));
            command.arg(stage.command(Own).get_program());
            command.args(["--rep", "--bind", started_with, "--data", "hello", "--recv-timeout", "30", "--count", "1"]);
            let server = stage.start(Own, command);
            let mut client = stage.cat(Debian, &["--req", "--connect", &address, "--data", "why", "--ascii"]);
            assert_eq!(client.line(), "hello", "{client:?}, {server:?}");
            if !accepts {
                // It is nanocat by now, whose socket was bound before it was there, and whose file is not its own.
                assert_eq!(server.end().code, Some(0));
                assert!(transport != "unix" || Path::new(listens).exists());
            }
        }
    }
}

/// A visible skip; in CI a failure.
fn missing(what: &str) {
    assert!(!env::var("CI").is_ok_and(|v| v == "true"), "{what}");
    // Not eprintln: what a passing test prints by that is not shown.
    let _ = io::stderr().write_all(format!("skipped: {what}\n").as_bytes());
}

/// Over each transport, with either library on either side.
fn each_pairing(scene: impl Fn(&Stage, &str, On, On)) {
    let Some(stage) = Stage::new() else { return };
    for transport in TRANSPORTS {
        for (binds, connects) in [(Ours, Debian), (Debian, Ours), (Ours, Ours), (Own, Debian), (Debian, Own)] {
            scene(&stage, transport, binds, connects);
        }
    }
}

/// A folder for a test's files, and the two things it needs from outside.
struct Stage {
    dir: TempDir,
    files: Cell<usize>,
    library: PathBuf,
}

impl Stage {
    /// `None`, and a line that says so, where something is missing; in CI a failure.
    fn new() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let library = env::var_os("NN_LIB_DIR").map_or_else(|| root.join("target/lib"), PathBuf::from);
        missing(&if !Path::new(NANOCAT).exists() {
            format!("{NANOCAT} is not installed: apt-get install nanomsg-utils")
        } else if !library.join("libnanomsg.so.5").exists() || !library.with_file_name("bin").join("nanocat").exists() {
            format!("{} has no libnanomsg.so.5, or no nanocat beside it: make build", library.display())
        } else {
            return Some(Self { dir: TempDir::new().expect("a temporary folder"), files: Cell::new(0), library });
        });
        None
    }

    /// An address that nobody has used yet.
    fn address(&self, transport: &str) -> String {
        static PORTS: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
        if matches!(transport, "ipc" | "unix") {
            return format!("{transport}://{}", self.path("socket").display());
        }
        loop {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = listener.local_addr().expect("its address").port();
            if PORTS.lock().expect("no test panics here").insert(port) {
                return format!("{transport}://127.0.0.1:{port}");
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.set(self.files.get() + 1);
        self.dir.path().join(format!("{name}{}", self.files.get()))
    }

    fn file(&self, contents: &[u8]) -> String {
        let path = self.path("file");
        fs::write(&path, contents).expect("a file");
        path.display().to_string()
    }

    fn command(&self, on: On) -> Command {
        let own = self.library.with_file_name("bin").join("nanocat");
        let mut command = if on == Own { Command::new(own) } else { Command::new(NANOCAT) };
        for name in ["LD_LIBRARY_PATH", "LD_PRELOAD", "NN_PRINT_ERRORS"] {
            command.env_remove(name);
        }
        if on == Ours {
            command.env("LD_LIBRARY_PATH", &self.library);
        }
        command.stdin(Stdio::null());
        command
    }

    fn cat(&self, on: On, arguments: &[&str]) -> Cat {
        let mut command = self.command(on);
        // The same path by the name that each knows.
        let known = arguments.iter().map(|word| match word.strip_prefix("unix://") {
            Some(path) if on == Debian => format!("ipc://{path}"),
            _ => (*word).to_owned(),
        });
        command.args(known);
        self.start(on, command)
    }

    fn start(&self, on: On, mut command: Command) -> Cat {
        let errors = self.path("errors");
        command.stdout(Stdio::piped()).stderr(File::create(&errors).expect("a file"));
        let mut child = command.spawn().expect("nanocat starts");
        let mut stdout = child.stdout.take().expect("it is piped");
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let library = fs::canonicalize(self.library.join("libnanomsg.so.5")).expect("the library");
        Cat {
            on,
            arguments: command.get_args().map(Into::into).collect(),
            library,
            child,
            output,
            read: Vec::new(),
            errors,
        }
    }
}

/// A running nanocat. It does not outlive the test.
struct Cat {
    on: On,
    arguments: Vec<OsString>,
    library: PathBuf,
    child: Child,
    output: mpsc::Receiver<Vec<u8>>,
    read: Vec<u8>,
    errors: PathBuf,
}

/// How it ended, and what it printed that nobody has asked for.
#[derive(Debug, PartialEq)]
struct End {
    code: Option<i32>,
    rest: Vec<u8>,
    errors: String,
}

impl Cat {
    /// The next line it prints.
    fn line(&mut self) -> String {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(at) = self.read.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=at).collect();
                return String::from_utf8_lossy(&line[..at]).into_owned();
            }
            self.read_more(until);
        }
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let until = Instant::now() + LIMIT;
        while self.read.len() < count {
            self.read_more(until);
        }
        self.read.drain(..count).collect()
    }

    fn read_more(&mut self, until: Instant) {
        match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(bytes) => self.read.extend(bytes),
            Err(why) => panic!("no more output ({why}) after {} bytes: {self:?}", self.read.len()),
        }
    }

    /// Waits until it ends by itself.
    fn end(mut self) -> End {
        let until = Instant::now() + LIMIT;
        loop {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.read.extend(bytes),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {self:?}"),
            }
        }
        let status = self.child.wait().expect("it was not waited for");
        End { code: status.code(), rest: std::mem::take(&mut self.read), errors: self.errors() }
    }

    fn errors(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.errors).unwrap_or_default()).into_owned()
    }

    /// Which library this process, which is running, has in its memory.
    fn check_library(&self) {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.child.id())).expect("it is running");
        let mapped: BTreeSet<&str> = maps
            .lines()
            .filter_map(|line| line.find('/').map(|at| &line[at..]))
            .filter(|p| p.contains("libnanomsg"))
            .collect();
        let ours = self.library.to_str().expect("a path in UTF-8");
        assert_eq!(mapped.len(), 1, "{mapped:?}: {self:?}");
        assert_eq!(mapped.contains(ours), self.on != Debian, "{mapped:?}: {self:?}");
    }
}

impl std::fmt::Debug for Cat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "nanocat on {:?} {:?}, stderr {:?}", self.on, self.arguments, self.errors())
    }
}

impl Drop for Cat {
    fn drop(&mut self) {
        // Both fail for a child that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
