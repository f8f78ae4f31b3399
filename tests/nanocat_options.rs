//! The command line of our nanocat: with the same words it prints the same and ends with the same code as Debian's. And
//! what Debian's does not have.
//!
//! | variable     | effect                                                                               |
//! |--------------|--------------------------------------------------------------------------------------|
//! | `CI=true`    | both nanocats must be there (Debian's `nanomsg-utils`; ours is made by `make build`) |
//! | `NN_BIN_DIR` | where our nanocat is, instead of `target/bin`                                        |

#![cfg(target_os = "linux")]

use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const DEBIAN: &str = "/usr/bin/nanocat";

/// How long one run may take.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn wrong_command_lines_are_answered_alike() {
    let Some(both) = Both::new() else { return };
    let lines: &[&[&str]] = &[
        &[],
        &[""],
        &["foo"],
        &["--bogus"],
        &["--bogus=3"],
        &["-Z"],
        &["-vZ"],
        &["-1"],
        &["---"],
        &["--pu"],
        &["--pu=3"],
        &["--re"],
        &["--s"],
        &["--sock"],
        &["--pullx"],
        &["--push=1"],
        &["--pul=3"],
        &["--help=3"],
        &["--verbose=1"],
        &["--bind"],
        &["-X"],
        &["-vX"],
        &["-Xfoo", "-vqX"],
        &["-D"],
        &["-i"],
        &["--format"],
        &["--recv"],
        &["--pull", "--recv-timeout", "x"],
        &["--pull", "--recv-timeout="],
        &["--pull", "--recv-timeout", "1 "],
        &["--pull", "--recv-timeout", " 1"],
        &["--pull", "--recv=x"],
        &["--pull", "--recv", "x"],
        &["-dx"],
        &["-d", "x"],
        &["--pull", "--format", "zzz"],
        &["--pull", "--format=zzz"],
        &["--pull", "--format", "h"],
        &["--pull", "--forma", "zzz"],
        &["--pull", "--pull"],
        &["--pair", "--pai"],
        &["--pair", "--pul"],
        &["--pull", "--data", "a"],
        &["--pull", "--dat", "a"],
        &["--pull", "--data="],
        &["--push", "--data", "a", "--file", "b"],
        &["--push", "--data", "a", "-F", "b"],
        &["--push", "-Da", "-D", "b"],
        &["--push", "-Da", "--data", "b"],
        &["--push", "-F", "/nonexistent", "-D", "a"],
        &["--push"],
        &["--sur"],
        &["--push", "--bind", "inproc://a"],
        &["--push", "--data", "a"],
        &["--pull"],
        &["--bind", "inproc://a"],
        &["--bind="],
        &["--pull", "--subscribe", "a"],
        &["--pull", "--data", "b", "--subscribe", "a"],
        &["--push", "--hex", "--subscribe", "a"],
        &["--push", "--bind", "inproc://a", "--data", "b", "--hex"],
        &["--push", "--bind", "inproc://a", "--data", "b", "-A"],
        &["--pull", "--send-timeout", "1", "--bind", "inproc://a"],
        &["--pull", "-i", "3", "--bind", "inproc://a"],
        &["--pull", "-Afoo"],
        &["--pull", "--help=", "--bogus"],
    ];
    let names: &[(&str, &[&str])] = &[
        ("nn_push", &[]),
        ("some/folder/nn_push", &["--pull"]),
        ("nn_pull", &["--data", "a"]),
        ("nn_req", &["--data", "a"]),
        ("nn_bogus", &["--bind", "inproc://a"]),
    ];
    let named = lines.iter().map(|line| ("nanocat", *line)).chain(names.iter().copied());
    for (name, line) in named {
        let [theirs, mut ours] = both.run(name, line, b"");
        // Upstream has them since 1.3.0.
        let older = |line: &&str| !matches!(line.trim(), "--bind-unix" | "--connect-unix");
        ours.errors = ours.errors.lines().filter(older).map(|line| format!("{line}\n")).collect();
        assert_eq!(ours, theirs, "{name} {line:?}: ours, and then the original");
        assert!([Some(1), Some(2)].contains(&ours.code), "{name} {line:?}: {ours:?}");
    }
}

