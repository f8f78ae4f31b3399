//! `make deb`: the packages take the place of Debian's three, programs that depend on those are content with them, and what they
//! install runs. All of it below a folder of its own, with dpkg's and apt's own idea of what is installed there.
//!
//! With `CI=true` dpkg, apt and what `make build` makes must be there.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// The first package of this version.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-1");
/// Debian's own, whose names ours have.
const DEBIANS: [&str; 3] = ["libnanomsg5", "libnanomsg-dev", "nanomsg-utils"];
const OURS: [&str; 5] = ["libnanomsg-dev", "libnanomsg-doc", "libnanomsg5", "libnanomsg6", "nanomsg-utils"];

#[test]
fn they_have_the_names_of_debians_packages() {
    let Some(packages) = packages() else { return };
    let mut names = Vec::new();
    for package in packages {
        let field = |name: &str| succeed(Command::new("dpkg-deb").arg("-f").arg(package).arg(name)).trim().to_owned();
        let (name, depends) = (field("Package"), field("Depends"));
        assert_eq!(field("Version"), VERSION);
        match &*name {
            "libnanomsg6" => assert!(depends.contains("libc6 (>= 2.") && depends.contains("libgcc-s1"), "{depends}"),
            "libnanomsg-doc" => assert_eq!(depends, ""),
            _ => assert!(depends.contains(&format!("libnanomsg6 (= {VERSION})")), "{name}: {depends}"),
        }
        names.push(name);
        // Everything belongs to root, and nobody else may write.
        let listing = succeed(Command::new("dpkg-deb").arg("-c").arg(package));
        for line in listing.lines().filter(|line| !line.starts_with('l')) {
            assert!(line.contains(" root/root ") && &line[5..6] == "-" && &line[8..9] == "-", "{line}");
        }
    }
    assert_eq!(names, OURS);
}

#[test]
fn the_same_build_makes_the_same_packages() {
    let (Some(packages), Some((_dir, again))) = (packages(), make()) else { return };
    for (one, other) in packages.iter().zip(again) {
        assert!(fs::read(one).unwrap() == fs::read(&other).unwrap(), "{} twice, and they differ", other.display());
    }
}

/// Over Debian's packages, on which a program depends.
#[test]
fn dpkg_installs_them_over_debians_packages_and_nanocat_runs() {
    let Some(packages) = packages() else { return };
    let root = Root::with(&["libnanomsg5", "libnanomsg-dev", "nanomsg-utils", "program"]);
    let paths: Vec<&str> = packages.iter().map(|path| path.to_str().unwrap()).collect();
    root.dpkg(&[&["--install"][..], &paths].concat());
    let installed = root.installed();
    for name in OURS.iter().chain(&["program"]) {
        assert!(installed.contains(&(*name).to_owned()), "{name} is not there: {installed:?}");
    }

    let machine = succeed(cc().arg("-print-multiarch"));
    let lib = root.path().join("usr/lib").join(machine.trim());
    let line = ["--bind", "inproc://a", "--connect", "inproc://a", "--data", "hello", "-A", "--recv-timeout", "1"];
    let mut nanocats = vec![(root.path().join("usr/bin/nn_bus"), "libnanomsg.so.6")];
    if Path::new("/usr/bin/nanocat").exists() {
        nanocats.push(("/usr/bin/nanocat".into(), "libnanomsg.so.5"));
    }
    for (nanocat, library) in nanocats {
        let mut command = Command::new(&nanocat);
        command.env("LD_LIBRARY_PATH", &lib).env("LD_DEBUG", "libs").args(line);
        if nanocat.ends_with("nanocat") {
            command.arg("--bus");
        }
        let output = command.output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\nhello\n", "{log}");
        let ours = lib.join(library).display().to_string();
        assert!(log.lines().any(|line| line.contains("calling init:") && line.ends_with(&ours)), "{log}");
    }

    // Nothing of them stays; the program that needs them has to go first.
    root.dpkg(&[&["--purge", "program"][..], &OURS].concat());
    let usr: Vec<_> = fs::read_dir(root.path().join("usr")).into_iter().flatten().collect();
    assert!(usr.is_empty(), "{usr:?}");
}

#[test]
fn apt_installs_programs_on_top_of_them() {
    let Some(packages) = packages() else { return };
    let paths: Vec<&str> = packages.iter().map(|path| path.to_str().unwrap()).collect();
    let root = Root::with(&DEBIANS);
    let program = root.program();
    // apt would go from Debian's packages to ours,
    let planned = root.apt(&[&["install"][..], &paths].concat());
    for name in OURS {
        assert!(planned.contains(&format!("Inst {name}")), "{planned}");
    }
    assert!(!planned.contains("Remv "), "{planned}");
    // and, with ours alone, has all that a program with Debian's dependencies needs.
    let root = Root::with(&[]);
    let planned = root.apt(&[&["install", program.to_str().unwrap()][..], &paths].concat());
    assert!(planned.contains("Inst program") && planned.contains("Inst libnanomsg6"), "{planned}");
    root.dpkg(&[&["--install"][..], &paths].concat());
    let planned = root.apt(&["install", program.to_str().unwrap()]);
    assert!(planned.contains("Inst program") && !planned.contains("Inst lib"), "{planned}");
    root.dpkg(&["--install", program.to_str().unwrap()]);
    assert!(root.apt(&["check"]).is_empty());
}

/// A file system of its own, where dpkg finds the C library and the packages named to be installed.
struct Root {
    dir: TempDir,
}

