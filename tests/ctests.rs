//! Runs every C program in `ctests/` on the original library and on ours, and compares what they print.
//!
//! A program is compiled once, against the original's headers and library, and run twice: as it is, and with
//! `LD_LIBRARY_PATH` pointing at ours, which has the same name. Both must print what is stored in
//! `ctests/expected/`. Where the original is not installed the programs are compiled against our headers and
//! library, and compared with the stored text only.
//!
//! | variable           | effect                                                                     |
//! |--------------------|----------------------------------------------------------------------------|
//! | `CI=true`          | the original (Debian's `libnanomsg-dev`) and a C++ compiler must be there  |
//! | `BLESS=1`          | rewrites `ctests/expected/` from the original                              |
//! | `NN_ORACLE_ONLY=1` | leaves our library out                                                     |
//! | `NN_OURS_ONLY=1`   | leaves the original out, and compares with the stored text only            |
//! | `NN_LIB_DIR`       | where our `libnanomsg.so.5` is, instead of `target/lib`                    |
//! | `NN_SYS=portable`  | our library reaches the system in the portable way                         |
//! | `NN_LONG=1`        | the stress programs run for a minute                                       |
//! | `CC`, `CXX`        | the compilers, instead of `cc` and `c++`                                   |
//! | `NN_CROSS_CC`      | the C compiler for another machine                                         |
//! | `NN_RUNNER`        | what runs programs for that machine                                        |
//! | `NN_BITS=32`       | what `ctests/expected/32` has goes before `ctests/expected`                |

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, io, str};

use tempfile::TempDir;