#[test]
fn right_command_lines_are_understood_alike() {
    let Some(both) = Both::new() else { return };
    let empty = ["--recv-timeout", "0"];
    let lines: &[(&str, &[&str])] = &[
        ("nanocat", &["--pull", "--bind", "inproc://a"]),
        ("nanocat", &["--pul", "--bind=inproc://a"]),
        ("nanocat", &["--", "-", "--pull", "--", "--connect", "inproc://a", "-"]),
        ("nanocat", &["-vvqAQ", "--pull", "-xno/such"]),
        ("nanocat", &["-l", "1", "--pull", "--connect", "inproc://a", "--connect", "inproc://b"]),
        ("nanocat", &["--connect-ipc=no/such", "--pul"]),
        ("nanocat", &["--sub", "--subscribe", "a", "--subs", "", "--bind", "inproc://--"]),
        ("nanocat", &["--sub", "--bind", "--pull"]),
        ("nanocat", &["--rep", "--bind", "inproc://a"]),
        ("nanocat", &["--rep", "--bind", "inproc://a", "--data", "b"]),
        ("nanocat", &["--respondent", "--bind", "inproc://a", "--data", "b"]),
        ("nanocat", &["--req", "--bind", "inproc://a", "--data", "b"]),
        ("nanocat", &["--surveyor", "--bind", "inproc://a", "--data", "b"]),
        ("nanocat", &["--pair", "--bind", "inproc://a", "--data", "b", "--send-timeout", "0.01"]),
        ("nanocat", &["--pair", "--bind", "inproc://a", "--recv-timeout", "0x0p0", "--delay", "0.01"]),
        ("nanocat", &["--pair", "--bind", "inproc://a", "--bind", "inproc://a"]),
        ("nanocat", &["--pair", "--socket-name", "name", "--bind", "inproc://a"]),
        ("nn_pair", &["--bind", "inproc://a"]),
        ("./nn_bus", &["--bind", "inproc://a", "--data", "b"]),
        ("/a/nn_respondent", &["--bind", "inproc://a"]),
    ];
    for (name, line) in lines {
        let line = [line, &empty[..]].concat();
        let [theirs, ours] = both.run(name, &line, b"");
        assert_eq!(ours.first_error_line(), theirs.first_error_line(), "{name} {line:?}");
        assert_eq!((&ours.output, ours.code), (&theirs.output, theirs.code), "{name} {line:?}");
    }
    // Upstream crashes at a second address of this kind.
    let line = ["--pull", "-x", "no/1", "--connect-ipc", "no/2", "-l1", "-l", "2", "--recv-timeout", "0"];
    assert_eq!(both.ours("nanocat", &line, b""), End { code: Some(0), output: Vec::new(), errors: String::new() });
    // And these make it abort, or wait.
    let to_nobody = ["--pub", "--bind", "inproc://a", "--file"];
    assert_eq!(both.ours("nanocat", &[&to_nobody[..], &["-", "--delay", "-1"]].concat(), b"").code, Some(0));
    assert_eq!(both.ours("nanocat", &[&to_nobody[..], &["/"]].concat(), b"").code, Some(2));
    // This needs no limit, and must not wait.
    let [theirs, ours] = both.run("nanocat", &["--pub", "--bind", "inproc://a", "--data", ""], b"");
    assert_eq!(ours, theirs);
}

#[test]
fn messages_are_printed_alike() {
    let Some(both) = Both::new() else { return };
    let every: Vec<u8> = (0..=255).chain(*b"a\n\"\\\x01\xff\r").collect();
    let to_itself = ["--bus", "--bind", "inproc://a", "--connect", "inproc://a", "--recv-timeout", "1", "--file", "-"];
    let formats: [&[&str]; 13] = [
        &[],
        &["--raw"],
        &["--ascii"],
        &["-A"],
        &["--quoted"],
        &["-Q"],
        &["--msgpack"],
        &["--hex"],
        &["--format", "no"],
        &["--format=raw"],
        &["--format", "msgpack"],
        &["-A", "--format", "hex"],
        &["--hex", "-Q"],
    ];
    thread::scope(|scope| {
        for format in formats {
            let (both, every) = (&both, &every);
            scope.spawn(move || {
                let line = [&to_itself[..], format].concat();
                let [theirs, ours] = both.run("nanocat", &line, every);
                assert_eq!(ours, theirs, "{line:?}");
                assert_eq!(ours.code, Some(0));
                assert_eq!(ours.output.is_empty(), format.is_empty() || format[0..].contains(&"no"), "{line:?}");
            });
        }
    });
}

