//! `make install` and `make uninstall`: which files come, what programs can do with them, and that they all go.
//!
//! It installs what `make build` has left in `target/lib`; with `CI=true` that must be there.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const REAL: &str = "libnanomsg.so.6.0.1";

const PROGRAM: &str = r#"
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <stdio.h>

int main(void)
{
    char text[8] = "";
    int a = nn_socket(AF_SP, NN_PAIR), b = nn_socket(AF_SP, NN_PAIR);
    if (nn_bind(a, "inproc://a") < 0 || nn_connect(b, "inproc://a") < 0)
        return 1;
    if (nn_send(b, "hello", 5, 0) != 5 || nn_recv(a, text, sizeof text, 0) != 5)
        return 2;
    puts(text);
    return nn_close(a) || nn_close(b);
}
"#;

/// Where things go, below DESTDIR.
struct Places {
    dest: TempDir,
    variables: Vec<String>,
    lib: &'static str,
    include: &'static str,
}

impl Places {
    fn new(variables: &[&str], lib: &'static str, include: &'static str) -> Option<Self> {
        if !root().join("target/lib").join(REAL).exists() {
            let missing = "there is no library to install: make build";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
            // Not eprintln: what a passing test prints by that is not shown.
            std::io::stderr().write_all(format!("skipped: {missing}\n").as_bytes()).unwrap();
            return None;
        }
        let dest = TempDir::new().unwrap();
        let mut variables: Vec<String> = variables.iter().map(|&variable| variable.to_owned()).collect();
        variables.push(format!("DESTDIR={}", dest.path().display()));
        Some(Self { dest, variables, lib, include })
    }

    fn make(&self, verb: &str) {
        let mut make = Command::new("make");
        for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PREFIX", "LIBDIR", "INCLUDEDIR", "DESTDIR"] {
            make.env_remove(name);
        }
        // What is built is taken as it is.
        succeed(make.current_dir(root()).args(["-s", "-o", "build", verb]).args(&self.variables));
    }

    fn lib(&self) -> PathBuf {
        self.dest.path().join(self.lib)
    }

    fn include(&self) -> PathBuf {
        self.dest.path().join(self.include)
    }

    /// What has to be there after an install.
    fn expected(&self) -> BTreeMap<PathBuf, Kind> {
        let lib = Path::new(self.lib);
        let mut files = BTreeMap::from([
            (lib.join(REAL), Kind::File(0o755)),
            (lib.join("libnanomsg.a"), Kind::File(0o644)),
            (lib.join("pkgconfig/nanomsg.pc"), Kind::File(0o644)),
        ]);
        for name in ["libnanomsg.so", "libnanomsg.so.5", "libnanomsg.so.6"] {
            files.insert(lib.join(name), Kind::Link(REAL.into()));
        }
        for name in ["nn", "bus", "inproc", "ipc", "pair", "pipeline", "pubsub", "reqrep", "survey", "tcp", "ws"] {
            files.insert(Path::new(self.include).join(format!("nanomsg/{name}.h")), Kind::File(0o644));
        }
        files
    }

    fn found(&self) -> BTreeMap<PathBuf, Kind> {
        let mut files = BTreeMap::new();
        collect(self.dest.path(), self.dest.path(), &mut files);
        files
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// And its permissions.
    File(u32),
    /// And where it points.
    Link(PathBuf),
}

fn collect(top: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Kind>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        let kind = if metadata.is_symlink() {
            Kind::Link(fs::read_link(&path).unwrap())
        } else if metadata.is_dir() {
            collect(top, &path, files);
            continue;
        } else {
            Kind::File(metadata.permissions().mode() & 0o7777)
        };
        files.insert(path.strip_prefix(top).unwrap().to_owned(), kind);
    }
}

#[test]
fn exactly_the_expected_files_are_installed_and_all_are_taken_away() {
    for (variables, lib, include) in [
        (&["PREFIX=/opt/nano"][..], "opt/nano/lib", "opt/nano/include"),
        (&["PREFIX=/usr", "LIBDIR=/usr/lib/machine"], "usr/lib/machine", "usr/include"),
        (&["INCLUDEDIR=/inc"], "usr/local/lib", "inc"),
    ] {
        let Some(places) = Places::new(variables, lib, include) else { return };
        // Twice: over an older installation.
        for _ in 0..2 {
            places.make("install");
            assert_eq!(places.found(), places.expected(), "{variables:?}");
        }
        places.make("uninstall");
        assert_eq!(places.found(), BTreeMap::new(), "{variables:?}");
        assert!(!places.include().join("nanomsg").exists());
        // Where nothing is installed there is nothing to do.
        places.make("uninstall");
    }
}

