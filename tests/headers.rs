//! The headers in include: are they what the sources say, does every compiler take them, and do they say what
//! upstream's say? With UPDATE_HEADERS=1 in the environment they are written anew.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use cbindgen::{Builder, Config, ItemType};

/// Every header: what it is about, the words its constants begin with, and which others it includes. All other constants
/// are nn.h's.
const HEADERS: [(&str, &str, &[&str], &[&str]); 18] = [
    // Upstream does not have it: outside of its folder. Its words come before those of pubsub.h.
    (
        "nanomsg-rs/forward.h",
        "subscriptions that travel to the publisher, which upstream does not have",
        &["NN_SUB_FORWARD", "NN_PUB_FORWARD", "NN_STAT_MESSAGES_FILTERED"],
        &[],
    ),
    (
        "nanomsg-rs/direct.h",
        "event loops that read connections themselves, which upstream does not have",
        &["NN_DIRECT_FD"],
        &[],
    ),
    (
        "nanomsg-rs/options.h",
        "options that upstream does not have",
        &[
            "NN_ENDPOINT",
            "NN_CONNECT_TIMEOUT",
            "NN_TCP_KEEPALIVE",
            "NN_TCP_USER_TIMEOUT",
            "NN_IPC_MODE",
            "NN_REQ_FAIL_FAST",
            "NN_CONFLATE",
            "NN_OVERFLOW",
            "NN_SHARED_MEMORY",
            "NN_WS_PING",
            "NN_STAT_MESSAGES_OVERFLOWED",
            "NN_STAT_MESSAGES_CONFLATED",
        ],
        &[],
    ),
    (
        "nanomsg-rs/monitor.h",
        "what happens to a socket, which upstream does not tell",
        &["NN_MONITOR", "NN_STATISTICS", "NN_RECV_PEER"],
        &[],
    ),
    (
        "nanomsg-rs/tls.h",
        "the tls+tcp and wss transports, which upstream does not have",
        &["NN_TLS", "NN_ETLS"],
        &["../nanomsg/nn.h"],
    ),
    ("nanomsg/nn.h", "what all sockets have in common", &[], &[]),
    ("nanomsg/inproc.h", "the inproc transport: within one process", &["NN_INPROC"], &[]),
    ("nanomsg/unix.h", "the unix transport: between processes of one machine", &["NN_UNIX"], &[]),
    ("nanomsg/winpipe.h", "the winpipe transport: named pipes of Windows", &["NN_WINPIPE"], &[]),
    (
        "nanomsg/ipc.h",
        "the ipc transport: unix or, on Windows, winpipe by its older name",
        &["NN_IPC"],
        &["unix.h", "winpipe.h"],
    ),
    ("nanomsg/tcp.h", "the tcp transport: between machines", &["NN_TCP"], &[]),
    ("nanomsg/ws.h", "the ws transport: WebSocket, RFC 6455", &["NN_WS"], &["nn.h"]),
    ("nanomsg/pair.h", "one to one", &["NN_PROTO_PAIR", "NN_PAIR"], &[]),
    ("nanomsg/pubsub.h", "publish and subscribe", &["NN_PROTO_PUBSUB", "NN_PUB", "NN_SUB"], &[]),
    ("nanomsg/reqrep.h", "request and reply", &["NN_PROTO_REQREP", "NN_REQ", "NN_REP"], &["nn.h"]),
    ("nanomsg/pipeline.h", "push and pull", &["NN_PROTO_PIPELINE", "NN_PUSH", "NN_PULL"], &[]),
    ("nanomsg/survey.h", "survey and respond", &["NN_PROTO_SURVEY", "NN_SURVEYOR", "NN_RESPONDENT"], &[]),
    ("nanomsg/bus.h", "everyone to everyone", &["NN_PROTO_BUS", "NN_BUS"], &[]),
];

/// The structs and unions, and their members.
const LAYOUTS: [(&str, &[&str]); 6] = [
    ("struct nn_iovec", &["iov_base", "iov_len"]),
    ("struct nn_msghdr", &["msg_iov", "msg_iovlen", "msg_control", "msg_controllen"]),
    ("struct nn_cmsghdr", &["cmsg_len", "cmsg_level", "cmsg_type"]),
    ("struct nn_pollfd", &["fd", "events", "revents"]),
    ("struct nn_symbol_properties", &["value", "name", "ns", "type", "unit"]),
    ("nn_req_handle", &["i", "ptr"]),
];

#[test]
fn headers_are_what_the_sources_say() {
    for (name, ..) in HEADERS {
        let found = fs::read_to_string(ours().join(name)).unwrap_or_default();
        assert!(found == generate(name), "{name} is stale: run UPDATE_HEADERS=1 cargo test --test headers");
    }
}