#[test]
fn the_help_has_upstreams_layout_and_all_its_options() {
    let Some(both) = Both::new() else { return };
    for line in [&["--help"][..], &["-vh"], &["--pull", "--help", "--bogus"]] {
        let [theirs, ours] = both.run("nanocat", line, b"");
        assert_eq!((ours.code, &ours.errors[..]), (Some(0), ""));
        let [theirs, ours] = [theirs.output, ours.output].map(|output| String::from_utf8(output).unwrap());
        // Since upstream's 1.3.0.
        let ours = ours.replace("--bind-unix|--connect-unix|", "");
        // The usage, word for word; the wording of the descriptions is free.
        assert_eq!(ours.lines().take(4).collect::<Vec<_>>(), theirs.lines().take(4).collect::<Vec<_>>());
        let entries = |text: &str| -> Vec<String> {
            let heads = text.lines().skip(4).filter(|line| !line.is_empty() && !line.starts_with("  "));
            heads.map(|line| line.get(..24).unwrap_or(line).trim_end().to_owned()).collect()
        };
        let ours_only = [
            " --bind-unix PATH",
            " --connect-unix PATH",
            " --version",
            " --json",
            "TLS Options:",
            " --cacert FILE",
            " --cert FILE",
            " --key FILE",
            " --tls-name NAME",
            " --insecure",
            "Ending and Watching:",
            " --count N",
            " --stats",
            " --monitor[=ADDR]",
        ];
        let found: Vec<String> = entries(&ours).into_iter().filter(|head| !ours_only.contains(&&head[..])).collect();
        assert_eq!(found, entries(&theirs));
        assert!(ours.lines().skip(4).all(|line| line.len() < 80), "{ours}");
    }
}

#[test]
fn it_says_its_version() {
    let Some(both) = Both::new() else { return };
    let version = concat!("nanocat ", env!("CARGO_PKG_VERSION"), "\n");
    for line in [&["--version"][..], &["-v", "--version", "--bogus"]] {
        let ours = both.ours("nanocat", line, b"");
        assert_eq!((str::from_utf8(&ours.output), ours.code), (Ok(version), Some(0)), "{ours:?}");
    }
    // The abbreviation that upstream has stays its.
    assert_eq!(both.ours("nanocat", &["--ver", "--help"], b"").code, Some(0));
}

#[test]
fn refused_addresses_are_explained() {
    let Some(both) = Both::new() else { return };
    let long = format!("ipc:///{}", "x".repeat(110));
    let cases = [
        ("--bind", "nothing", "an address is inproc://NAME"),
        ("--bind", "bogus://a", "\"bogus\" is no transport here"),
        ("--connect", "tcp://127.0.0.1:99999", "a number from 1 to 65535"),
        ("--connect", "tcp://no_underscore:80", "the host is neither a name nor an address"),
        ("--bind", "wss://127.0.0.1/a", "what is bound has no path"),
        ("--bind", "tcp://no-such-interface:80", "is not *, an address, or an interface"),
        ("--bind", "tcp://203.0.113.7:8000", "not an address of this machine"),
        ("--bind", "ipc:///no/such/folder/a", "the folder does not exist"),
        ("--connect", &long, "longer than 107 bytes"),
        ("--bind", "ipc:///tmp", "somebody else is bound to it"),
        ("--bind", "unix:///no/such/folder/a", "the folder does not exist"),
        ("--connect", "unix://", "there is no path"),
        ("--bind-unix", "", "there is no path"),
        ("--bind", "fd://0", "this descriptor is no socket"),
        ("--bind", "fd://999", "there is no such descriptor"),
        ("--connect", "fd://work", "not started with a socket of that name"),
        ("--connect", "fd://a:b", "neither a number nor a name"),
        (
            "--bind",
            "winpipe://a",
            "\"winpipe\" is no transport here; inproc, unix (or ipc), tcp, ws, tls+tcp and wss are",
        ),
        ("--connect", "tls+tcp://127.0.0.1:0", "a number from 1 to 65535"),
    ];
    for (option, address, reason) in cases {
        let ours = Both::ours(&both, "nanocat", &["--pair", option, address], b"");
        assert_eq!(ours.code, Some(3), "{address}: {ours:?}");
        let second = ours.errors.lines().nth(1).unwrap_or_default();
        let address = if option == "--bind-unix" { format!("unix://{address}") } else { address.to_owned() };
        assert!(second.starts_with(&format!("    {address}: ")) && second.contains(reason), "{address}: {ours:?}");
    }
}

