//! `tests/mutations` breaks the library on purpose and demands that a test fails. That takes long, and is done by `make
//! mutations`; here is looked after what can be without, so that its table goes along with the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use crate::rows;

/// What tests/mutations does not break, because it is not in the library.
const TRIED_BY_HAND: &str = "a program that sends beyond its buffer, or does not free a chunk, is told of";

/// Rows without a mutation, and why.
const NOTHING_TO_BREAK: &[(&str, &str)] = &[("B20", "what nn_recvmsg is given is const")];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn mutations() -> Table {
    read("tests/mutations/mutations.toml").parse().expect("a table")
}

fn text<'a>(mutation: &'a Value, key: &str) -> &'a str {
    mutation.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{key} is missing: {mutation:?}"))
}

fn rows_of(mutation: &Value) -> impl Iterator<Item = &str> {
    mutation.get("rows").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[test]
fn every_mutation_can_be_made() {
    for (title, mutation) in mutations() {
        let (file, old) = (text(&mutation, "file"), text(&mutation, "old"));
        assert_eq!(read(file).matches(old).count(), 1, "{title}: {file} has this once: {old}");
        assert_ne!(old, text(&mutation, "new"), "{title}");
    }
}

#[test]
fn every_row_has_a_mutation() {
    let mutations = mutations();
    let broken: BTreeSet<&str> = mutations.values().flat_map(rows_of).collect();
    let whole: BTreeSet<&str> = NOTHING_TO_BREAK.iter().map(|(row, _)| *row).collect();
    let rows: BTreeSet<&str> = rows::all().iter().map(|(row, ..)| *row).collect();
    assert!(broken.is_disjoint(&whole));
    assert_eq!(&broken | &whole, rows);
}

#[test]
fn every_mutation_stands_for_something() {
    let promises = read("docs/reliability.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for (title, mutation) in mutations() {
        assert!(rows_of(&mutation).next().is_some() || promises.contains(&title), "{title}: no row, no promise");
    }
}

/// The last column of every table of that page.
#[test]
fn every_promise_was_seen_to_be_broken() {
    let page = read("docs/reliability.md");
    let promises = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| promise | ") && !line.starts_with("| --- |"));
    let mutations = mutations();
    for promise in promises {
        let broken = promise.trim_end_matches(" |").rsplit(" | ").next().expect("a last column");
        for title in broken.split("; ").filter(|title| *title != TRIED_BY_HAND) {
            assert!(mutations.contains_key(title), "{title}: no mutation, in {promise}");
        }
    }
}