#[test]
fn what_others_have_installed_stays() {
    let Some(places) = Places::new(&["PREFIX=/p"], "p/lib", "p/include") else { return };
    places.make("install");
    let others = [places.lib().join("libnanomsgxx.so"), places.include().join("nanomsg/nn.hpp")];
    for other in &others {
        fs::write(other, "somebody else's").unwrap();
    }
    places.make("uninstall");
    let found: Vec<PathBuf> = places.found().into_keys().map(|path| places.dest.path().join(path)).collect();
    let mut expected = others.to_vec();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn programs_are_compiled_and_run_against_what_is_installed() {
    let Some(places) = Places::new(&["PREFIX=/p"], "p/lib", "p/include") else { return };
    places.make("install");
    let dir = TempDir::new().unwrap();
    let source = dir.path().join("program.c");
    fs::write(&source, PROGRAM).unwrap();
    let compile = |name: &str, link: &[String]| {
        let program = dir.path().join(name);
        let mut compiler = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()));
        compiler.arg("-o").arg(&program).arg(&source).arg(format!("-I{}", places.include().display())).args(link);
        succeed(&mut compiler);
        program
    };
    let archive = places.lib().join("libnanomsg.a").display().to_string();
    let fixed = compile("fixed", &[archive, "-lpthread".into(), "-ldl".into(), "-lm".into()]);
    let shared = compile("shared", &[format!("-L{}", places.lib().display()), "-lnanomsg".into()]);
    assert_eq!(succeed(&mut Command::new(&fixed)), "hello\n");
    assert_eq!(succeed(Command::new(&shared).env("LD_LIBRARY_PATH", places.lib())), "hello\n");

    // It asks for the library by the name that upstream's later versions have, and gets no other.
    let Ok(output) = Command::new("readelf").arg("-d").arg(&shared).env("LC_ALL", "C").output() else { return };
    let dynamic = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(dynamic.contains("Shared library: [libnanomsg.so.6]"), "{dynamic}");
    let library = succeed(Command::new("readelf").arg("-d").arg(places.lib().join(REAL)).env("LC_ALL", "C"));
    assert!(library.contains("Library soname: [libnanomsg.so.6]"), "{library}");
    let log = Command::new(&shared).env("LD_LIBRARY_PATH", places.lib()).env("LD_DEBUG", "libs").output().unwrap();
    let log = String::from_utf8_lossy(&log.stderr).into_owned();
    let ours = places.lib().join("libnanomsg.so.6").display().to_string();
    assert!(log.lines().any(|line| line.contains("calling init:") && line.ends_with(&ours)), "{log}");
}

#[test]
fn pkg_config_tells_how_to_compile() {
    let variables = ["PREFIX=/p", "LIBDIR=/elsewhere/lib"];
    let Some(places) = Places::new(&variables, "elsewhere/lib", "p/include") else { return };
    places.make("install");
    let file = fs::read_to_string(places.lib().join("pkgconfig/nanomsg.pc")).unwrap();
    let value = |start: &str| file.lines().find_map(|line| line.strip_prefix(start));
    // As an installed file it must not know DESTDIR.
    assert_eq!(value("prefix="), Some("/p"), "{file}");
    assert_eq!(value("libdir="), Some("/elsewhere/lib"), "{file}");
    assert_eq!(value("includedir="), Some("/p/include"), "{file}");
    assert_eq!(value("Name: "), Some("nanomsg"), "{file}");
    assert_eq!(value("Version: "), Some(env!("CARGO_PKG_VERSION")), "{file}");
    assert_eq!(value("Libs: "), Some("-L${libdir} -lnanomsg"), "{file}");
    assert_eq!(value("Cflags: "), Some("-I${includedir}"), "{file}");
}

/// What a command prints; it must not fail.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}