/// Upstream's since 1.3.0: each way, with the other name, and abbreviated. They have no short form.
#[test]
fn unix_paths_are_bound_and_connected_to() {
    let Some(both) = Both::new() else { return };
    let path = both.dir.path().join("a path\u{e4}").display().to_string();
    for (binds, connects) in [("--bind-unix", "--connect-unix"), ("-X", "--connect-u"), ("--bind-u", "-x")] {
        let mut receiver = both.start("nn_pull", &[binds, &path, "--count", "1", "-A"], b"");
        let sent = both.ours("nn_push", &[connects, &path, "--count", "1", "--data", "job"], b"");
        assert_eq!(sent.code, Some(0), "{sent:?}");
        let received = ended(&mut receiver);
        assert_eq!((&received.output[..], received.code), (&b"job\n"[..], Some(0)), "{received:?}");
    }
    let help = both.ours("nanocat", &["--help"], b"").output;
    let help = String::from_utf8(help).unwrap();
    for line in [" --bind-unix PATH", " --connect-unix PATH"] {
        assert!(help.lines().any(|other| other.starts_with(line)), "{help}");
    }
    assert!(!help.contains("winpipe"));
    for missing in ["--bind-winpipe", "--connect-winpipe"] {
        assert_eq!(both.ours("nanocat", &["--pull", missing, "a"], b"").code, Some(1));
    }
}

#[test]
fn json_has_text_or_base64_on_a_line() {
    let Some(both) = Both::new() else { return };
    for (body, line) in [
        (&b"caf\xc3\xa9 \"1\"\n"[..], "{\"text\":\"café \\\"1\\\"\\n\"}\n"),
        (b"\xff\0\x01\x02", "{\"base64\":\"/wABAg==\"}\n"),
        (b"", "{\"text\":\"\"}\n"),
    ] {
        let to_itself =
            ["--bus", "--bind", "inproc://a", "--connect", "inproc://a", "--count", "1", "--json", "-F", "-"];
        let ours = both.ours("nanocat", &to_itself, body);
        assert_eq!((str::from_utf8(&ours.output), ours.code), (Ok(line), Some(0)), "{ours:?}");
    }
}

#[test]
fn it_ends_after_as_many_messages_as_it_is_told() {
    let Some(both) = Both::new() else { return };
    for (receives, sends) in [("--pull", "--push"), ("--sub", "--pub"), ("--pair", "--pair")] {
        let address = format!("ipc://{}/{receives}", both.dir.path().display());
        // The sender goes on; that the receiver ends, and after three, is its own doing.
        let _sender =
            both.start("nanocat", &[sends, "--connect", &address, "--interval", "0.01", "--data", "job"], b"");
        let ours = both.ours("nanocat", &[receives, "--bind", &address, "--count", "3", "-A"], b"");
        assert_eq!((&ours.output[..], ours.code), (&b"job\njob\njob\n"[..], Some(0)), "{ours:?}");
    }
    // Whoever only sends counts that; all of it arrives.
    let address = format!("ipc://{}/sent", both.dir.path().display());
    let mut receiver = both.start("nn_pull", &["--bind", &address, "--count", "5", "-A"], b"");
    let ours = both.ours("nn_push", &["--connect", &address, "--count", "5", "--data", "job"], b"");
    assert_eq!(ours.code, Some(0), "{ours:?}");
    let received = ended(&mut receiver);
    assert_eq!((&received.output[..], received.code), (&b"job\n".repeat(5)[..], Some(0)), "{received:?}");
    // An answerer has answered before it ends.
    let address = format!("ipc://{}/asked", both.dir.path().display());
    let mut answerer = both.start("nn_rep", &["--bind", &address, "--count", "1", "--data", "yes", "-A"], b"");
    let asker = both.ours("nn_req", &["--connect", &address, "--data", "really", "-A"], b"");
    assert_eq!((&asker.output[..], asker.code), (&b"yes\n"[..], Some(0)), "{asker:?}");
    assert_eq!(ended(&mut answerer).output, b"really\n");
    for wrong in ["0", "-1", "x", ""] {
        let ours = both.ours("nanocat", &["--pull", "--bind", "inproc://a", "--count", wrong], b"");
        assert_eq!(ours.code, Some(1));
        assert_eq!(ours.errors, "nanocat: Option --count requires a whole number greater than 0\n");
    }
}

#[test]
fn statistics_are_kept_on_the_standard_error() {
    let Some(both) = Both::new() else { return };
    let to_itself = ["--bus", "--bind", "inproc://a", "--connect", "inproc://a", "--count", "4", "-A", "--stats"];
    let ours = both.ours("nanocat", &[&to_itself[..], &["--data", "12345", "--interval", "0.8"]].concat(), b"");
    assert_eq!((&ours.output[..], ours.code), (&b"12345\n".repeat(4)[..], Some(0)), "{ours:?}");
    let lines: Vec<&str> = ours.errors.lines().collect();
    // While it runs, and at its end.
    assert!(lines.len() >= 2, "{ours:?}");
    let last = lines.last().unwrap();
    assert!(last.contains("sent 2, bytes sent 10, received 4, bytes received 20"), "{ours:?}");
    let quiet = both.ours("nanocat", &["--pub", "--bind", "inproc://a", "--data", "a"], b"");
    assert_eq!(quiet.errors, "");
}