macro_rules! programs {
    ($($name:ident)*) => {
        const PROGRAMS: &[&str] = &[$(stringify!($name),)*];

        mod program {
            $(#[test] fn $name() { super::run(stringify!($name)); })*
        }
    };
}

programs! {
    // Without sockets.
    symbols errors errno_kept layout memory cmsg
    // Handles, addresses, options.
    handles endpoints addr_generic addr_inproc addr_ipc addr_unix addr_abstract addr_fd addr_tcp addr_tcp_ipv6 addr_tcp_self addr_link_local addr_ws
    options_socket options_levels options_name options_ws own_options conflate overflow monitor ws_types
    shared_memory
    tls tls_refused
    // Sending, receiving, waiting.
    send_errors iovec ownership aligned msghdr_control timeouts poll event_fds event_fd_pace direct_fd
    // PAIR over the transports.
    pair_sizes sizes readers pair_reconnect pair_second_peer pair_successor gone_peers
    first_event reader_beside_writer inproc_queue
    inproc_again
    wire_greeting wire_frames wire_limits wire_last_words ipc_files ipc_permissions ipc_race os_sockets backoff
    // All types.
    types_fresh types_compatible options_patterns options_all_types statistic_priority
    pipeline pubsub many_topics bus reqrep_cooked reqrep_raw survey_cooked survey_raw
    poll_patterns poll_many descriptors busy_peer wire_patterns device_pairs device_patterns
    // The life of the library.
    statistics print_errors term wake signals stopped threads linger linger_exit fork fork_traffic fork_random fork_locks exhaustion device
    // What the system refuses, and what a process does to itself.
    faults_refused faults_dns faults_peer faults_memory faults_disk faults_network monitor_cable faults_close faults_ports
    closed_fds cancelled idle
}

macro_rules! by_the_other_name {
    ($($name:ident)*) => {
        /// With `unix://` wherever they would say `ipc://`: on ours they print the same. The original 1.1.5 does not know
        /// it.
        mod over_unix {
            $(#[test] fn $name() { super::run_over_unix(stringify!($name)); })*
        }
    };
}

by_the_other_name! {
    endpoints gone_peers ipc_files linger os_sockets pair_reconnect pair_second_peer pair_sizes poll readers sizes
    statistics
    wire_frames wire_greeting wire_last_words wire_limits
    // All types, cooked and raw.
    wire_patterns types_compatible bus pipeline pubsub reqrep_cooked reqrep_raw survey_cooked survey_raw device_patterns
}

fn run_over_unix(name: &str) {
    if flag("NN_ORACLE_ONLY") {
        return;
    }
    let dir = TempDir::new().expect("a temporary folder");
    let bin = dir.path().join(name);
    compile(name, &bin, &against_ours());
    let mut command = program(&bin);
    command.env("NN_UNIX", "1");
    match execute_as(command, &bin, Some(&our_lib_dir())) {
        Outcome::Skipped(reason) => skipped(name, &reason),
        Outcome::Printed(text) => {
            compare("expected of ipc", &expected_of_ours(name, &read(&stored(name))), "our library, by unix", &text)
        }
    }
}

/// What the portable way to the system does not do (docs/differences.md): lines of the expected text, by their ends, that a
/// program does not print on it.
const NOT_PORTABLE: &[(&str, &str)] = &[
    // Signal handlers end no call.
    ("signals", "-1 EINTR"),
    ("poll", "-1 EINTR"),
    ("device_patterns", "-1 EINTR"),
    ("closed_fds", "callers return although the descriptors they wait for were closed"),
    // It has no memory that processes share.
    ("shared_memory", "large messages go by reference where both sides like that, and small ones never"),
    ("shared_memory", "nothing stays open"),
    // The program makes epoll_ctl fail, which is not called through libc.
    ("faults_refused", "-- watches"),
    ("faults_refused", "a listener, a dialer and a connection that cannot be watched are tried again"),
    ("faults_refused", "-- unwatched"),
    ("faults_refused", "a connection that cannot be watched is ended at once"),
];

/// What our library has to print.
fn expected_of_ours(name: &str, stored: &str) -> String {
    let portable = env::var("NN_SYS").is_ok_and(|sys| sys == "portable");
    let absent = NOT_PORTABLE.iter().filter(|(program, _)| portable && *program == name).map(|(_, end)| *end);
    absent.fold(stored.to_owned(), |text, end| {
        let kept: String = text.split_inclusive('\n').filter(|line| !line.trim_end().ends_with(end)).collect();
        assert_ne!(kept, text, "{name} has a line that ends in {end}");
        kept
    })
}

/// What a program printed, or why it does not apply here.
enum Outcome {
    Printed(String),
    Skipped(String),
}

/// Where the expected text is. Sizes of the C structures, which some programs print, are others with 32 bits.
fn stored(name: &str) -> PathBuf {
    let (folder, file) = (root().join("ctests/expected"), format!("{name}.out"));
    let narrow = folder.join("32").join(&file);
    if env::var("NN_BITS").is_ok_and(|bits| bits == "32") && narrow.exists() { narrow } else { folder.join(file) }
}

fn run(name: &str) {
    let dir = TempDir::new().expect("a temporary folder");
    let stored = stored(name);
    let bin = dir.path().join(name);

    let installed = !flag("NN_OURS_ONLY") && original_is_installed();
    if installed {
        compile(name, &bin, &["-lnanomsg".into()]);
        match execute(&bin, None) {
            Outcome::Skipped(reason) => return skipped(name, &reason),
            Outcome::Printed(text) if flag("BLESS") => {
                let broken = text.lines().find(|l| l.contains("does not hold") || l.contains("instead of"));
                assert!(broken.is_none(), "{name} fails on the original, and is not stored: {broken:?}");
                fs::write(&stored, text).expect("ctests/expected is writable");
            }
            Outcome::Printed(text) => {
                compare("the stored text (BLESS=1 renews it)", &read(&stored), "the original", &text);
            }
        }
    } else if !flag("NN_OURS_ONLY") && env::var("CI").is_ok_and(|v| v == "true") {
        panic!("the original library is not installed: apt-get install libnanomsg-dev");
    } else {
        eprintln!("{name} is compared with the stored text only: the original library is not installed");
    }

    if flag("NN_ORACLE_ONLY") {
        return;
    }
    if !installed {
        compile(name, &bin, &against_ours());
    }
    match execute(&bin, Some(&our_lib_dir())) {
        Outcome::Skipped(reason) => skipped(name, &reason),
        Outcome::Printed(text) => compare("expected", &expected_of_ours(name, &read(&stored)), "our library", &text),
    }
}

fn skipped(name: &str, reason: &str) {
    // Not eprintln: what a passing test prints by that is not shown.
    let _ = io::Write::write_all(&mut io::stderr(), format!("{name} is skipped: {reason}\n").as_bytes());
}

#[test]
fn the_list_and_the_folder_agree() {
    let listed: BTreeSet<String> = PROGRAMS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(listed.len(), PROGRAMS.len(), "a program is listed twice");
    assert_eq!(listed, names("ctests", "c"), "ctests/*.c and the list in this file");
    assert_eq!(listed, names("ctests/expected", "out"), "ctests/expected/*.out and the list in this file");
}

/// The same constants, sizes and macros in our headers as in the original's.
#[test]
fn headers_have_the_same_contents() {
    if flag("NN_ORACLE_ONLY") {
        return;
    }
    let dir = TempDir::new().expect("a temporary folder");
    let bin = dir.path().join("layout");
    compile("layout", &bin, &against_ours());
    if let Outcome::Printed(text) = execute(&bin, Some(&our_lib_dir())) {
        compare("the original's headers", &read(&stored("layout")), "our headers", &text);
    }
}

/// Each header alone, and all of them, as strict C and as C++.
#[test]
fn headers_compile_in_every_dialect() {
    let mut headers = vec!["nn", "bus", "inproc", "ipc", "pair", "pipeline", "pubsub", "reqrep", "survey", "tcp", "ws"];
    if !flag("NN_ORACLE_ONLY") {
        // Since 1.3.0.
        headers.extend(["unix", "winpipe"]);
    }
    let include = if flag("NN_ORACLE_ONLY") { PathBuf::from("/usr/include") } else { root().join("include") };
    let dir = TempDir::new().expect("a temporary folder");

    let mut sources: Vec<String> =
        headers.iter().map(|h| format!("#include <nanomsg/{h}.h>\nint main(void) {{ return 0; }}\n")).collect();
    let everything: String = headers.iter().rev().map(|h| format!("#include <nanomsg/{h}.h>\n")).collect();
    sources.push(format!(
        "{everything}{everything}int main(void) {{ return nn_errno() + (int) NN_CMSG_SPACE(1) + NN_PAIR + NN_BUS; }}\n"
    ));

    let compilers: &[(&str, &str, &[&str])] = &[
        ("CC", "cc", &["-x", "c", "-std=c89"]),
        ("CC", "cc", &["-x", "c", "-std=c99"]),
        ("CC", "cc", &["-x", "c", "-std=c11"]),
        ("CC", "cc", &["-x", "c", "-std=c17"]),
        ("CXX", "c++", &["-x", "c++", "-std=c++98", "-Wno-long-long"]),
        ("CXX", "c++", &["-x", "c++", "-std=c++11"]),
        ("CXX", "c++", &["-x", "c++", "-std=c++17"]),
        ("CXX", "c++", &["-x", "c++", "-std=c++20"]),
    ];
    for (variable, default, dialect) in compilers {
        let compiler = env::var(variable).unwrap_or_else(|_| (*default).to_owned());
        if Command::new(&compiler).arg("--version").output().is_err() {
            assert!(env::var("CI").is_err(), "{compiler} is not installed");
            eprintln!("{dialect:?} is skipped: {compiler} is not installed");
            continue;
        }
        for text in &sources {
            let source = dir.path().join("header.src");
            fs::write(&source, text).expect("a source file");
            let mut command = Command::new(&compiler);
            command.args(*dialect).args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]);
            succeed(command.arg("-I").arg(&include).arg(&source));
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn our_lib_dir() -> PathBuf {
    let dir = env::var_os("NN_LIB_DIR").map_or_else(|| root().join("target/lib"), PathBuf::from);
    assert!(dir.join("libnanomsg.so.5").exists(), "{} has no libnanomsg.so.5: build the library first", dir.display());
    dir
}

fn against_ours() -> [String; 3] {
    [
        format!("-I{}", root().join("include").display()),
        format!("-L{}", our_lib_dir().display()),
        "-l:libnanomsg.so.5".to_owned(),
    ]
}

fn flag(name: &str) -> bool {
    env::var(name).is_ok_and(|v| v == "1")
}

/// Is the library that `-lnanomsg` finds the original? It alone exports its internal names.
fn original_is_installed() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let dir = TempDir::new().expect("a temporary folder");
        let source = dir.path().join("probe.c");
        let text = "#include <nanomsg/nn.h>\nextern const int SYM_VALUE_NAMES_LEN;\n\
                    int main(void) { return nn_errno() + SYM_VALUE_NAMES_LEN; }\n";
        fs::write(&source, text).expect("a source file");
        let mut command = c_compiler();
        command.arg("-o").arg(dir.path().join("probe")).arg(&source).arg("-lnanomsg");
        command.output().is_ok_and(|output| output.status.success())
    })
}

