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
const VERSION: &str = env!("CARGO_PKG_VERSION");
const LINKS_TO_NANOCAT: [&str; 10] =
    ["nn_push", "nn_pull", "nn_pub", "nn_sub", "nn_req", "nn_rep", "nn_surveyor", "nn_respondent", "nn_bus", "nn_pair"];

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
    prefix: &'static str,
    lib: &'static str,
    include: &'static str,
}

impl Places {
    fn new(variables: &[&str], prefix: &'static str, lib: &'static str, include: &'static str) -> Option<Self> {
        let built = ["target/lib/libnanomsg.so.6.0.1", "target/bin/nanocat"].map(|file| root().join(file));
        if !built.iter().all(|file| file.exists()) {
            skip("there is nothing to install: make build");
            return None;
        }
        let dest = TempDir::new().unwrap();
        let mut variables: Vec<String> = variables.iter().map(|&variable| variable.to_owned()).collect();
        variables.push(format!("DESTDIR={}", dest.path().display()));
        Some(Self { dest, variables, prefix, lib, include })
    }

    /// Installed where it is to be used, without DESTDIR.
    fn in_place() -> Option<Self> {
        let mut places = Self::new(&[], "usr", "usr/lib/machine", "usr/include")?;
        let usr = places.dest.path().join("usr").display().to_string();
        places.variables = vec![format!("PREFIX={usr}"), format!("LIBDIR={usr}/lib/machine")];
        places.make("install");
        Some(places)
    }