/// What a PUB has not sent because nobody wants it is said where there is any.
#[test]
fn statistics_tell_what_nobody_wanted() {
    let Some(both) = Both::new() else { return };
    let address = format!("ipc://{}/filtered", both.dir.path().display());
    let often = ["--data", "news", "--interval", "0.01", "--stats"];
    let mut publisher = both.start("nn_pub", &[&["--bind", &address], &often[..]].concat(), b"");
    let lines = error_lines(&mut publisher);
    assert!(!line_with(&lines, "sent").contains("filtered"));
    let _subscriber = both.start("nn_sub", &["--connect", &address, "--subscribe", "other"], b"");
    line_with(&lines, ", filtered ");
}

/// And what a subscriber has missed that does not read.
#[test]
fn statistics_tell_what_found_no_room() {
    let Some(both) = Both::new() else { return };
    let address = format!("ipc://{}/overflowed", both.dir.path().display());
    let (news, often) = ("x".repeat(100_000), ["--interval", "0.01", "--stats"]);
    let mut publisher = both.start("nn_pub", &[&["--bind", &address, "--data", &news], &often[..]].concat(), b"");
    let lines = error_lines(&mut publisher);
    assert!(!line_with(&lines, "sent").contains("overflowed"));
    let _subscriber = both.start("nn_sub", &["--connect", &address, "--delay", "60"], b"");
    line_with(&lines, ", overflowed ");
}

#[test]
fn events_are_lines_on_the_standard_error() {
    let Some(both) = Both::new() else { return };
    let to_itself = ["--bus", "--bind", "inproc://a", "--connect", "inproc://a", "--count", "2", "-A", "--data", "hi"];
    let ours = both.ours("nanocat", &[&to_itself[..], &["--socket-name", "me", "--monitor"]].concat(), b"");
    assert_eq!((&ours.output[..], ours.code), (&b"hi\nhi\n"[..], Some(0)), "{ours:?}");
    // From the first one to the last, whatever the threads do.
    let mut events = Vec::new();
    for (number, line) in ours.errors.lines().enumerate() {
        let (name, object) = line.split_once(' ').expect("a name and an object");
        assert!(object.starts_with(&format!("{{\"event\":\"{name}\",\"seq\":{},", number + 1)), "{line}");
        events.push(name);
    }
    assert_eq!(events.first(), Some(&"listening"), "{ours:?}");
    assert_eq!(events.last(), Some(&"monitor_stopped"), "{ours:?}");
    let times = |name| events.iter().filter(|event| **event == name).count();
    assert_eq!([times("connected"), times("disconnected"), times("closed")], [2, 2, 2], "{ours:?}");
    // A failure is an event too, and what nanocat says of it comes last.
    let ours = both.ours("nanocat", &["--pair", "--monitor", "--bind", "ipc:///no/such/folder/a"], b"");
    let words: Vec<&str> = ours.errors.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!((words, ours.code), (vec!["bind_failed", "monitor_stopped", "Can't", ""], Some(3)), "{ours:?}");
}

#[test]
fn events_are_published_at_an_address() {
    let Some(both) = Both::new() else { return };
    let [address, monitor] = ["a", "m"].map(|name| format!("ipc://{}/{name}", both.dir.path().display()));
    let at = format!("--monitor={monitor}");
    let mut watched = both.start("nn_pair", &["--bind", &address, &at, "-v"], b"");
    assert_eq!(line_with(&error_lines(&mut watched), "monitor"), format!("nanocat: monitor at {monitor}"));
    let wants = ["--subscribe", "connected ", "--count", "1", "-A"];
    let mut subscriber = both.start("nn_sub", &[&["--connect", &monitor], &wants[..]].concat(), b"");
    // It may subscribe only after some of the peers have been there.
    let until = Instant::now() + LIMIT;
    while subscriber.0.try_wait().expect("it is a child").is_none() {
        let peer = both.ours("nn_pair", &["--connect", &address, "--data", "hi", "--recv-timeout", "0"], b"");
        assert_eq!(peer.code, Some(0), "{peer:?}");
        assert!(Instant::now() < until, "nobody hears of the peers");
    }
    let heard = String::from_utf8(ended(&mut subscriber).output).unwrap();
    assert!(heard.starts_with("connected {\"event\":\"connected\",") && heard.contains("\"peer\":{"), "{heard}");
    for (option, complaint) in [
        ("--monitor=", "nanocat: Option --monitor= requires an argument behind ``=''"),
        ("--monitor=ipc:///no/such/folder/a", "Can't monitor: No such file or directory"),
    ] {
        let ours = both.ours("nanocat", &["--pair", "--bind", "inproc://a", option], b"");
        assert_eq!(ours.first_error_line(), complaint);
        assert_ne!(ours.code, Some(0));
    }
    // The next word is not its value.
    let ours = both.ours("nanocat", &["--pair", "--bind", "inproc://a", "--monitor", "tcp://127.0.0.1:1"], b"");
    assert_eq!(ours.first_error_line(), "nanocat: Unexpected argument ``tcp://127.0.0.1:1''");
}

