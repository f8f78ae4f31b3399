//! The pages for developers are complete, and the paths that they name exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn ctests_readme_names_each_file_once() {
    let page = read("ctests/README.md");
    let mut listed: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect();
    listed.sort_unstable();
    let files: BTreeSet<String> = names("ctests").filter(|name| name.ends_with(".c") || name.ends_with(".h")).collect();
    assert_eq!(listed, Vec::from_iter(&files), "ctests/README.md and the files of ctests/");
}

#[test]
fn tests_readme_names_each_entry() {
    let page = read("tests/README.md");
    let missing: Vec<String> =
        names("tests").filter(|name| name != "README.md" && !page.contains(name.trim_end_matches(".rs"))).collect();
    assert!(missing.is_empty(), "tests/README.md does not mention {missing:?}");
}

#[test]
fn docs_readme_lists_each_page() {
    let page = read("docs/README.md");
    let missing: Vec<String> = names("docs")
        .filter(|name| {
            let is_page = name.ends_with(".md") || name.ends_with(".json") || ["man", "guide"].contains(&name.as_str());
            is_page && name != "README.md" && !page.contains(&format!("({name}"))
        })
        .collect();
    assert!(missing.is_empty(), "docs/README.md does not link to {missing:?}");
}

#[test]
fn places_of_the_ten_changes_exist() {
    let page = read("docs/architecture.md");
    let section = page.split_once("\n## Ten changes and their places\n").unwrap().1.split("\n## ").next().unwrap();
    let rows: Vec<&str> =
        section.lines().filter(|line| line.starts_with("| a ") || line.starts_with("| an ")).collect();
    assert_eq!(rows.len(), 10);
    for row in rows {
        let paths: Vec<&str> = row.split('`').skip(1).step_by(2).filter(|word| word.contains('/')).collect();
        assert!(paths.len() >= 3, "{row}");
        for path in paths {
            assert!(root().join(path).exists(), "docs/architecture.md: {path}");
        }
    }
}

#[test]
fn modules_of_the_table_are_those_of_the_library() {
    let page = read("docs/architecture.md");
    let section = page.split_once("\n## The modules\n").unwrap().1.split("\n## ").next().unwrap();
    let table = section.split_once("\n| --- | --- | --- |\n").unwrap().1;
    let listed: Vec<&str> = table
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.trim_end_matches('/').trim_end_matches(".rs"))
        .collect();
    let declared = read("src/lib.rs");
    let declared: BTreeSet<&str> = declared
        .lines()
        .filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';'))
        .filter(|name| !["fuzzing", "icount"].contains(name))
        .collect();
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), declared);
}

/// Types and files that the page names are there, so that a renaming does not pass it by.
#[test]
fn names_in_the_architecture_exist() {
    let page = read("docs/architecture.md");
    // The last section also has what was never built.
    let text = page.split("\n## Where it differs from the first design\n").next().unwrap();
    let (mut sources, mut files) = (String::new(), BTreeSet::new());
    let mut folders = ["src", "tests", "ctests", "benches"].map(|name| root().join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                files.insert(entry.file_name().into_string().unwrap());
                sources += &text;
            }
        }
    }
    let words: BTreeSet<&str> = sources.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut missing = Vec::new();
    for name in text.split('`').skip(1).step_by(2).filter(|name| !name.contains([' ', '\n', '='])) {
        let is_type = |part: &str| part.starts_with(char::is_uppercase) && part.contains(char::is_lowercase);
        let types_are_there = name.split("::").filter(|part| is_type(part)).all(|part| words.contains(part));
        let file = name.rsplit('/').next().unwrap();
        let file_is_there =
            Path::new(file).extension().is_none_or(|extension| extension != "rs") || files.contains(file);
        let exists = (types_are_there || name.contains('.')) && file_is_there;
        if !exists {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "docs/architecture.md names {missing:?}");
}

fn names(folder: &str) -> impl Iterator<Item = String> {
    fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap())
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
