//! The checks, applied to this source tree.

#![allow(clippy::unwrap_used, reason = "a test says what it means by failing")]

use std::{fs, path::Path};

use segue_checks::{api_page, error_page, links, rooms, tree, widths};
use serde_json::Value;

fn none(wrong: &[String], what: &str) {
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

fn source(of: &str) -> std::path::PathBuf {
    tree::root().join("runtime").join(of).join("src")
}

fn description() -> Value {
    serde_json::from_str(include_str!("../../../runtime/control/src/server/openapi.json")).unwrap()
}

#[test]
fn a_room_of_the_host_imports_only_from_rooms_below_it() {
    let files = rooms::imports_of(&source("host")).unwrap();
    assert!(files.len() > 50, "the files were found");
    none(&rooms::upward(&files, rooms::HOST, rooms::HOST_EXCEPTIONS), "imports that run upward");
}

#[test]
fn the_architecture_page_lists_the_rooms_of_the_host_in_order() {
    let page = fs::read_to_string(tree::root().join("ARCHITECTURE.md")).unwrap();
    let listed: Vec<&str> = page
        .lines()
        .filter(|line| line.contains("](runtime/host/src/"))
        .filter_map(|line| line.strip_prefix("| [")?.split(']').next())
        .collect();
    assert_eq!(listed, rooms::HOST);
}

#[test]
fn a_room_of_the_loader_imports_only_from_rooms_below_it() {
    let files = rooms::imports_of(&source("loader")).unwrap();
    assert!(files.len() > 50, "the files were found");
    none(&rooms::upward(&files, rooms::LOADER, &[]), "imports that run upward");
}

#[test]
fn a_room_of_the_sdk_imports_only_from_rooms_below_it() {
    let files = rooms::imports_of(&source("sdk")).unwrap();
    assert!(files.len() > 40, "the files were found");
    none(&rooms::upward(&files, rooms::SDK, &[]), "imports that run upward");
}

#[test]
fn a_file_of_core_imports_only_from_files_below_it() {
    let files = rooms::imports_of(&source("core")).unwrap();
    assert!(files.len() > 20, "the files were found");
    none(&rooms::upward(&files, rooms::CORE, &[]), "imports that run upward");
}

#[test]
fn a_room_of_the_cli_imports_only_from_rooms_below_it() {
    let files = rooms::imports_of(&source("cli")).unwrap();
    assert!(files.len() > 40, "the files were found");
    none(&rooms::upward(&files, rooms::CLI, &[]), "imports that run upward");
    none(&rooms::between_siblings(&files, "commands"), "commands that import another command");
}

#[test]
fn a_room_of_the_demo_imports_only_from_rooms_below_it() {
    let files = rooms::imports_of(&source("demo")).unwrap();
    assert!(files.len() > 10, "the files were found");
    none(&rooms::upward(&files, rooms::DEMO, &[]), "imports that run upward");
}

#[test]
fn no_files_of_a_crate_import_each_other_in_a_cycle() {
    let (mut found, mut count) = (Vec::new(), 0);
    let crates = ["runtime", "modules"].map(|folder| fs::read_dir(tree::root().join(folder)).unwrap());
    for source in crates.into_iter().flatten().map(|of| of.unwrap().path().join("src")) {
        let files = rooms::imports_of(&source).unwrap();
        let cycles = rooms::cycles(&files);
        found.extend(cycles.iter().map(|files| format!("{}: {}", source.display(), files.join(" "))));
        count += 1;
    }
    assert!(count >= 13, "the crates were found");
    none(&found, "files that import each other in a cycle");
}

#[test]
fn comment_lines_are_no_longer_than_code() {
    none(&widths::long_comments(&tree::root()).unwrap(), "comment lines that are too long");
}

#[test]
fn a_file_can_be_read_in_one_sitting_or_says_why_it_is_long() {
    none(&widths::long_files(&tree::root().join("runtime")).unwrap(), "source files that are too long");
}

#[test]
fn every_link_in_a_document_resolves() {
    none(&links::broken(&tree::root()).unwrap(), "broken links");
}

#[test]
fn the_page_of_the_control_api_is_generated_from_its_description() {
    let page = fs::read_to_string(tree::root().join("runtime/host/guide/control-api.md")).unwrap_or_default();
    let is_same = page == api_page::page(&description());
    assert!(is_same, "run `cargo run -p segue-checks -- api`");
}

#[test]
fn the_guide_explains_each_event_and_each_error_code() {
    let page = fs::read_to_string(tree::root().join("runtime/host/guide/errors.md")).unwrap();
    none(&error_page::missing(&description(), &page), "not explained in errors.md");
    assert!(Path::new(&tree::root().join("README.md")).exists(), "this is the root of the checkout");
}