#[test]
fn every_header_stands_alone_in_c_and_cpp() {
    for (name, ..) in HEADERS {
        // Macros alone are no program.
        let twice = format!("#include <{name}>\n#include <{name}>\ntypedef int something;\n");
        for own_export in [false, true] {
            let program = if own_export { format!("#define NN_EXPORT extern\n{twice}") } else { twice.clone() };
            compile(Language::C, &program, &ours());
            compile(Language::Cpp, &program, &ours());
        }
    }
}

#[test]
fn the_preprocessor_knows_every_symbol() {
    let mut program = includes();
    for (name, value) in symbols() {
        program += &format!("#if {name} != ({value})\n#error {name} should be {value}\n#endif\n");
    }
    compile(Language::C, &program, &ours());
    compile(Language::Cpp, &program, &ours());
}

#[test]
fn control_messages_are_made_in_c_and_cpp() {
    let program = includes()
        + "static size_t space[NN_CMSG_SPACE (1) == 24 || sizeof (size_t) != 8 ? 1 : -1];\n\
           static size_t length[NN_CMSG_LEN (1) == 17 || sizeof (size_t) != 8 ? 1 : -1];\n\
           unsigned char *walk (const struct nn_msghdr *hdr);\n\
           unsigned char *walk (const struct nn_msghdr *hdr) {\n\
             struct nn_cmsghdr *c = NN_CMSG_FIRSTHDR (hdr);\n\
             if (c) c = NN_CMSG_NXTHDR (hdr, c);\n\
             return space[0] == length[0] && c ? NN_CMSG_DATA (c) : NULL;\n\
           }\n";
    compile(Language::C, &program, &ours());
    compile(Language::Cpp, &program, &ours());
}

#[test]
fn upstream_says_the_same() {
    let theirs = Path::new("/usr/include");
    if !theirs.join("nanomsg/nn.h").exists() {
        return skip("upstream's headers are not installed");
    }
    let ours = ours();
    let (Some(our_macros), Some(their_macros)) = (macros(&ours), macros(theirs)) else { return };
    // 1.1.5 does not have the two headers of 1.3.0, whose words those of ipc.h then stand for.
    let is_older = !theirs.join("nanomsg/unix.h").exists();
    let our_macros: Vec<_> = our_macros.into_iter().filter(|name| !(is_older && is_new(name))).collect();
    assert_eq!(our_macros, their_macros, "the macros with a value");
    // The version is the release's.
    let names: Vec<_> = our_macros.iter().filter(|name| !name.starts_with("NN_VERSION_")).cloned().collect();
    assert!(names.len() > 100, "{} macros", names.len());
    let program = facts_program(&names, is_older);
    let Some(our_facts) = run(&program, &ours) else { return };
    assert_eq!(our_facts, run(&program, theirs).unwrap());
}

/// Upstream 1.3.0's values, on this system and on Windows.
#[test]
fn unix_winpipe_and_ipc_have_the_values_of_upstream() {
    for (system, unix) in [("-U_WIN32", -2), ("-D_WIN32=1", -5)] {
        for (header, values) in [
            ("unix.h", &[("NN_UNIX", unix)][..]),
            (
                "winpipe.h",
                &[
                    ("NN_WINPIPE", -2),
                    ("NN_WINPIPE_SEC_ATTR", 1),
                    ("NN_WINPIPE_OUTBUFSZ", 2),
                    ("NN_WINPIPE_INBUFSZ", 3),
                ],
            ),
            (
                "ipc.h",
                &[
                    ("NN_UNIX", unix),
                    ("NN_WINPIPE", -2),
                    ("NN_IPC", -2),
                    ("NN_IPC_SEC_ATTR", 1),
                    ("NN_IPC_OUTBUFSZ", 2),
                    ("NN_IPC_INBUFSZ", 3),
                ],
            ),
        ] {
            let mut program = format!("#include <nanomsg/{header}>\n");
            for (name, value) in values {
                program += &format!("#if {name} != ({value})\n#error {name} should be {value}\n#endif\n");
            }
            let guards: &[&str] = if header == "ipc.h" { &["UNIX", "WINPIPE"] } else { &[&header[..header.len() - 2]] };
            for guard in guards {
                let guard = format!("NN_{}_H_INCLUDED", guard.to_uppercase());
                program += &format!("#ifndef {guard}\n#error {guard} is not defined\n#endif\n");
            }
            program += "typedef int something;\n";
            let Some(mut compiler) = compiler(Language::C) else { return };
            let file = write_program(&program, "c");
            let checked = compiler.args([system, "-fsyntax-only", "-I"]).arg(ours()).arg(file.path()).output().unwrap();
            assert!(checked.status.success(), "{system} {program}\n{}", String::from_utf8_lossy(&checked.stderr));
        }
    }
}

