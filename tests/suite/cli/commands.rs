//! The commands against a service: what they print, as text and as JSON, and how they exit.

use std::fs;

use segue_tests::{Command, Service, V1, V2, fixture, fixture_str, until};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::SEGUE;

#[test]
fn load_ls_status_and_rollback_in_json() {
    let service = Service::start(SEGUE, &[]);
    let (code, empty) = service.command.json(&["ls"]);
    assert_eq!((code, empty), (Some(0), json!([])));

    let (code, answer) = service.command.json(&["load", &fixture_str("sleeper", V1)]);
    assert_eq!(code, Some(0), "{answer}");
    let loaded = &answer["loaded"][0];
    assert_eq!((&loaded["module"], &loaded["version"]), (&json!("sleeper"), &json!(V1)));
    assert_eq!((&loaded["outcome"], &loaded["replaced"]), (&json!("loaded"), &Value::Null));
    for step in ["stage", "read", "map", "on_load", "publish", "total"] {
        assert!(loaded["took_us"][step].is_u64(), "{step}: {loaded}");
    }
    for step in ["verify", "probe", "code_change"] {
        assert!(loaded["took_us"][step].is_null(), "there was no step {step}: {loaded}");
    }

    let (_, again) = service.command.json(&["load", &fixture_str("sleeper", V1)]);
    assert_eq!(again["loaded"][0]["outcome"], "unchanged");

    let (_, ls) = service.command.json(&["ls"]);
    let current = &ls[0]["current"];
    assert_eq!(
        (&ls[0]["name"], &ls[0]["old"], &ls[0]["quarantined"]),
        (&json!("sleeper"), &Value::Null, &json!([]))
    );
    assert_eq!(
        (&ls[0]["sticky"], &current["status"], &current["pins"]),
        (&json!(false), &json!("confirmed"), &json!([]))
    );
    assert!(current["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(current["loaded_at"].as_str().unwrap().ends_with('Z'));
    for field in ["version", "generation", "source", "inside", "oldest_ms", "calls"] {
        assert!(current.get(field).is_some(), "{field}: {current}");
    }

    let (code, refused) = service.command.json(&["rollback", "sleeper"]);
    assert_eq!((code, &refused["error"]["code"]), (Some(3), &json!("nothing_to_roll_back")), "{refused}");
}

#[test]
fn a_rollback_works_while_a_call_is_inside() {
    let service = Service::start(SEGUE, &[]);
    service.command.json(&["load", &fixture_str("sleeper", V1)]);
    let address = service.address;
    let slow = std::thread::spawn(move || segue_tests::http::get(address, "/sleeper/?ms=3000"));
    until("the call is inside", || service.status("sleeper").unwrap()["current"]["inside"] == 1);
    service.command.json(&["load", &fixture_str("sleeper", V2)]);

    let (code, third) = service.command.json(&["load", &fixture_str("greeter", V1)]);
    assert_eq!(code, Some(0), "another module can be loaded: {third}");
    fs::copy(fixture("sleeper", V1), service.home.path().join("libsleeper-3.so")).unwrap();
    let third = service.home.path().join("libsleeper-3.so");
    let (code, refused) = service.command.json(&["load", third.to_str().unwrap()]);
    assert_eq!((code, &refused["error"]["code"]), (Some(3), &json!("not_purged")), "{refused}");
    assert_eq!(refused["error"]["step"], "publish");

    let (code, soft) = service.command.json(&["soft-purge", "sleeper"]);
    assert_eq!((code, &soft["lingering"]), (Some(5), &json!(1)), "{soft}");

    let (code, back) = service.command.json(&["rollback", "sleeper"]);
    assert_eq!(
        (code, &back["current"]["version"], &back["old"]["version"]),
        (Some(0), &json!(V1), &json!(V2))
    );
    assert_eq!(slow.join().unwrap().text(), V1);
    let (code, purged) = service.command.json(&["purge", "sleeper"]);
    assert_eq!((code, &purged["lingering"]), (Some(0), &json!(0)), "{purged}");
}

#[test]
fn a_purge_past_its_deadline_exits_with_5_and_pins_names_the_call() {
    let service = Service::start(SEGUE, &[]);
    service.command.json(&["load", &fixture_str("sleeper", V1)]);
    let (code, pins) = service.command.json(&["pins", "sleeper"]);
    assert_eq!((code, &pins), (Some(0), &json!({"module": "sleeper", "held": []})));
    let address = service.address;
    let slow = std::thread::spawn(move || segue_tests::http::get(address, "/sleeper/?ms=2500"));
    until("the call is inside", || service.status("sleeper").unwrap()["current"]["inside"] == 1);
    service.command.json(&["load", &fixture_str("sleeper", V2)]);
    let (code, lingering) = service.command.json(&["purge", "sleeper", "--deadline", "50ms"]);
    assert_eq!(
        (code, &lingering["lingering"], &lingering["purged"]),
        (Some(5), &json!(1), &json!(false)),
        "{lingering}"
    );
    let (code, pins) = service.command.json(&["pins", "sleeper"]);
    let held = &pins["held"][0];
    assert_eq!((code, &held["version"], &held["status"]), (Some(0), &json!(V1), &json!("pinned")), "{pins}");
    let pin = &held["pins"][0];
    assert_eq!(pin["kind"], "call", "{pins}");
    let detail = pin["detail"].as_str().unwrap();
    assert!(detail.starts_with("GET ") && detail.contains("thread"), "{detail}");
    let human = service.command.run(["pins", "sleeper"]);
    assert!(human.stdout.contains("waits for it to return"), "{human:?}");
    let (code, third) = service.command.json(&["load", &fixture_str("sleeper", V1)]);
    assert_eq!(code, Some(0), "the old version is quarantined: {third}");
    assert_eq!(slow.join().unwrap().text(), V1);
    until("it is unloaded", || service.status("sleeper").unwrap()["quarantined"] == json!([]));
}

#[test]
fn each_bad_file_is_refused_with_exit_3_and_no_request_is_lost() {
    let service = Service::start(SEGUE, &[]);
    service.command.json(&["load", &fixture_str("greeter", V1)]);
    let clients = segue_demo::client::Clients::start(segue_demo::client::Plan::new(service.address)).unwrap();
    until("the clients are sending", || clients.progress().answered > 100);
    let scratch = TempDir::new().unwrap();
    let good = fs::read(fixture("greeter", V2)).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = scratch.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut other_machine = good.clone();
    other_machine[18..20].copy_from_slice(&183u16.to_le_bytes());
    let cases = [
        (fixture_str("panics-on-load", V1), "on_load_failed", "on_load"),
        (fixture_str("vetoes-load", V1), "on_load_failed", "on_load"),
        (fixture_str("no-metadata", V1), "no_metadata", "read"),
        (fixture_str("impostor", V1), "name_mismatch", "read"),
        (fixture_str("other-prefix", V1), "abi_mismatch", "map"),
        (write("half.so", &good[..good.len() / 2]), "bad_elf", "read"),
        (write("machine.so", &other_machine), "wrong_machine", "read"),
        (write("text.so", b"hello"), "bad_elf", "read"),
    ];
    for (file, error_code, step) in &cases {
        let (code, refused) = service.command.json(&["load", file]);
        let error = &refused["error"];
        assert_eq!(code, Some(3), "{file}: {refused}");
        assert_eq!((&error["code"], &error["step"]), (&json!(error_code), &json!(step)), "{refused}");
        assert!(error["message"].is_string() && error["hint"].is_string(), "{refused}");
    }
    let outcome = clients.stop();
    assert_eq!(outcome.lost(), 0, "{:?}", outcome.examples);
    // The events have the same refusals.
    let (_, events) = service.command.json_lines(&["events"]);
    assert_eq!(events.iter().filter(|event| event["event"] == "refused").count(), cases.len());
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let nowhere = Command::new(SEGUE);
    let unreachable = nowhere.run(["ls", "--control", "/nowhere/segue.sock"]);
    assert_eq!(unreachable.code, Some(6), "{unreachable:?}");
    assert!(unreachable.stderr.contains("hint:"), "{unreachable:?}");
    let bad_address =
        nowhere.run(["serve", "--listen", "127.0.0.1:99999", "--control", "/tmp/never-made.sock"]);
    assert_eq!(bad_address.code, Some(2), "{bad_address:?}");
    assert_eq!(nowhere.run(["frobnicate"]).code, Some(2));
    assert_eq!(nowhere.run(["check", "/nowhere/libx.so"]).code, Some(4));
    assert_eq!(nowhere.run(["check", &fixture_str("no-metadata", V1)]).code, Some(3));
    assert_eq!(nowhere.run(["--help"]).code, Some(0));

    let service = Service::start(SEGUE, &[]);
    assert_eq!(service.command.run(["status", "nobody"]).code, Some(4));
    assert_eq!(service.command.run(["load", "/nowhere/libx.so"]).code, Some(4));
    let refused = service.command.run(["load", &fixture_str("no-metadata", V1)]);
    assert!(
        refused.stderr.contains("refused at step read") && refused.stderr.contains("hint:"),
        "{refused:?}"
    );
    assert_eq!(service.command.run(["rollback", "nobody"]).code, Some(4));
}

#[test]
fn check_prints_the_metadata_of_a_file() {
    let (code, report) = Command::new(SEGUE).json(&["check", &fixture_str("greeter", V2)]);
    assert_eq!(code, Some(0));
    assert_eq!(
        (&report["name"], &report["version"], &report["abi"]),
        (&json!("greeter"), &json!(V2), &json!(segue_loader::abi::metadata::REVISION))
    );
    assert!(report["digest"].as_str().unwrap().starts_with("sha256:"));
    let text = Command::new(SEGUE).run(["check", &fixture_str("greeter", V2)]);
    assert!(text.stdout.contains("greeter") && text.stdout.contains(V2), "{text:?}");
}

#[test]
fn events_are_printed_as_text_and_as_json_lines() {
    let service = Service::start(SEGUE, &[]);
    service.command.json(&["load", &fixture_str("greeter", V1)]);
    service.command.json(&["load", &fixture_str("greeter", V2)]);
    until("the old version is unloaded", || service.status("greeter").unwrap()["old"].is_null());
    let (code, events) = service.command.json_lines(&["events"]);
    assert_eq!(code, Some(0));
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["started", "loaded", "loaded", "purged"]);
    assert!(events.iter().zip(1..).all(|(event, seq)| event["seq"] == json!(seq)));
    let (_, later) = service.command.json_lines(&["events", "--from", "4"]);
    assert_eq!(later.len(), 1);
    let text = service.command.run(["events"]);
    assert!(text.stdout.contains("greeter") && text.stdout.lines().count() >= 4, "{text:?}");
    assert!(service.command.run(["ls"]).stdout.contains("greeter"));
}
