//! The shared object: does it export src/ffi/exports.txt and nothing else, and under which name is it loaded?

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_list_is_sorted_and_has_every_entry_point() {
    let list = list();
    assert!(list.is_sorted(), "sort src/ffi/exports.txt");
    let source = fs::read_to_string(root().join("src/ffi/mod.rs")).unwrap();
    let name = |text: &str| text.split_once(" fn ")?.1.split_once('(').map(|(name, _)| name.to_owned());
    let mut functions: Vec<_> = source.split("#[unsafe(no_mangle)]").skip(1).map(|text| name(text).unwrap()).collect();
    functions.sort();
    assert_eq!(functions, list);
}

#[test]
fn the_library_exports_the_list_and_nothing_else() {
    for library in libraries() {
        let Some(names) = exported(&library) else { return };
        assert_eq!(names, list(), "{}", library.display());
    }
}

/// Linked anew from the static library, with another list: what it does not name is not exported, and a name without a
/// function is an error.
#[test]
fn the_list_decides_what_is_exported() {
    let archive = root().join("target/lib/libnanomsg.a");
    if !cfg!(target_os = "linux") || !archive.exists() {
        return skip(&format!("there is no {}: make build", archive.display()));
    }
    let dir = tempfile::tempdir().unwrap();
    let link = |names: &[String]| {
        let file = dir.path().join("exports.txt");
        fs::write(&file, names.iter().map(|name| format!("{name}\n")).collect::<String>()).unwrap();
        let mut make = Command::new("make");
        for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
            make.env_remove(name);
        }
        make.current_dir(root()).args(["-s", "link"]);
        make.arg(format!("ARCHIVE={}", archive.display())).arg(format!("EXPORTS={}", file.display()));
        make.arg(format!("STAGE={}", dir.path().display())).env("LC_ALL", "C").output().unwrap()
    };
    let mut names = list();
    let removed = names.remove(names.len() / 2);
    let output = link(&names);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let Some(exported) = exported(&dir.path().join("libnanomsg.so.6.0.1")) else { return };
    assert_eq!(exported, names, "without {removed}");

    names.push("nn_no_such_function".to_owned());
    let output = link(&names);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("nn_no_such_function"), "{errors}");
}

#[test]
fn programs_ask_for_the_library_by_its_interface_number() {
    for library in libraries() {
        let Some(dynamic) = output("readelf", &["-d"], &library) else { return };
        let entry = |tag| dynamic.lines().find(|line| line.contains(tag)).unwrap_or_default();
        assert!(entry("(SONAME)").contains("[libnanomsg.so.6]"), "{}: {dynamic}", library.display());
        assert!(entry("(FLAGS_1)").contains("NODELETE"), "{}: {dynamic}", library.display());
    }
}

fn list() -> Vec<String> {
    fs::read_to_string(root().join("src/ffi/exports.txt")).unwrap().lines().map(str::to_owned).collect()
}

/// Every name that a shared object exports, sorted. A version, if there were one, would stand behind the name: upstream's
/// names have none.
fn exported(library: &Path) -> Option<Vec<String>> {
    let table = output("nm", &["-D", "--defined-only"], library)?;
    let mut names: Vec<_> =
        table.lines().filter_map(|line| line.split_whitespace().nth(2)).map(str::to_owned).collect();
    names.sort_unstable();
    Some(names)
}

/// The shared object that was built together with this test, and the one made ready to install, if there is one.
fn libraries() -> Vec<PathBuf> {
    if !cfg!(target_os = "linux") {
        skip("this looks at shared objects of Linux only");
        return Vec::new();
    }
    let test = std::env::current_exe().unwrap();
    let beside = test.with_file_name("libnanomsg.so");
    assert!(beside.exists(), "{} is built with every test", beside.display());
    let profile = test.parent().and_then(Path::parent).unwrap();
    let installed = profile.with_file_name("lib").join("libnanomsg.so.6.0.1");
    [beside, installed].into_iter().filter(|library| library.exists()).collect()
}

/// What a tool says about a library; None without the tool.
fn output(tool: &str, arguments: &[&str], library: &Path) -> Option<String> {
    let Ok(output) = Command::new(tool).args(arguments).arg(library).env("LC_ALL", "C").output() else {
        skip(&format!("there is no {tool}"));
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
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