/// The folder to include our headers from: brought up to date first, if that is wanted.
fn ours() -> PathBuf {
    static UPDATED: Once = Once::new();
    let include = root().join("include");
    UPDATED.call_once(|| {
        if std::env::var("UPDATE_HEADERS").as_deref() == Ok("1") {
            for (name, ..) in HEADERS {
                fs::create_dir_all(include.join(name).parent().unwrap()).unwrap();
                fs::write(include.join(name), generate(name)).unwrap();
            }
        }
    });
    include
}

/// The text of one header.
fn generate(name: &str) -> String {
    let (_, about, words, includes) = *HEADERS.iter().find(|header| header.0 == name).unwrap();
    let sources = root().join("src/ffi");
    let is_main = name == "nanomsg/nn.h";

    let mut config = Config::from_file(root().join("cbindgen.toml")).unwrap();
    config.header =
        Some(format!("/* nanomsg: {about}. Generated from src/ffi by tests/headers.rs; not to be edited. */"));
    config.include_guard = Some(guard(name));
    config.export.item_types = vec![ItemType::Constants];
    config.export.exclude = constants().into_iter().filter(|constant| owner(constant) != name).collect();
    let mut builder = Builder::new().with_src(sources.join("symbols.rs"));
    if is_main {
        let includes = "#include <errno.h>\n#include <stddef.h>\n#include <stdint.h>\n\n";
        let template = fs::read_to_string(sources.join("headers/nn.h")).unwrap();
        config.after_includes = Some(format!("{includes}{template}"));
        config.export.item_types.extend([ItemType::Structs, ItemType::Functions]);
        builder = ["msghdr.rs", "cmsg.rs", "mod.rs"]
            .iter()
            .fold(builder, |builder, source| builder.with_src(sources.join(source)));
    } else if !includes.is_empty() {
        let lines: Vec<_> = includes.iter().map(|name| format!("#include \"{name}\"")).collect();
        config.after_includes = Some(lines.join("\n"));
    }
    if words.contains(&"NN_REQ") {
        config.style = cbindgen::Style::Both;
        config.export.item_types.push(ItemType::Unions);
        config.export.include.push("nn_req_handle".into());
        builder = builder.with_src(sources.join("mod.rs"));
    }

    let mut text = Vec::new();
    builder.with_config(config).generate().unwrap().write(&mut text);
    tidy(&String::from_utf8(text).unwrap())
}

fn guard(name: &str) -> String {
    let word = name.to_uppercase().replace(['/', '.', '-'], "_");
    match name {
        // Upstream 1.3.0's own: a program that has its copy of one too gets the first.
        "nanomsg/unix.h" | "nanomsg/winpipe.h" => format!("{}_INCLUDED", word.replace("NANOMSG", "NN")),
        _ => format!("{word}_INCLUDED"),
    }
}

/// A comment of one line does not need three, constants without comments need no space between them, and no comment is
/// of a kind that C once did not have.
fn tidy(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let mut tidied = String::new();
    let mut rest = &lines[..];
    while let [line, after @ ..] = rest {
        rest = after;
        match (line.trim_start(), after) {
            ("/*", [text, close, after @ ..]) if close.trim() == "*/" => {
                let indent = &line[..line.len() - "/*".len()];
                tidied += &format!("{indent}/* {} */\n", text.trim());
                rest = after;
            }
            ("", [next, ..]) if next.starts_with("#define NN_") && last_line(&tidied).starts_with("#define NN_") => {}
            ("", _) if last_line(&tidied).is_empty() => {}
            _ => match line.split_once("// ") {
                Some((code, comment)) => tidied += &format!("{code}/* {comment} */\n"),
                None => tidied += &format!("{line}\n"),
            },
        }
    }
    tidied
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or("")
}

/// The header a constant belongs to.
fn owner(constant: &str) -> &'static str {
    let belongs = |word: &str| constant.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    HEADERS.iter().find(|header| header.2.iter().any(|word| belongs(word))).map_or("nanomsg/nn.h", |header| header.0)
}

/// The names of all constants in symbols.rs.
fn constants() -> Vec<String> {
    let source = fs::read_to_string(root().join("src/ffi/symbols.rs")).unwrap();
    let name = |line: &str| line.strip_prefix("pub const ")?.split_once(':').map(|(name, _)| name.to_owned());
    source.lines().filter_map(name).collect()
}

/// All that nn_symbol tells.
fn symbols() -> BTreeMap<String, i32> {
    let mut symbols = BTreeMap::new();
    for index in 0.. {
        let mut value = 0;
        // SAFETY: the name is static, and the int is ours.
        let name = unsafe {
            let name = nanomsg::ffi::nn_symbol(index, &raw mut value);
            if name.is_null() { break } else { CStr::from_ptr(name) }
        };
        symbols.insert(name.to_str().unwrap().to_owned(), value);
    }
    // Upstream 1.3.0 has 122.
    assert_eq!(symbols.len(), 169);
    symbols
}