/// Somebody who binds with these, and somebody who connects with those: whether a job gets through, or what the first of the two
/// says that knows why it does not.
#[test]
fn certificates_say_who_talks_to_whom() {
    let Some(both) = Both::new() else { return };
    let Some(keys) = certificates(&both) else { return };
    let file = |name: &str| keys.join(name).display().to_string();
    let [ca, server, server_key, both_pem] = ["ca.pem", "server.pem", "server.key", "both.pem"].map(file);
    let [client, client_key, untrusted, untrusted_key] =
        ["client.pem", "client.key", "untrusted.pem", "untrusted.key"].map(file);
    let [elsewhere, elsewhere_key, other] = ["elsewhere.pem", "elsewhere.key", "other-ca.pem"].map(file);
    let own = ["--cert", &server, "--key", &server_key];
    let mutual = [&own[..], &["--cacert", &ca]].concat();
    let known = ["--cacert", &ca, "--cert", &client, "--key", &client_key];
    let stranger = ["--cacert", &ca, "--cert", &untrusted, "--key", &untrusted_key];
    let misnamed = ["--cert", &elsewhere, "--key", &elsewhere_key];
    let lenient = [&mutual[..], &["--insecure"]].concat();
    let by_name = ["--cacert", &ca, "--tls-name", "elsewhere.example"];
    let (untrusting, nameless) =
        ("No trusted authority has signed the peer's certificate", "The peer's certificate is for another name");
    type Words<'a> = &'a [&'a str];
    let cases: [(Words, Words, Option<&str>); 13] = [
        (&own, &["--cacert", &ca], None),
        (&["--cert", &both_pem], &["--cacert", &ca], None),
        (&mutual, &known, None),
        (&own, &["--insecure"], None),
        (&own, &["--insecure", "--cacert", &other], None),
        (&lenient, &["--cacert", &ca], None),
        (&lenient, &stranger, None),
        (&misnamed, &by_name, None),
        (&own, &[], Some(untrusting)),
        (&own, &["--cacert", &other], Some(untrusting)),
        (&misnamed, &["--cacert", &ca], Some(nameless)),
        (&mutual, &["--cacert", &ca], Some("The peer has shown no certificate")),
        (&mutual, &stranger, Some(untrusting)),
    ];
    for scheme in ["tls+tcp", "wss"] {
        for (binds, connects, refused) in &cases {
            let at = format!("{scheme}://127.0.0.1:0");
            let mut bound = both.start("nn_pull", &[&["--bind", &at, "-v", "--monitor", "-A"], *binds].concat(), b"");
            let lines = error_lines(&mut bound);
            let told = line_with(&lines, "nanocat: bound to ");
            let address = told.trim_start_matches("nanocat: bound to ");
            let job = ["--connect", address, "--data", "job", "--monitor"];
            let mut connected = both.start("nn_push", &[&job[..], *connects].concat(), b"");
            let Some(why) = refused else {
                let sent = ended(&mut connected);
                assert_eq!(sent.code, Some(0), "{binds:?} {connects:?}: {sent:?}");
                let mut line = [0; 4];
                bound.0.stdout.as_mut().expect("it is piped").read_exact(&mut line).expect("the job");
                assert_eq!(&line, b"job\n");
                continue;
            };
            // Who verifies the peer says why; the other one says only that it was refused.
            let by_the_bound = **binds == *mutual;
            let lines = if by_the_bound { lines } else { error_lines(&mut connected) };
            let event = line_with(&lines, "handshake_failed ");
            assert!(event.contains("\"reason\":\"tls\"") && event.contains(why), "{binds:?} {connects:?}: {event}");
        }
    }
}

/// A monitor is reached by TLS as its socket is.
#[test]
fn events_are_published_over_tls() {
    let Some(both) = Both::new() else { return };
    let Some(keys) = certificates(&both) else { return };
    let [ca, pem] = ["ca.pem", "both.pem"].map(|name| keys.join(name).display().to_string());
    let at = ["--bind", "inproc://a", "--monitor=tls+tcp://127.0.0.1:0", "-v", "--cert", &pem];
    let mut watched = both.start("nn_pair", &at, b"");
    let told = line_with(&error_lines(&mut watched), "nanocat: monitor at ");
    let monitor = told.trim_start_matches("nanocat: monitor at ");
    let subscriber = ["--connect", monitor, "--cacert", &ca, "--monitor"];
    line_with(&error_lines(&mut both.start("nn_sub", &subscriber, b"")), "connected ");
}

#[test]
fn what_is_wrong_with_certificates_is_said() {
    let Some(both) = Both::new() else { return };
    let Some(keys) = certificates(&both) else { return };
    let file = |name: &str| keys.join(name).display().to_string();
    let [ca, server, server_key, client_key, missing] =
        ["ca.pem", "server.pem", "server.key", "client.key", "missing.pem"].map(file);
    let nothing = file("nothing.pem");
    std::fs::write(&nothing, "nothing").expect("a file");
    let open = |why: &str, path: &str| format!("Error opening file ``{path}'': {why}");
    let no_certificate = |path: &str| format!("Error reading file ``{path}'': it holds no certificate in PEM form");
    let no_key = |path: &str| format!("Error reading file ``{path}'': it holds no private key in PEM form");
    let unfit = "    tls+tcp://127.0.0.1:0: it needs a certificate, and the key that belongs to it";
    let unfit = format!("Can't bind: Invalid argument\n{unfit}");
    let no_name = "Can't set up TLS: Invalid argument\n    the name is neither a host's nor an IP address".to_owned();
    let cases: [(&[&str], i32, String); 13] = [
        (&["--cacert", &missing], 2, open("No such file or directory", &missing)),
        (&["--cert", &missing], 2, open("No such file or directory", &missing)),
        (&["--cert", &server, "--key", &missing], 2, open("No such file or directory", &missing)),
        (&["--cacert", "/"], 2, open("Is a directory", "/")),
        (&["--cacert", &nothing], 2, no_certificate(&nothing)),
        (&["--cert", &server_key], 2, no_certificate(&server_key)),
        (&["--cert", &server, "--key", &ca], 2, no_key(&ca)),
        (&["--tls-name", "not a name"], 3, no_name),
        (&[], 3, unfit.clone()),
        (&["--cert", &server], 3, unfit.clone()),
        (&["--cert", &server, "--key", &client_key], 3, unfit),
        (&["--cacert="], 1, "nanocat: Option --cacert= requires an argument".to_owned()),
        (&["--tls-name", ""], 1, "nanocat: Option --tls-name requires an argument".to_owned()),
    ];
    for (options, code, complaint) in cases {
        let line = [&["--pull", "--bind", "tls+tcp://127.0.0.1:0"], options].concat();
        let ours = both.ours("nanocat", &line, b"");
        assert_eq!((ours.code, &ours.errors[..]), (Some(code), &format!("{complaint}\n")[..]), "{options:?}");
    }
    let unfit = ["--push", "--connect", "wss://localhost", "--cert", &server, "--key", &client_key, "--data", "a"];
    let ours = both.ours("nanocat", &unfit, b"");
    assert!(ours.errors.contains("    wss://localhost: the host is neither"), "{ours:?}");
    assert_eq!(ours.code, Some(3));
}

/// The original library has no TLS.
#[test]
fn a_library_without_tls_is_told_of() {
    let Some(both) = Both::new() else { return };
    let Some(keys) = certificates(&both) else { return };
    let (pem, without) =
        (keys.join("both.pem").display().to_string(), "    the library that nanocat runs on has no TLS");
    let bind = "    tls+tcp://127.0.0.1:0: the library that nanocat runs on has no TLS";
    let cases: [(&[&str], String); 3] = [
        (&["--cert", &pem], format!("Can't set up TLS: Protocol not available\n{without}\n")),
        (&["--insecure"], format!("Can't set up TLS: Protocol not available\n{without}\n")),
        (&[], format!("Can't bind: Protocol not supported\n{bind}\n")),
    ];
    for (options, complaint) in cases {
        let mut command = Command::new(&both.ours);
        command.env("LD_PRELOAD", "libnanomsg.so.5.1.0").args(["--pull", "--bind", "tls+tcp://127.0.0.1:0"]);
        let output = command.args(options).output().expect("nanocat starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &errors[..]), (Some(3), &complaint[..]), "{options:?}");
    }
}

/// Abbreviations that upstream takes must not become ambiguous by options of ours.
#[test]
fn our_options_are_known_by_their_whole_names_only() {
    let Some(both) = Both::new() else { return };
    for word in ["--js", "--cou", "--stat", "--monit", "--cac", "--cer", "--ke", "--tls", "--insec"] {
        let ours = both.ours("nanocat", &[word], b"");
        assert_eq!((ours.code, &ours.errors[..]), (Some(1), &format!("nanocat: Unknown option ``{word}''\n")[..]));
    }
}

/// What tests/pki.sh makes, in a folder. `None`, and a line that says so, where there is no openssl; in CI a failure.
fn certificates(both: &Both) -> Option<PathBuf> {
    let keys = both.dir.path().join("keys");
    std::fs::create_dir(&keys).expect("a folder");
    if Command::new("openssl").arg("version").output().is_err() {
        missing("openssl is not installed");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pki.sh");
    let made = Command::new("sh").arg(script).arg(&keys).status().expect("sh starts");
    assert!(made.success(), "{}", std::fs::read_to_string(keys.join("pki.log")).unwrap_or_default());
    Some(keys)
}

/// A visible skip; in CI a failure.
fn missing(what: &str) {
    assert!(!env::var("CI").is_ok_and(|v| v == "true"), "{what}");
    // Not eprintln: what a passing test prints by that is not shown.
    let _ = std::io::stderr().write_all(format!("skipped: {what}\n").as_bytes());
}

/// Debian's nanocat, ours, and a folder for files.
struct Both {
    dir: TempDir,
    ours: PathBuf,
}

/// What a run has left.
#[derive(Debug, PartialEq)]
struct End {
    code: Option<i32>,
    output: Vec<u8>,
    errors: String,
}

impl End {
    fn first_error_line(&self) -> &str {
        self.errors.lines().next().unwrap_or_default()
    }
}

impl Both {
    /// `None`, and a line that says so, where something is missing; in CI a failure.
    fn new() -> Option<Self> {
        let bin = env::var_os("NN_BIN_DIR")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bin"), PathBuf::from);
        let ours = bin.join("nanocat");
        missing(&if !Path::new(DEBIAN).exists() {
            format!("{DEBIAN} is not installed: apt-get install nanomsg-utils")
        } else if !ours.exists() {
            format!("{} is not there: make build", ours.display())
        } else {
            return Some(Self { dir: TempDir::new().expect("a temporary folder"), ours });
        });
        None
    }

    /// The original's end, and ours.
    fn run(&self, name: &str, line: &[&str], input: &[u8]) -> [End; 2] {
        // Both at a time: some wait for a second.
        let mut theirs = spawn(Path::new(DEBIAN), name, line, input);
        let mut ours = self.start(name, line, input);
        [ended(&mut theirs), ended(&mut ours)]
    }

    fn ours(&self, name: &str, line: &[&str], input: &[u8]) -> End {
        ended(&mut self.start(name, line, input))
    }

    fn start(&self, name: &str, line: &[&str], input: &[u8]) -> Running {
        spawn(&self.ours, name, line, input)
    }
}

/// It does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for a child that has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(program: &Path, name: &str, line: &[&str], input: &[u8]) -> Running {
    let mut command = Command::new(program);
    for name in ["LD_LIBRARY_PATH", "LD_PRELOAD", "NN_PRINT_ERRORS"] {
        command.env_remove(name);
    }
    command.arg0(name).args(line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("nanocat starts");
    // It may have ended already, without reading.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    Running(child)
}

/// The lines on the standard error of one that runs on.
fn error_lines(Running(child): &mut Running) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let errors = BufReader::new(child.stderr.take().expect("it is piped"));
    thread::spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    lines
}

/// The next line that has these words.
fn line_with(lines: &mpsc::Receiver<String>, words: &str) -> String {
    let until = Instant::now() + LIMIT;
    loop {
        let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) else {
            panic!("no line with {words:?} comes");
        };
        if line.contains(words) {
            return line;
        }
    }
}

fn ended(Running(child): &mut Running) -> End {
    let (sender, ends) = mpsc::channel();
    let mut pipes = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    thread::spawn(move || {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        pipes.0.read_to_end(&mut output).expect("its output");
        pipes.1.read_to_end(&mut errors).expect("its complaints");
        let _ = sender.send((output, errors));
    });
    let until = Instant::now() + LIMIT;
    let Ok((output, errors)) = ends.recv_timeout(until.saturating_duration_since(Instant::now())) else {
        panic!("it does not end: {child:?}");
    };
    let code = child.wait().expect("it was not waited for").code();
    End { code, output, errors: String::from_utf8_lossy(&errors).into_owned() }
}