fn c_compiler() -> Command {
    // CC would be for what cargo builds, too.
    Command::new(env::var("NN_CROSS_CC").or_else(|_| env::var("CC")).unwrap_or_else(|_| "cc".to_owned()))
}

fn compile(name: &str, bin: &Path, link: &[String]) {
    let mut command = c_compiler();
    // ctest.h cuts addresses to size on purpose.
    command.args(["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Wno-format-truncation", "-pthread", "-rdynamic"]);
    // An index beyond its array ends the program, instead of changing what lies behind it.
    command.args(["-fsanitize=bounds", "-fsanitize-undefined-trap-on-error"]);
    command.arg("-o").arg(bin).arg(root().join("ctests").join(format!("{name}.c")));
    succeed(command.args(link));
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a program on the original, or on the library in the folder. It ends by itself, its watchdog sees to that.
/// What it prints goes to a file: a pipe would stay open as long as any child of the program lives.
fn execute(bin: &Path, ours: Option<&Path>) -> Outcome {
    execute_as(program(bin), bin, ours)
}

fn program(bin: &Path) -> Command {
    let runner = env::var("NN_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(first) = words.next() else { return Command::new(bin) };
    let mut command = Command::new(first);
    command.args(words).arg(bin);
    command
}

fn execute_as(mut command: Command, bin: &Path, ours: Option<&Path>) -> Outcome {
    let (out, err) = (bin.with_extension("stdout"), bin.with_extension("stderr"));
    command.stdout(File::create(&out).expect("an output file"));
    command.stderr(File::create(&err).expect("an output file"));
    for name in ["LD_LIBRARY_PATH", "LD_PRELOAD", "NN_ORACLE", "NN_PRINT_ERRORS", "NN_SYS"] {
        command.env_remove(name);
    }
    match ours {
        Some(dir) => {
            command.env("LD_LIBRARY_PATH", dir);
            command.envs(env::var_os("NN_SYS").map(|sys| ("NN_SYS", sys)))
        }
        None => command.env("NN_ORACLE", "1"),
    };
    let status = command.status().unwrap_or_else(|e| panic!("{}: {e}", bin.display()));
    let text = read(&out);
    match status.code() {
        Some(0) => Outcome::Printed(text),
        Some(77) => Outcome::Skipped(text.trim_start_matches("skipped: ").trim_end().to_owned()),
        _ => panic!(
            "{} on {} ended with {status}\n--- it printed\n{text}--- and on stderr\n{}",
            bin.file_name().map_or_else(Default::default, |n| n.to_string_lossy()),
            if ours.is_some() { "our library" } else { "the original" },
            read(&err),
        ),
    }
}

/// Bytes that are no UTF-8 (some addresses are not) are shown as what they stand for.
fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    match str::from_utf8(&bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes
            .iter()
            .map(|&b| if b.is_ascii() { char::from(b).to_string() } else { format!("\\x{b:02x}") })
            .collect(),
    }
}

/// The base names of the files with the extension.
fn names(folder: &str, extension: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    entries
        .map(|entry| entry.expect("a folder entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

/// Panics with the first difference and its surroundings.
fn compare(left_name: &str, left: &str, right_name: &str, right: &str) {
    const BEFORE: usize = 4;
    const AFTER: usize = 12;
    if left == right {
        return;
    }
    let (l, r): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    let same = l.iter().zip(&r).take_while(|(a, b)| a == b).count();
    let mut report = format!("- {left_name}\n+ {right_name}\nfrom line {}\n", same + 1);
    for line in &l[same.saturating_sub(BEFORE)..same] {
        report += &format!("  {line}\n");
    }
    for (sign, lines) in [('-', &l), ('+', &r)] {
        for line in lines.iter().skip(same).take(AFTER) {
            report += &format!("{sign} {line}\n");
        }
        if lines.len() > same + AFTER {
            report += &format!("{sign} ... {} more lines\n", lines.len() - same - AFTER);
        }
    }
    panic!("the outputs differ\n{report}");
}