/// A program that prints all there is to compare.
fn facts_program(names: &[String], without_new: bool) -> String {
    let includes = shared_includes();
    let shared = includes.lines().filter(|line| !(without_new && is_new_header(line)));
    let mut program =
        shared.map(|line| format!("{line}\n")).collect::<String>() + "#include <stdio.h>\nint main (void) {\n";
    for name in names {
        program += &format!("printf (\"{name} %lld\\n\", (long long) ({name}));\n");
    }
    for (layout, members) in LAYOUTS {
        program += &format!("printf (\"{layout} %u\\n\", (unsigned) sizeof ({layout}));\n");
        for member in members {
            program += &format!(
                "printf (\"{layout} {member} %u %u\\n\", (unsigned) offsetof ({layout}, {member}), \
                 (unsigned) sizeof ((({layout} *) 0)->{member}));\n"
            );
        }
    }
    for length in 0..20 {
        program += &format!(
            "printf (\"cmsg %u %u %u\\n\", (unsigned) NN_CMSG_ALIGN_ ({length}), \
             (unsigned) NN_CMSG_SPACE ({length}), (unsigned) NN_CMSG_LEN ({length}));\n"
        );
    }
    program + "return 0;\n}\n"
}

fn includes() -> String {
    HEADERS.iter().map(|(name, ..)| format!("#include <{name}>\n")).collect()
}

/// A constant of a header that upstream has since 1.3.0.
fn is_new(constant: &str) -> bool {
    is_new_header(owner(constant))
}

fn is_new_header(text: &str) -> bool {
    text.contains("nanomsg/unix.h") || text.contains("nanomsg/winpipe.h")
}

/// Those that upstream has too.
fn shared_includes() -> String {
    let shared = HEADERS.iter().filter(|(name, ..)| name.starts_with("nanomsg/"));
    shared.map(|(name, ..)| format!("#include <{name}>\n")).collect()
}

/// The macros without arguments that the headers in a folder define, but for their guards and NN_EXPORT. None without
/// a compiler.
fn macros(include: &Path) -> Option<Vec<String>> {
    let defined = |program: &str| {
        let there = |line: &&str| !is_new_header(line) || include.join("nanomsg/unix.h").exists();
        let program: String = program.lines().filter(there).map(|line| format!("{line}\n")).collect();
        let file = write_program(&program, "c");
        let output = compiler(Language::C)?.arg("-dM").arg("-E").arg("-I").arg(include).arg(file.path()).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let name = |line: &str| line.strip_prefix("#define ")?.split(' ').next().map(str::to_owned);
        Some(text.lines().filter_map(name).collect::<Vec<_>>())
    };
    let system = defined("#include <errno.h>\n#include <stddef.h>\n#include <stdint.h>\n")?;
    let mut names = defined(&shared_includes())?;
    names.retain(|name| {
        !system.contains(name) && !name.contains('(') && !name.ends_with("_INCLUDED") && name != "NN_EXPORT"
    });
    names.sort();
    Some(names)
}

#[derive(Clone, Copy)]
enum Language {
    C,
    Cpp,
}

/// The compiler, or None where there is none.
fn compiler(language: Language) -> Option<Command> {
    let (variable, fallback) = match language {
        Language::C => ("CC", "cc"),
        Language::Cpp => ("CXX", "c++"),
    };
    let program = std::env::var(variable).unwrap_or_else(|_| fallback.into());
    if Command::new(&program).arg("--version").output().is_err() {
        skip(&format!("there is no {program}"));
        return None;
    }
    let mut command = Command::new(program);
    command.args(match language {
        Language::C => ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"],
        Language::Cpp => ["-std=c++98", "-Wno-long-long", "-Wall", "-Wextra", "-Werror"],
    });
    Some(command)
}

fn compile(language: Language, program: &str, include: &Path) {
    let Some(mut compiler) = compiler(language) else { return };
    let file = write_program(program, if matches!(language, Language::C) { "c" } else { "cc" });
    let output = compiler.arg("-fsyntax-only").arg("-I").arg(include).arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{program}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// What a C program prints; None without a compiler.
fn run(program: &str, include: &Path) -> Option<String> {
    let mut compiler = compiler(Language::C)?;
    let file = write_program(program, "c");
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("facts");
    let output = compiler.arg("-I").arg(include).arg("-o").arg(&binary).arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(Command::new(binary).output().unwrap().stdout).unwrap())
}

fn write_program(program: &str, extension: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(&format!(".{extension}")).tempfile().unwrap();
    file.write_all(program.as_bytes()).unwrap();
    file
}

/// Where nothing may be left out, what is missing is a failure; elsewhere it is told past the harness, which would
/// hide it.
fn skip(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    std::io::stderr().write_all(format!("skipped: {reason}\n").as_bytes()).unwrap();
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}
