//! The list in README.md and the tests agree.

use std::collections::{BTreeMap, BTreeSet};

const README: &str = include_str!("README.md");

/// How many rows the list has.
const ROWS: usize = 61;

/// The files of this suite, without this one.
const SOURCES: &[(&str, &str)] = &[
    ("crashes", include_str!("crashes.rs")),
    ("deleting", include_str!("deleting.rs")),
    ("edges", include_str!("edges.rs")),
    ("full_disk", include_str!("full_disk.rs")),
    ("handles", include_str!("handles.rs")),
    ("loading", include_str!("loading.rs")),
    ("on_load", include_str!("on_load.rs")),
    ("on_load_again", include_str!("on_load_again.rs")),
    ("parallel", include_str!("parallel.rs")),
    ("purging", include_str!("purging.rs")),
    ("races", include_str!("races.rs")),
    ("releases", include_str!("releases.rs")),
    ("rollbacks", include_str!("rollbacks.rs")),
    ("sets", include_str!("sets.rs")),
    ("snapshots", include_str!("snapshots.rs")),
    ("sticky", include_str!("sticky.rs")),
    ("survival", include_str!("survival.rs")),
    ("upgrade", include_str!("upgrade.rs")),
    ("versions", include_str!("versions.rs")),
];

/// The names of the tests in a source.
fn tests_in(source: &str) -> BTreeSet<&str> {
    let after_attribute = source.split("#[test]\nfn ").skip(1);
    after_attribute.filter_map(|rest| rest.split('(').next()).collect()
}

/// What stands between backticks in a cell, where it is `file::test`.
fn named(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::"))
}

/// The cells of the lines of all tables.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    lines.map(|line| line.split(" | ").map(str::trim).collect())
}

#[test]
fn every_row_is_there_once_with_its_tests_or_with_a_reason() {
    let numbered = rows(README).filter_map(|row| Some((row[0].parse::<usize>().ok()?, row)));
    let mut seen = BTreeMap::new();
    for (number, row) in numbered {
        let [_, otp, ours] = row[..] else { panic!("row {number} has {} cells", row.len()) };
        assert!(!otp.is_empty() && !ours.is_empty(), "row {number}");
        assert!(seen.insert(number, ours).is_none(), "row {number} is there twice");
        let reason = named(ours).next().is_some() || ours.starts_with("Does not apply: ");
        assert!(reason, "row {number} has neither a test nor a reason: {ours}");
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), (1..=ROWS).collect::<Vec<_>>());
}

#[test]
fn every_test_that_is_named_exists_and_every_test_is_named() {
    let tests: BTreeMap<&str, BTreeSet<&str>> =
        SOURCES.iter().map(|(file, source)| (*file, tests_in(source))).collect();
    let mut unnamed: BTreeSet<(&str, &str)> =
        tests.iter().flat_map(|(file, tests)| tests.iter().map(|test| (*file, *test))).collect();
    assert!(unnamed.len() > 50, "the tests are found: {unnamed:?}");
    for (file, test) in
        rows(README).flat_map(|row| row.last().map(|cell| named(cell).collect::<Vec<_>>())).flatten()
    {
        let exists = tests.get(file).is_some_and(|tests| tests.contains(test));
        assert!(exists, "README.md names {file}::{test}, and there is none");
        unnamed.remove(&(file, test));
    }
    assert!(unnamed.is_empty(), "README.md does not name {unnamed:?}");
    // And each file is a part of this program.
    for (file, _) in SOURCES {
        assert!(include_str!("main.rs").contains(&format!("mod {file};")), "{file}");
    }
}
