//! The manual: a page for everything, no page that says something else than the headers, and none that mandoc complains
//! about. With `CI=true` mandoc must be there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Pages beside those of the functions.
const OTHERS: [&str; 22] = [
    "nanocat.1",
    "nn_cmsg.3",
    "nanomsg.7",
    "nn_env.7",
    "nn_monitor.7",
    "nn_options.7",
    "nn_pair.7",
    "nn_reqrep.7",
    "nn_contexts.7",
    "nn_pubsub.7",
    "nn_survey.7",
    "nn_pipeline.7",
    "nn_bus.7",
    "nn_inproc.7",
    "nn_ipc.7",
    "nn_unix.7",
    "nn_abstract.7",
    "nn_fd.7",
    "nn_winpipe.7",
    "nn_tcp.7",
    "nn_ws.7",
    "nn_tls.7",
];

#[test]
fn there_is_a_page_for_every_function_pattern_and_transport() {
    let exports = fs::read_to_string(root().join("src/ffi/exports.txt")).unwrap();
    let mut expected: BTreeSet<String> = exports.lines().map(|name| format!("{name}.3")).collect();
    expected.extend(OTHERS.map(str::to_owned));
    assert_eq!(pages().into_keys().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn prototypes_are_those_of_the_header() {
    let header = fs::read_to_string(root().join("include/nanomsg/nn.h")).unwrap();
    let mut checked = 0;
    for prototype in header.split("\nNN_EXPORT ").skip(1).filter_map(|rest| rest.split_once(';')) {
        let Some((head, arguments)) = prototype.0.trim_end_matches(')').split_once('(') else { continue };
        let name: String = head.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let name: String = name.chars().rev().collect();
        let kind = head.strip_suffix(&name).unwrap();
        let page = &pages()[&format!("{name}.3")];
        let arguments: String = arguments.split(',').map(|argument| format!(" \"{}\"", argument.trim())).collect();
        let expected = format!(".Ft \"{}\"\n.Fn {name}{arguments}\n", kind.trim());
        assert!(page.contains(&expected), "{expected}");
        checked += 1;
    }
    assert_eq!(checked, 23);
}

#[test]
fn all_constants_of_the_options_and_statistics_are_described() {
    let text: String = pages().into_values().collect();
    let mut missing = Vec::new();
    let folders = ["include/nanomsg", "include/nanomsg-rs"].map(|folder| fs::read_dir(root().join(folder)).unwrap());
    for entry in folders.into_iter().flatten() {
        let header = fs::read_to_string(entry.unwrap().path()).unwrap();
        for name in header.lines().filter_map(|line| line.strip_prefix("#define ")?.split([' ', '(']).next()) {
            let internal = ["_H_INCLUDED", "NN_NS_", "NN_PROTO_", "NN_HAUSNUMERO", "NN_EXPORT", "NN_VERSION_", "_"];
            let is_internal = internal.iter().any(|part| match *part {
                "_" => name.ends_with('_') || name.ends_with("_DEFINED"),
                part => name.contains(part),
            });
            if name.starts_with("NN_") && !is_internal && !text.contains(name) {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "no page speaks of {missing:?}");
}

/// Numbers and words stand in one order in the header, in what nn_strerror says, and on the page.
#[test]
fn failed_handshakes_are_described_by_the_words_of_nn_strerror() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (header, failures, page) =
        (read("include/nanomsg-rs/tls.h"), read("src/transport/tls/failure.rs"), read("docs/man/nn_tls.7"));
    let numbers = header.lines().filter_map(|line| line.strip_prefix("#define NN_ETLS_")?.split(' ').next());
    let words = failures.split("=> c\"").skip(1).filter_map(|rest| rest.split('"').next());
    let expected: Vec<_> = numbers.zip(words).collect();
    let described = page.split("\n.It Dv NN_ETLS_").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once('\n')?;
        Some((name, rest.lines().next()?))
    });
    assert_eq!(described.collect::<Vec<_>>(), expected);
    assert_eq!(expected.len(), 14);
}

#[test]
fn what_pages_refer_to_is_there() {
    let pages = pages();
    for (page, text) in &pages {
        for (name, section) in text.lines().filter_map(|line| line.strip_prefix(".Xr ")?.split_once(' ')) {
            let section = section.split(' ').next().unwrap();
            let elsewhere =
                ["chdir", "flock", "fork", "free", "open", "poll", "strerror", "unix", "pkg-config"].contains(&name);
            assert!(elsewhere || pages.contains_key(&format!("{name}.{section}")), "{page}: {name}({section})");
        }
    }
}

#[test]
fn mandoc_has_nothing_to_complain_about() {
    if !there_is_mandoc() {
        return;
    }
    let files: Vec<PathBuf> = pages().into_keys().map(|name| root().join("docs/man").join(name)).collect();
    let output = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// What `make man` renders: every page, and its links to the others lead there.
#[test]
fn rendered_pages_lead_to_one_another() {
    if !there_is_mandoc() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let mut make = Command::new("make");
    for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
        make.env_remove(name);
    }
    let output = make.current_dir(root()).arg("man").arg(format!("HTML={}", dir.path().display())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut links = 0;
    for page in pages().into_keys() {
        let text = fs::read_to_string(dir.path().join(format!("{page}.html"))).unwrap();
        assert!(text.trim_end().ends_with("</html>"), "{page}");
        for link in text.split("href=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(link, _)| link) {
            let elsewhere = link.starts_with('#') || link.starts_with("https://");
            assert!(elsewhere || dir.path().join(link).exists(), "{page}: {link}");
            assert!(!link.starts_with("https://manpages.debian.org/nn_"), "{page}: {link}");
            links += usize::from(!elsewhere);
        }
    }
    assert!(links > 100, "{links}");
}

/// Whole programs in pages are compiled without a warning, and print what is said here; where a page says it too, the same.
/// The certificates that they read are made by the commands of their page.
#[test]
fn programs_in_pages_do_what_they_say() {
    let lib = root().join("target/lib");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let missing = if Command::new(&compiler).arg("--version").output().is_err() {
        "there is no C compiler: make deps"
    } else if !lib.join("libnanomsg.so").exists() {
        "there is no library: make build"
    } else if Command::new("openssl").arg("version").output().is_err() {
        "openssl is not installed: make deps"
    } else {
        ""
    };
    if !missing.is_empty() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        std::io::stderr().write_all(format!("skipped: {missing}\n").as_bytes()).unwrap();
        return;
    }
    let dir = TempDir::new().unwrap();
    let mut found = BTreeMap::new();
    for (page, text) in pages() {
        let literals: Vec<String> = text.split("\n.Bd -literal").skip(1).map(literal).collect();
        let Some(program) = literals.iter().find(|literal| literal.contains("int main(")) else { continue };
        for commands in literals.iter().filter(|literal| literal.contains("openssl req")) {
            let output = Command::new("sh").args(["-euc", commands]).current_dir(dir.path()).output().unwrap();
            assert!(output.status.success(), "{page}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let (source, binary) = (dir.path().join(format!("{page}.c")), dir.path().join(&page));
        fs::write(&source, program).unwrap();
        let mut compile = Command::new(&compiler);
        compile.args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-o"]);
        compile.args([&binary, &source]).arg(format!("-I{}", root().join("include").display()));
        compile.arg(format!("-L{}", lib.display())).arg("-lnanomsg");
        let output = compile.arg(format!("-Wl,-rpath,{}", lib.display())).output().unwrap();
        assert!(output.status.success(), "{page}: {}", String::from_utf8_lossy(&output.stderr));
        let mut run = Command::new("timeout");
        let output = run.arg("60").arg(binary).current_dir(dir.path()).env_remove("LD_LIBRARY_PATH").output().unwrap();
        assert!(output.status.success(), "{page}: {:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(literals.len() == 1 || literals.contains(&said), "{page}: {said}");
        found.insert(page, said);
    }
    let contexts = "three: answer to three\ntwo: answer to two\none: answer to one\n";
    let welcome = "the server says welcome\n";
    let tls = &format!("the client says Hello\n{welcome}the client says Hello again\n{welcome}")[..];
    let expected = [("nanomsg.7", "Hello\n"), ("nn_contexts.7", contexts), ("nn_tls.7", tls)];
    assert_eq!(found, expected.map(|(page, said)| (page.to_owned(), said.to_owned())).into());
}

#[test]
fn pages_have_their_sections() {
    for (page, text) in pages() {
        let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(".Sh ")).collect();
        let wanted: &[&str] = match page.rsplit_once('.').unwrap().1 {
            "3" => &["NAME", "SYNOPSIS", "DESCRIPTION", "RETURN VALUES", "EXAMPLES", "ERRORS", "SEE ALSO"],
            "1" => &["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO"],
            _ => &["NAME", "DESCRIPTION", "EXAMPLES", "SEE ALSO"],
        };
        let there: Vec<&str> = found.into_iter().filter(|name| wanted.contains(name)).collect();
        assert_eq!(there, wanted, "{page}");
    }
}

/// Each errno that the header names for a function has an entry in the list of its page.
#[test]
fn lists_of_errors_have_what_the_header_says() {
    let header = fs::read_to_string(root().join("include/nanomsg/nn.h")).unwrap();
    let (pages, mut checked) = (pages(), 0);
    let mut text = "";
    for part in header.split("NN_EXPORT ") {
        let declared = part.split_once('(').map_or("", |(head, _)| head.trim().rsplit([' ', '*']).next().unwrap());
        if let Some(page) = pages.get(&format!("{declared}.3")) {
            let errors = page.split_once("\n.Sh ERRORS\n").unwrap().1;
            if errors.starts_with("None.") {
                text = part;
                continue;
            }
            let comment = text.rsplit_once("/*").map_or("", |(_, comment)| comment);
            for errno in
                comment.split(|c: char| !c.is_ascii_uppercase()).filter(|word| word.len() > 3 && word.starts_with('E'))
            {
                let listed = errors.lines().any(|line| line.starts_with(".It Bq Er") && line.contains(errno));
                assert!(listed, "{declared}(3) does not list {errno}");
                checked += 1;
            }
        }
        text = part;
    }
    assert!(checked > 50, "{checked}");
}

/// Pieces of C in the examples are compiled as the bodies of functions, with these variables.
#[test]
fn pieces_of_programs_in_pages_compile() {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    if Command::new(&compiler).arg("--version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "there is no C compiler: make deps");
        std::io::stderr().write_all(b"skipped: there is no C compiler\n").unwrap();
        return;
    }
    let mut headers: Vec<String> = ["nanomsg", "nanomsg-rs"]
        .iter()
        .flat_map(|folder| fs::read_dir(root().join("include").join(folder)).unwrap().map(move |file| (folder, file)))
        .map(|(folder, file)| format!("#include <{folder}/{}>\n", file.unwrap().file_name().to_str().unwrap()))
        .collect();
    headers.sort();
    let mut source = headers.concat()
        + "#include <poll.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\
           #include <sys/socket.h>\nint s, pub, sub, req, ends[2];\nvoid *msg;\nchar text[100], address[132];\n\
           const char *cert, *key;\n";
    let mut pieces = 0;
    for (page, text) in pages() {
        let Some((_, examples)) = text.split_once("\n.Sh EXAMPLES\n") else { continue };
        for piece in examples.split("\n.Bd -literal").skip(1).map(literal) {
            if piece.contains("nn_") && piece.contains("(") && piece.contains(';') && !piece.contains("int main(") {
                pieces += 1;
                source += &format!(
                    "int piece_{pieces}(void); /* {page} */\nint piece_{pieces}(void)\n{{\n{piece}return 0;\n}}\n"
                );
            }
        }
    }
    assert!(pieces > 40, "{pieces}");
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("pieces.c");
    fs::write(&file, &source).unwrap();
    let mut compile = Command::new(compiler);
    compile.args(["-std=gnu99", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unused"]);
    let output = compile.arg(format!("-I{}", root().join("include").display())).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a reader sees of a literal block, from behind the macro that begins it.
fn literal(text: &str) -> String {
    let (_options, text) = text.split_once('\n').unwrap();
    text.split_once("\n.Ed\n").unwrap().0.replace("\\e", "\\") + "\n"
}

fn there_is_mandoc() -> bool {
    let found = Command::new("mandoc").arg(root().join("docs/man/nanomsg.7")).output().is_ok();
    if !found {
        let missing = "mandoc is not installed: apt-get install mandoc";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        // Not eprintln: what a passing test prints by that is not shown.
        std::io::stderr().write_all(format!("skipped: {missing}\n").as_bytes()).unwrap();
    }
    found
}

/// File name and text of each.
fn pages() -> BTreeMap<String, String> {
    let page = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())
    };
    fs::read_dir(root().join("docs/man")).unwrap().map(page).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
