//! The C++ header of `bindings/cpp`: its programs are compiled without a warning, and run on our library.
//!
//! With `CI=true` a C++ compiler, openssl and what `make build` makes must be there.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

#[test]
fn the_header_holds_what_it_says() {
    let Some((dir, program)) = compiled("test.cpp") else { return };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(succeed(limited(&program).env("PORT", port.to_string())), "ok\n");
    drop(dir);
}

/// The scenarios of bindings/scenarios.txt, which every language runs.
#[test]
fn every_scenario_of_the_list_holds() {
    let Some((dir, program)) = compiled("scenarios.cpp") else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("bindings/scenarios.txt")).unwrap();
    // The name, and the sign of those that run over every transport, or over TLS.
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let listed: BTreeSet<&str> = lines.filter_map(|line| line.split("  ").next()).collect();
    succeed(Command::new("sh").arg(root.join("tests/pki.sh")).arg(dir.path()));
    let said = succeed(limited(&program).env("DIRECTORY", dir.path()));
    assert_eq!(said.lines().collect::<BTreeSet<_>>(), listed);
}

/// A program of `bindings/cpp`, and the folder that it is in.
fn compiled(source: &str) -> Option<(TempDir, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lib = root.join("target/lib");
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let missing = if Command::new(&compiler).arg("--version").output().is_err() {
        "there is no C++ compiler: make deps"
    } else if !lib.join("libnanomsg.so").exists() {
        "there is no library: make build"
    } else if Command::new("openssl").arg("version").output().is_err() {
        "there is no openssl: make deps"
    } else {
        ""
    };
    if !missing.is_empty() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        // Not eprintln: what a passing test prints by that is not shown.
        std::io::stderr().write_all(format!("skipped: {missing}\n").as_bytes()).unwrap();
        return None;
    }
    let dir = TempDir::new().unwrap();
    let program = dir.path().join("program");
    succeed(
        Command::new(compiler)
            .args(["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror", "-pthread"])
            .arg("-o")
            .arg(&program)
            .arg(root.join("bindings/cpp").join(source))
            .arg(format!("-I{}", root.join("include").display()))
            .arg(format!("-I{}", root.join("bindings/cpp").display()))
            .arg(format!("-L{}", lib.display()))
            .args(["-lnanomsg", &format!("-Wl,-rpath,{}", lib.display())]),
    );
    Some((dir, program))
}

/// Runs it with an end for what hangs: its sockets have limits, so nothing should.
fn limited(program: &Path) -> Command {
    let mut run = Command::new("timeout");
    run.arg("60").arg(program).env_remove("LD_LIBRARY_PATH");
    run
}

/// What a command prints; it must not fail.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", said(&output.stdout), said(&output.stderr));
    said(&output.stdout)
}