    fn make(&self, verb: &str) {
        let mut make = Command::new("make");
        for name in
            ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PREFIX", "LIBDIR", "INCLUDEDIR", "BINDIR", "MANDIR", "DESTDIR"]
        {
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

    fn bin(&self) -> PathBuf {
        self.dest.path().join(self.prefix).join("bin")
    }

    fn man(&self) -> PathBuf {
        self.dest.path().join(self.prefix).join("share/man")
    }

    /// What has to be there after an install.
    fn expected(&self) -> BTreeMap<PathBuf, Kind> {
        let lib = Path::new(self.lib);
        let bin = Path::new(self.prefix).join("bin");
        let mut files = BTreeMap::from([
            (lib.join(REAL), Kind::File(0o755)),
            (lib.join("libnanomsg.a"), Kind::File(0o644)),
            (lib.join("pkgconfig/nanomsg.pc"), Kind::File(0o644)),
            (lib.join("pkgconfig/libnanomsg.pc"), Kind::Link("nanomsg.pc".into())),
            (bin.join("nanocat"), Kind::File(0o755)),
        ]);
        for name in ["config", "config-version", "target"] {
            files.insert(lib.join(format!("cmake/nanomsg-{VERSION}/nanomsg-{name}.cmake")), Kind::File(0o644));
        }
        for name in LINKS_TO_NANOCAT {
            files.insert(bin.join(name), Kind::Link("nanocat".into()));
        }
        for page in fs::read_dir(root().join("docs/man")).unwrap() {
            let page = page.unwrap().path();
            let section = page.extension().unwrap().to_str().unwrap();
            let place = Path::new(self.prefix).join(format!("share/man/man{section}"));
            files.insert(place.join(page.file_name().unwrap()), Kind::File(0o644));
        }
        for name in ["libnanomsg.so", "libnanomsg.so.5", "libnanomsg.so.6"] {
            files.insert(lib.join(name), Kind::Link(REAL.into()));
        }
        for name in [
            "nn", "bus", "inproc", "ipc", "pair", "pipeline", "pubsub", "reqrep", "survey", "tcp", "unix", "winpipe",
            "ws",
        ] {
            files.insert(Path::new(self.include).join(format!("nanomsg/{name}.h")), Kind::File(0o644));
        }
        for name in ["nanomsg.hpp", "requests.hpp"] {
            files.insert(Path::new(self.include).join("nanomsg").join(name), Kind::File(0o644));
        }
        for name in ["forward.h", "direct.h", "options.h", "monitor.h", "tls.h"] {
            files.insert(Path::new(self.include).join("nanomsg-rs").join(name), Kind::File(0o644));
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
    for (variables, prefix, lib, include) in [
        (&["PREFIX=/opt/nano"][..], "opt/nano", "opt/nano/lib", "opt/nano/include"),
        (&["PREFIX=/usr", "LIBDIR=/usr/lib/machine"], "usr", "usr/lib/machine", "usr/include"),
        (&["INCLUDEDIR=/inc"], "usr/local", "usr/local/lib", "inc"),
    ] {
        let Some(places) = Places::new(variables, prefix, lib, include) else { return };
        // Twice: over an older installation.
        for _ in 0..2 {
            places.make("install");
            assert_eq!(places.found(), places.expected(), "{variables:?}");
        }
        places.make("uninstall");
        assert_eq!(places.found(), BTreeMap::new(), "{variables:?}");
        assert!(!places.include().join("nanomsg").exists());
        assert!(!places.lib().join(format!("cmake/nanomsg-{VERSION}")).exists());
        // Where nothing is installed there is nothing to do.
        places.make("uninstall");
    }
}

#[test]
fn what_others_have_installed_stays() {
    let Some(places) = Places::new(&["PREFIX=/p"], "p", "p/lib", "p/include") else { return };
    places.make("install");
    let others = [
        places.lib().join("libnanomsgxx.so"),
        places.lib().join("pkgconfig/nanomsgxx.pc"),
        places.include().join("nanomsg/nn.hpp"),
        places.bin().join("nn_other"),
        places.man().join("man3/nn_other.3"),
    ];
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
    let Some(places) = Places::new(&["PREFIX=/p"], "p", "p/lib", "p/include") else { return };
    places.make("install");
    let dir = TempDir::new().unwrap();
    let source = dir.path().join("program.c");
    fs::write(&source, PROGRAM).unwrap();
    let compile = |name: &str, link: &[String]| {
        let program = dir.path().join(name);
        let mut compiler = cc();
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

/// The library by its other name, and a program with our library in it and the system's shared. tests/dropin has those
/// that are wholly shared or wholly static.
#[test]
fn programs_are_compiled_by_pkg_config() {
    let Some(places) = Places::in_place() else { return };
    if !there_is("pkg-config") {
        return;
    }
    let dir = TempDir::new().unwrap();
    let pkg_config = |arguments: &[&str]| {
        let mut command = Command::new("pkg-config");
        command.env("PKG_CONFIG_LIBDIR", places.lib().join("pkgconfig")).env_remove("PKG_CONFIG_PATH");
        succeed(command.args(arguments)).trim_end().to_owned()
    };
    for name in ["nanomsg", "libnanomsg"] {
        assert_eq!(pkg_config(&["--modversion", name]), VERSION);
        for wanted in [">= 1.1", ">= 1.3", ">= 1.3.0", "= 1.3.0"] {
            pkg_config(&["--exists", &format!("{name} {wanted}")]);
        }
    }
    let (source, mixed) = (dir.path().join("program.c"), dir.path().join("mixed"));
    fs::write(&source, PROGRAM).unwrap();
    fs::remove_file(places.lib().join("libnanomsg.so")).unwrap();
    let told = pkg_config(&["--static", "--cflags", "--libs", "libnanomsg"]);
    succeed(cc().arg("-o").arg(&mixed).arg(&source).args(told.split_whitespace()));
    assert_eq!(succeed(Command::new(&mixed).env_remove("LD_LIBRARY_PATH")), "hello\n");
    assert!(needs(&mixed).is_none_or(|libraries| !libraries.contains("nanomsg")), "{:?}", needs(&mixed));
}

/// What the static library needs is known to the compiler that made it. Of its list the C compiler adds the first and the
/// last by itself, each in the form, shared or static, that the program is linked in.
#[test]
fn the_private_libraries_are_those_of_rustc() {
    let dir = TempDir::new().unwrap();
    let empty = dir.path().join("empty.rs");
    fs::write(&empty, "").unwrap();
    let mut rustc = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()));
    rustc.args(["--crate-type", "staticlib", "--print", "native-static-libs", "-o"]).arg(dir.path().join("empty.a"));
    let Ok(output) = rustc.arg(&empty).output() else { return skip("there is no rustc") };
    let said = String::from_utf8(output.stderr).unwrap();
    let list = said.lines().find_map(|line| line.split_once("native-static-libs: ")).expect("rustc tells").1;
    let added = ["-lgcc_s", "-lc"];
    let needed: Vec<&str> = list.split_whitespace().filter(|library| !added.contains(library)).collect();
    // What nanomsg.pc says, unless it is made for another system.
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let private = makefile.lines().find_map(|line| line.strip_prefix("PRIVATE_LIBS ?= ")).unwrap();
    assert_eq!(private.split_whitespace().collect::<Vec<_>>(), needed);
}

const CMAKE_PROJECT: &str = r#"
cmake_minimum_required(VERSION 3.13)
project(program C)
find_package(nanomsg ${WANTED} REQUIRED CONFIG)
foreach(name INSTALL_PREFIX BINDIR INCDIR LIBDIR)
    message(STATUS "nanomsg_${name}=${nanomsg_${name}}=")
endforeach()
message(STATUS "nanomsg_VERSION=${nanomsg_VERSION}=")
add_executable(program program.c)
target_link_libraries(program nanomsg)
add_executable(fixed program.c)
target_link_libraries(fixed nanomsg_static)
"#;

#[test]
fn programs_are_compiled_by_cmake() {
    let Some(places) = Places::in_place() else { return };
    if !there_is("cmake") {
        return;
    }
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("CMakeLists.txt"), CMAKE_PROJECT).unwrap();
    fs::write(dir.path().join("program.c"), PROGRAM).unwrap();
    let configure = |build: &str, prefix: &Path, more: &[&str]| {
        let mut cmake = Command::new("cmake");
        cmake.arg("-S").arg(dir.path()).arg("-B").arg(dir.path().join(build)).args(more);
        // Found by the prefix; the multiarch folder that CMake would look in as well is not the one here.
        cmake.arg(format!("-Dnanomsg_DIR={}/lib/machine/cmake/nanomsg-{VERSION}", prefix.display()));
        cmake.output().unwrap()
    };
    let check = |build: &str, prefix: &Path, more: &[&str], is_shared: bool| {
        let output = configure(build, prefix, more);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        for (name, value) in [
            ("INSTALL_PREFIX", prefix.to_owned()),
            ("BINDIR", prefix.join("bin")),
            ("INCDIR", prefix.join("include")),
            ("LIBDIR", prefix.join("lib/machine")),
            ("VERSION", VERSION.into()),
        ] {
            assert!(told.contains(&format!("nanomsg_{name}={}=", value.display())), "{told}");
        }
        succeed(Command::new("cmake").arg("--build").arg(dir.path().join(build)));
        for (name, is_shared) in [("program", is_shared), ("fixed", false)] {
            let program = dir.path().join(build).join(name);
            // CMake gives programs that it has built the way to the library.
            assert_eq!(succeed(Command::new(&program).env_remove("LD_LIBRARY_PATH")), "hello\n");
            assert!(needs(&program).is_none_or(|libraries| libraries.contains("libnanomsg.so.6") == is_shared));
        }
    };
    let usr = fs::canonicalize(places.dest.path()).unwrap().join("usr");
    check("shared", &usr, &["-DWANTED=1.1"], true);
    check("static", &usr, &["-DNN_STATIC_LIB=ON", &format!("-DWANTED={VERSION}")], false);
    check("of 1.3", &usr, &["-DWANTED=1.3"], true);
    for other in ["2.0", "1.4", "0.9"] {
        assert!(!configure(other, &usr, &[&format!("-DWANTED={other}")]).status.success(), "{other}");
    }
    // It can be moved.
    let moved = usr.with_file_name("moved");
    fs::rename(&usr, &moved).unwrap();
    check("moved", &moved, &[], true);
    // An incomplete installation is none.
    fs::remove_file(moved.join("lib/machine/libnanomsg.a")).unwrap();
    assert!(!configure("incomplete", &moved, &[]).status.success());
}

#[test]
fn nanocat_runs_on_the_library_beside_it() {
    let Some(mut places) = Places::new(&["PREFIX=/p"], "p", "p/lib", "p/include") else { return };
    places.make("install");
    let line = ["--bind", "inproc://a", "--connect", "inproc://a", "--data", "hello", "-A", "--recv-timeout", "1"];
    let mut nanocat = Command::new(places.bin().join("nanocat"));
    let output =
        nanocat.arg("--bus").args(line).env_remove("LD_LIBRARY_PATH").env("LD_DEBUG", "libs").output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).replace("/bin/../lib/", "/lib/");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\nhello\n", "{log}");
    let ours = places.lib().join("libnanomsg.so.6").display().to_string();
    assert!(log.lines().any(|line| line.contains("calling init:") && line.ends_with(&ours)), "{log}");
    for name in LINKS_TO_NANOCAT {
        let other = if name == "nn_push" { "--pull" } else { "--push" };
        let output = Command::new(places.bin().join(name)).arg(other).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(complaint.contains(&format!("{name} (executable)")), "{complaint}");
    }
    // Moved, ours still finds the library beside it.
    fs::rename(places.dest.path().join("p"), places.dest.path().join("q")).unwrap();
    places.prefix = "q";
    let moved = succeed(Command::new(places.bin().join("nn_bus")).args(line).env_remove("LD_LIBRARY_PATH"));
    assert_eq!(moved, "hello\nhello\n");
}

#[test]
fn man_shows_the_pages() {
    let Some(places) = Places::new(&["PREFIX=/p"], "p", "p/lib", "p/include") else { return };
    places.make("install");
    if !there_is("man") {
        return;
    }
    for (section, page, part) in [
        ("1", "nanocat", "--connect-local"),
        ("3", "nn_cmsg_nxthdr_", "NN_CMSG_FIRSTHDR"),
        ("3", "nn_socket", "int nn_socket(int domain, int protocol);"),
        ("7", "nn_unix", "NN_UNIX"),
        ("7", "nn_ipc", "The same as unix://path"),
        ("7", "nn_winpipe", "EPROTONOSUPPORT"),
        ("7", "nn_survey", "NN_SURVEYOR_DEADLINE (int, milliseconds; default 1000)"),
    ] {
        let mut man = Command::new("man");
        man.arg("-M").arg(places.man()).args(["--warnings", section, page]);
        man.env("MANPAGER", "cat").env("MAN_KEEP_FORMATTING", "").env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100");
        let output = man.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(part), "{text}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn pkg_config_tells_how_to_compile() {
    let variables = ["PREFIX=/p", "LIBDIR=/elsewhere/lib"];
    let Some(places) = Places::new(&variables, "p", "elsewhere/lib", "p/include") else { return };
    places.make("install");
    let file = fs::read_to_string(places.lib().join("pkgconfig/nanomsg.pc")).unwrap();
    let value = |start: &str| file.lines().find_map(|line| line.strip_prefix(start));
    // As an installed file it must not know DESTDIR.
    assert_eq!(value("prefix="), Some("/p"), "{file}");
    assert_eq!(value("libdir="), Some("/elsewhere/lib"), "{file}");
    assert_eq!(value("includedir="), Some("/p/include"), "{file}");
    assert_eq!(value("Name: "), Some("nanomsg"), "{file}");
    assert_eq!(value("Version: "), Some(VERSION), "{file}");
    assert_eq!(value("Libs: "), Some("-L${libdir} -lnanomsg"), "{file}");
    assert_eq!(value("Cflags: "), Some("-I${includedir}"), "{file}");
}

/// What a command prints; it must not fail.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn cc() -> Command {
    Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
}

/// What readelf says about a program's shared libraries, where there is a readelf.
fn needs(program: &Path) -> Option<String> {
    let output = Command::new("readelf").arg("-d").arg(program).env("LC_ALL", "C").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn there_is(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        skip(&format!("{tool} is not installed: make deps"));
    }
    found
}

/// Says so, or fails in CI.
fn skip(missing: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
    // Not eprintln: what a passing test prints by that is not shown.
    std::io::stderr().write_all(format!("skipped: {missing}\n").as_bytes()).unwrap();
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}
