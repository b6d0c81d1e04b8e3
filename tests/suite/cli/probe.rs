//! `segue probe` names the resources that a module leaves behind and the function in which it crashes, and
//! stops one that hangs.

use std::fs;

use segue_tests::{Command, V1, fixture_str};
use serde_json::Value;
use tempfile::TempDir;

use crate::SEGUE;

/// Probes a module with three rounds and two threads.
fn probe(name: &str, more: &[&str]) -> (Option<i32>, Value) {
    let file = fixture_str(name, V1);
    let arguments = ["probe", &file, "--rounds", "3", "--threads", "2"];
    Command::new(SEGUE).json(&[&arguments, more].concat())
}

/// The kinds of the resources that stayed, each once.
fn kinds(report: &Value) -> Vec<&str> {
    let stays = report["stays"].as_array().unwrap();
    let mut kinds: Vec<&str> = stays.iter().map(|stay| stay["kind"].as_str().unwrap()).collect();
    kinds.dedup();
    kinds
}

#[test]
fn a_clean_module_leaves_nothing() {
    // The last one is sticky.
    for name in ["greeter", "thread-spawner", "stays"] {
        let (code, report) = probe(name, &["--request", "GET /ada", "--request", "/bob"]);
        assert_eq!((code, &report["outcome"]), (Some(0), &"left".into()), "{report}");
        assert_eq!(kinds(&report), [""; 0], "{report}");
        let versions = report["versions"].as_array().unwrap();
        assert_eq!(versions.len(), 4, "three are replaced, and the last one is deleted: {report}");
        assert!(versions.iter().all(|version| version["left"] == true), "{report}");
        // Two requests, two threads, two passes a round, and one pass for the last version.
        assert_eq!(report["calls"]["made"], 2 * 2 * (3 * 2 + 1), "{report}");
        assert!(report["purge_us"]["max"].as_u64() >= report["purge_us"]["median"].as_u64(), "{report}");
    }
    let text = Command::new(SEGUE).run(["probe", &fixture_str("greeter", V1), "--rounds", "1"]);
    assert!(
        text.stdout.starts_with("greeter 1.0.0: every version was unloaded, and nothing stayed\n"),
        "{text:?}"
    );
}

#[test]
fn each_kind_of_leftover_is_named() {
    // A thread and a handler keep the image; the others do not.
    let cases = [
        ("thread", "image", "left-behind"),
        ("signal", "image", "SIGUSR2"),
        ("ignored", "signal", "SIGWINCH is ignored"),
        ("file", "descriptor", "/dev/null"),
        ("key", "key", "not deleted"),
    ];
    for (leave, kind, named) in cases {
        let request = format!("GET /?leave={leave}");
        let (code, report) = probe("leaver", &["--request", &request, "--deadline", "8s"]);
        assert_eq!((code, &report["outcome"]), (Some(8), &"stays".into()), "{leave}: {report}");
        let stays = report["stays"].as_array().unwrap();
        let matches = |stay: &&Value| stay["kind"] == kind && stay["what"].as_str().unwrap().contains(named);
        let stay = stays.iter().find(matches).unwrap_or_else(|| panic!("{leave}: {report}"));
        assert!(!stay["advice"].as_str().unwrap().is_empty(), "{leave}: {report}");
    }
    let (code, report) = probe("leaver", &["--request", "GET /?leave=idle-thread"]);
    assert_eq!((code, &report["outcome"]), (Some(0), &"left".into()), "{report}");
    assert!(report["versions"][0]["threads_ended"].as_u64().unwrap() > 0, "{report}");
    // Control: without such a request, the same module leaves nothing.
    let (code, report) = probe("leaver", &[]);
    assert_eq!((code, kinds(&report)), (Some(0), vec![]), "{report}");
}

#[test]
fn a_probe_whose_calls_all_fail_fails() {
    let (code, report) = probe("leaver", &["--request", "GET /?leave=fault"]);
    assert_eq!((code, kinds(&report)), (Some(8), vec!["calls"]), "{report}");
    assert!(report["calls"]["first_failure"].as_str().unwrap().contains("a fault on purpose"), "{report}");
    let requests = ["--request", "GET /?leave=fault", "--request", "GET /"];
    let (code, report) = probe("leaver", &requests);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["calls"]["failed"], 2 * (3 * 2 + 1), "{report}");
}

#[test]
fn a_crash_is_reported_with_step_and_function() {
    let (code, report) = probe("leaver", &["--request", "GET /?leave=crash"]);
    assert_eq!((code, &report["outcome"]["crashed"]), (Some(8), &"SIGSEGV".into()), "{report}");
    assert!(report["step"].as_str().unwrap().contains("round 1: calls of GET /?leave=crash"), "{report}");
    assert_eq!(report["crash"]["module"], "leaver", "{report}");
    assert!(report["crash"]["place"].as_str().unwrap().contains("write_at_null"), "{report}");

    let file = fixture_str("leaver", V1);
    let output = std::process::Command::new(SEGUE)
        .args(["probe", &file, "--json"])
        .env("SEGUE_LEAVER", "crash")
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(8), "{report}");
    assert!(report["step"].as_str().unwrap().contains("on_load"), "{report}");
    assert_eq!(report["crash"]["module"], "leaver", "{report}");

    // A module that calls `exit` counts as a crash.
    let (code, report) = probe("crasher", &["--request", "GET /?do=exit"]);
    assert_eq!((code, &report["outcome"]["crashed"]), (Some(8), &"exit(3)".into()), "{report}");
    assert_eq!(report["crash"]["signal"], "exit(3)", "{report}");
}

#[test]
fn a_hang_ends_at_the_deadline() {
    let (code, report) = probe("sleeper", &["--request", "GET /?ms=3600000", "--deadline", "1s"]);
    assert_eq!((code, &report["outcome"]["hung"]), (Some(8), &1000.into()), "{report}");
    assert!(report["step"].as_str().unwrap().contains("GET /?ms=3600000"), "{report}");
}

#[test]
fn a_refused_file_has_the_exit_code_of_a_refusal() {
    let directory = TempDir::new().unwrap();
    let text = directory.path().join("text.so");
    fs::write(&text, "#!/bin/sh\n").unwrap();
    let segue = Command::new(SEGUE);
    let code = |file: &str| segue.json(&["probe", file]);
    let (bad, error) = code(text.to_str().unwrap());
    assert_eq!((bad, &error["error"]["code"]), (Some(3), &"bad_elf".into()));
    assert_eq!(code("/nowhere/libx.so").0, Some(4));
    let (vetoed, error) = code(&fixture_str("vetoes-load", V1));
    assert_eq!((vetoed, &error["error"]["code"]), (Some(3), &"on_load_failed".into()));
    assert!(error["error"]["message"].as_str().unwrap().contains("on_load refuses on purpose"));
    let bad_request = segue.run(["probe", &fixture_str("greeter", V1), "--request", "GET x"]);
    assert_eq!(bad_request.code, Some(2), "{bad_request:?}");
}

#[test]
fn a_probe_leaves_no_files() {
    let home = TempDir::new().unwrap();
    let output = std::process::Command::new(SEGUE)
        .args(["probe", &fixture_str("greeter", V1), "--rounds", "1"])
        .env("TMPDIR", home.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(segue_tests::names_in(home.path()), [""; 0]);
}
