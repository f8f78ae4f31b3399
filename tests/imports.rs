//! Modules import only downwards: those of `src/` from the ones that stand below them in `src/lib.rs`, and the files of `socket`
//! from each other without a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// They look at everything, and are in no library that is shipped.
const OUTSIDE: [&str; 3] = ["fuzzing", "icount", "simulation"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below `folder`, with its path as a module: `["socket", "io", "ping"]`.
fn modules(folder: &Path, path: &[String], found: &mut BTreeMap<Vec<String>, PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner: Vec<String> = path.iter().cloned().chain([name.clone()]).collect();
        if entry.is_dir() {
            modules(&entry, &inner, found);
        } else if name == "mod" {
            found.insert(path.to_vec(), entry);
        } else if entry.extension().is_some_and(|end| end == "rs") {
            found.insert(inner, entry);
        }
    }
}

fn all_modules() -> BTreeMap<Vec<String>, PathBuf> {
    let mut found = BTreeMap::new();
    modules(&source(), &[], &mut found);
    found.retain(|path, _| !["lib", "bin"].contains(&path[0].as_str()) && !OUTSIDE.contains(&path[0].as_str()));
    found
}

/// The code of a file: no tests, no comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let shipped = text.split("#[cfg(test)]").next().unwrap();
    shipped.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// What a `use` names, one path for each name in its braces.
fn expand(tree: &str) -> Vec<String> {
    let Some((before, inner)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap().trim().to_owned()];
    };
    let inner = &inner[..inner.rfind('}').unwrap_or(inner.len())];
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, sign) in inner.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    parts.iter().flat_map(|part| expand(&format!("{before}{}", part.trim()))).collect()
}

/// The modules that a file imports from, as far as the `use` lines say.
fn imports(from: &[String], text: &str, all: &BTreeMap<Vec<String>, PathBuf>) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let begins = rest[..at].chars().next_back().is_none_or(char::is_whitespace);
        rest = &rest[at + 4..];
        let Some(end) = rest.find(';').filter(|_| begins) else { continue };
        for path in expand(&rest[..end]) {
            let mut base = from.to_vec();
            let mut names: Vec<&str> = path.split("::").collect();
            match names[0] {
                "crate" => base.clear(),
                "super" => drop(base.pop()),
                "self" => {}
                _ => continue,
            }
            names.remove(0);
            while names.first() == Some(&"super") {
                base.pop();
                names.remove(0);
            }
            let full: Vec<String> = base.into_iter().chain(names.into_iter().map(str::to_owned)).collect();
            let module =
                (1..=full.len()).rev().map(|length| full[..length].to_vec()).find(|path| all.contains_key(path));
            found.extend(module.filter(|module| module != from));
        }
    }
    found
}

#[test]
fn modules_import_downwards() {
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let order: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let place =
        |name: &str| order.iter().position(|known| *known == name).unwrap_or_else(|| panic!("{name} in lib.rs"));
    let mut upwards = Vec::new();
    let mut looked_at = 0;
    for (path, file) in all_modules() {
        for part in code(&file).split("crate::").skip(1) {
            let name: String = part.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect();
            if order.contains(&name.as_str()) {
                looked_at += 1;
                if place(&path[0]) > place(&name) {
                    upwards.push(format!("{} imports {name}", file.display()));
                }
            }
        }
    }
    assert!(upwards.is_empty(), "{upwards:#?}");
    assert!(looked_at > 300, "{looked_at}");
}

#[test]
fn files_of_socket_import_each_other_in_no_circle() {
    let mut all = all_modules();
    all.retain(|path, _| path[0] == "socket");
    let mut left: BTreeMap<_, _> = all.iter().map(|(path, file)| (path, imports(path, &code(file), &all))).collect();
    // What imports nothing that is left is no part of a circle. A module's own file stands above its parts, which take from it
    // what it declares: that is no import of theirs.
    for (path, from) in &mut left {
        from.retain(|other| !path.starts_with(other));
    }
    loop {
        let done: Vec<_> = left
            .iter()
            .filter(|(_, from)| !from.iter().any(|other| left.contains_key(other)))
            .map(|(path, _)| *path)
            .collect();
        if done.is_empty() {
            break;
        }
        for path in done {
            left.remove(path);
        }
    }
    assert!(all.len() > 30, "{}", all.len());
    let circle: Vec<String> = left.keys().map(|path| path.join("::")).collect();
    assert!(circle.is_empty(), "circles in or above {circle:?}");
}
