//! The rows in README.md and the tests agree. A test that belongs to row 7 is named `otp_07_…`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    process::Command,
};

const README: &str = include_str!("README.md");

/// How many rows there are.
const ROWS: usize = 61;

/// All tests of this program.
fn all_tests() -> BTreeSet<String> {
    let output = Command::new(env::current_exe().unwrap()).args(["--list", "--format", "terse"]).output();
    let listed = String::from_utf8(output.unwrap().stdout).unwrap();
    listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The row that a test belongs to, by its name.
fn row_of(test: &str) -> Option<usize> {
    let (_, name) = test.rsplit_once("::")?;
    name.strip_prefix("otp_")?.split('_').next()?.parse().ok()
}

/// The tests that a cell names: whatever in backticks is a path of three names.
fn tests_in(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2).filter(|name| name.matches("::").count() == 2)
}

/// The cells of each line of each table.
fn table_lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    lines.map(|line| line.split(" | ").map(str::trim).collect())
}

/// Our cell of each row.
fn rows() -> BTreeMap<usize, &'static str> {
    let mut rows = BTreeMap::new();
    for (number, row) in table_lines(README).filter_map(|row| Some((row[0].parse::<usize>().ok()?, row))) {
        let [_, otp, ours] = row[..] else { panic!("row {number} has {} cells", row.len()) };
        assert!(!otp.is_empty(), "row {number} names no test of OTP");
        assert!(rows.insert(number, ours).is_none(), "row {number} is there twice");
    }
    rows
}

#[test]
fn every_row_has_a_test_or_a_reason() {
    let rows = rows();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (1..=ROWS).collect::<Vec<_>>());
    for (number, ours) in rows {
        let has_test = tests_in(ours).any(|test| row_of(test) == Some(number));
        assert!(has_test || ours.starts_with("Does not apply: "), "row {number}: {ours}");
    }
}

#[test]
fn every_test_that_the_readme_names_exists() {
    let tests = all_tests();
    for cell in table_lines(README).flatten() {
        for test in tests_in(cell) {
            assert!(tests.contains(test), "README.md names {test}, which does not exist");
        }
    }
}

#[test]
fn every_test_of_a_row_is_named_in_that_row() {
    let rows = rows();
    let tests = all_tests();
    let of_rows: Vec<_> = tests.iter().filter_map(|test| Some((test.as_str(), row_of(test)?))).collect();
    assert!(of_rows.len() > 60, "the tests are found: {of_rows:?}");
    for (test, row) in of_rows {
        let named = rows.get(&row).is_some_and(|ours| tests_in(ours).any(|name| name == test));
        assert!(named, "row {row} of README.md does not name {test}");
    }
}
