//! A command that is sent twice runs once, and the ledger records who sent it.

use segue_tests::{Service, V1, V2, control, fixture_str, until};
use serde_json::{Value, json};

use crate::SEGUE;

/// Sends a rollback; returns the status and the answer without `took_us`. The stored answer was written
/// before the wait for the disk, so its times differ.
fn rollback(service: &Service, key: &str) -> (u16, Value) {
    let headers = [("idempotency-key", key)];
    let (status, mut answer) =
        control::ask_json(service, "POST", "/v1/modules/sleeper/rollback", &headers, &Value::Null);
    answer.as_object_mut().unwrap().remove("took_us");
    (status, answer)
}

fn current_version(service: &Service) -> Value {
    service.status("sleeper").unwrap()["current"]["version"].clone()
}

#[test]
fn a_rollback_that_is_sent_twice_runs_once_even_over_a_kill() {
    let service = Service::start(SEGUE, &[]);
    service.command.json(&["load", &fixture_str("sleeper", V1)]);
    service.command.json(&["load", &fixture_str("sleeper", V2)]);
    until("the old version is unloaded", || service.status("sleeper").unwrap()["old"].is_null());

    let (status, first) = rollback(&service, "the-first");
    assert_eq!((status, &first["current"]["version"]), (200, &json!(V1)), "{first}");
    assert_eq!(rollback(&service, "the-first"), (200, first.clone()), "the same key is the same command");
    assert_eq!(current_version(&service), V1, "it ran once");

    let service = service.kill_and_start_again();
    assert_eq!(current_version(&service), V1);
    assert_eq!(rollback(&service, "the-first"), (200, first), "its answer outlived the process");
    assert_eq!(current_version(&service), V1);
    let (_, history) = service.command.json(&["history", "sleeper"]);
    let rollbacks = history.as_array().unwrap().iter().filter(|record| record["event"] == "rolled_back");
    assert_eq!(rollbacks.count(), 1, "{history}");

    let headers = [("idempotency-key", "the-first")];
    let (status, reused) =
        control::ask_json(&service, "POST", "/v1/modules/sleeper/stick", &headers, &Value::Null);
    assert_eq!((status, &reused["error"]["code"]), (400, &json!("bad_request")), "{reused}");
    let (status, other) = rollback(&service, "another");
    assert_eq!((status, &other["current"]["version"]), (200, &json!(V2)), "{other}");
}

#[test]
fn the_history_records_who_sent_a_command() {
    let service = Service::start(SEGUE, &[]);
    let uid = service.uid();
    let loaded = service.command.run(["load", &fixture_str("sleeper", V1)]);
    assert_eq!(loaded.code, Some(0), "{loaded:?}");
    let (status, _) = control::ask_json(&service, "POST", "/v1/modules/sleeper/stick", &[], &Value::Null);
    assert_eq!(status, 200);
    service.drop_in(&segue_tests::fixture("greeter", V1), "libgreeter.so");
    service.wait_for_version("greeter", V1);

    let (_, history) = service.command.json(&["history"]);
    let by = |event: &str| {
        let found = history.as_array().unwrap().iter().rfind(|record| record["event"] == event);
        found.unwrap_or_else(|| panic!("no {event} in {history}"))["by"].clone()
    };
    assert_eq!(
        by("made_sticky"),
        json!({"who": "peer", "uid": uid, "pid": std::process::id()}),
        "this process"
    );
    let file = service.home.path().join("modules/libgreeter.so").canonicalize().unwrap();
    assert_eq!(by("loaded"), json!({"who": "file", "path": file}));
    let command = json!({"who": "peer", "uid": uid, "pid": loaded.pid});
    assert_eq!(history[1]["by"], command, "the process of `segue load`: {history}");
    let text = service.command.run(["history", "sleeper"]).stdout;
    assert!(text.contains(&format!("[by uid {uid}, pid {}]", loaded.pid)), "{text}");
}