impl Root {
    fn with(packages: &[&str]) -> Self {
        let root = Self { dir: TempDir::new().unwrap() };
        let architecture = succeed(Command::new("dpkg").arg("--print-architecture"));
        let mut status = String::new();
        for name in ["libc6", "libgcc-s1"].iter().chain(packages) {
            let (version, depends) = match *name {
                "libc6" | "libgcc-s1" => ("99", ""),
                "libnanomsg5" => ("1.1.5+dfsg-1.1+b1", ""),
                "program" => ("1", PROGRAM_DEPENDS),
                _ => ("1.1.5+dfsg-1.1+b1", "Depends: libnanomsg5 (= 1.1.5+dfsg-1.1+b1)\n"),
            };
            status += &format!(
                "Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: {architecture}\
                 Maintainer: nobody <nobody@invalid>\n{depends}Description: one\n\n"
            );
        }
        let admin = root.path().join("var/lib/dpkg");
        for folder in ["info", "updates", "triggers"] {
            fs::create_dir_all(admin.join(folder)).unwrap();
        }
        fs::create_dir_all(root.path().join("apt/lists/partial")).unwrap();
        fs::create_dir_all(root.path().join("apt/archives/partial")).unwrap();
        fs::write(admin.join("status"), status).unwrap();
        for name in ["libc6", "libgcc-s1"].iter().chain(packages) {
            fs::write(admin.join(format!("info/{name}.list")), "/.\n").unwrap();
        }
        root
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn dpkg(&self, arguments: &[&str]) -> String {
        let mut dpkg = Command::new("dpkg");
        // Where the tests are not run by root, and its tools are not at hand.
        dpkg.args(["--force-not-root", "--force-bad-path", "--log=/dev/null"]);
        succeed(dpkg.arg(format!("--root={}", self.path().display())).args(arguments).env("LC_ALL", "C"))
    }

    fn installed(&self) -> Vec<String> {
        let mut query = Command::new("dpkg-query");
        query.arg(format!("--admindir={}/var/lib/dpkg", self.path().display()));
        let all = succeed(query.args(["-W", "-f", "${Package} ${db:Status-Status}\n"]));
        all.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_owned).collect()
    }

    /// What apt would do; it does nothing, and knows no source of packages.
    fn apt(&self, arguments: &[&str]) -> String {
        let path = self.path().display();
        let mut apt = Command::new("apt-get");
        for setting in [
            format!("Dir::State::status={path}/var/lib/dpkg/status"),
            format!("Dir::State={path}/apt"),
            format!("Dir::State::lists={path}/apt/lists"),
            format!("Dir::Cache={path}/apt"),
            "Dir::Etc::sourcelist=/dev/null".to_owned(),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Debug::NoLocking=1".to_owned(),
        ] {
            apt.arg("-o").arg(setting);
        }
        succeed(apt.args(["-s", "-q=2", "-y"]).args(arguments).env("LC_ALL", "C"))
    }

    /// A package that depends on Debian's.
    fn program(&self) -> PathBuf {
        let control = self.path().join("program/DEBIAN/control");
        fs::create_dir_all(control.parent().unwrap()).unwrap();
        let text = format!(
            "Package: program\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@invalid>\n\
             {PROGRAM_DEPENDS}Description: one\n"
        );
        fs::write(&control, text).unwrap();
        let package = self.path().join("program.deb");
        succeed(Command::new("dpkg-deb").arg("--build").arg(self.path().join("program")).arg(&package));
        package
    }
}

const PROGRAM_DEPENDS: &str = "Depends: libnanomsg5 (>= 1.1.5), libnanomsg-dev, nanomsg-utils (>= 1.0)\n";

/// The packages, by name, made once; `None`, and a line that says so, where something is missing; in CI a failure.
fn packages() -> Option<&'static [PathBuf]> {
    static PACKAGES: OnceLock<Option<(TempDir, Vec<PathBuf>)>> = OnceLock::new();
    PACKAGES.get_or_init(make).as_ref().map(|(_, packages)| packages.as_slice())
}

fn make() -> Option<(TempDir, Vec<PathBuf>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = ["dpkg-buildpackage", "dh", "dpkg", "apt-get", "mandoc", "chrpath"];
    let is_there = |tool: &&str| Command::new("which").arg(tool).output().is_ok_and(|output| output.status.success());
    let missing = if let Some(tool) = tools.iter().find(|tool| !is_there(tool)) {
        format!("there is no {tool}")
    } else if !root.join("target/bin/nanocat").exists() {
        "there is nothing to put into packages: make build".to_owned()
    } else {
        let dir = TempDir::new().unwrap();
        let mut make = Command::new("make");
        for name in
            ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PREFIX", "LIBDIR", "INCLUDEDIR", "BINDIR", "MANDIR", "DESTDIR"]
        {
            make.env_remove(name);
        }
        // What is built is taken as it is.
        let make = make.current_dir(root).args(["-s", "-o", "build", "deb"]);
        succeed(make.arg(format!("DEBDIR={}", dir.path().display())));
        let is_package = |path: &PathBuf| {
            // Symbols for debuggers are in packages of their own.
            let name = path.file_name().unwrap().to_string_lossy();
            name.ends_with(".deb") && !name.contains("-dbgsym_")
        };
        let mut packages: Vec<PathBuf> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).filter(is_package).collect();
        packages.sort();
        return Some((dir, packages));
    };
    assert!(!std::env::var("CI").is_ok_and(|v| v == "true"), "{missing}");
    // Not eprintln: what a passing test prints by that is not shown.
    std::io::stderr().write_all(format!("skipped: {missing}\n").as_bytes()).unwrap();
    None
}

fn cc() -> Command {
    Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
}

/// What a command prints; it must not fail.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", said(&output.stdout), said(&output.stderr));
    said(&output.stdout)
}
