//! The rows of `make shapes`: each runs for a moment on every library that is here, and none fails or hangs.
//!
//! With `CI=true` Python, a C compiler, the other libraries (except omq) and what `make build` makes must be there.

#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

#[test]
fn every_row_runs_on_every_library() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let missing = if Command::new("python3").arg("--version").output().is_err() {
        "there is no Python: make deps"
    } else if !root.join("target/lib/libnanomsg.so").exists() {
        "there is no library: make build"
    } else {
        ""
    };
    if !missing.is_empty() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        // Not eprintln: what a passing test prints by that is not shown.
        std::io::stderr().write_all(format!("skipped: {missing}\n").as_bytes()).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let run = Command::new("python3")
        .arg(root.join("benches/shapes.py"))
        .args(["--strict", "--no-docs", "--rounds", "1", "--seconds", "0.01", "--idle-seconds", "0.05", "--json"])
        .arg(dir.path().join("shapes.json"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let end: Vec<&str> = said.lines().skip_while(|line| !line.contains("## Not measured")).collect();
    assert!(run.status.success(), "{}\n{}", end.join("\n"), String::from_utf8_lossy(&run.stderr));
}
