//! Trials: a restart returns to the confirmed version, and never to one on trial.

use segue_tests::{Service, V1, V2, fixture_str, until};
use serde_json::json;

use crate::SEGUE;

#[test]
fn a_start_after_a_kill_serves_the_confirmed_version_and_not_the_trial() {
    let service = Service::start(SEGUE, &[]);
    service.command.json(&["load", &fixture_str("sleeper", V1)]);
    let trial = service.command.run(["load", &fixture_str("sleeper", V2), "--trial", "10m"]);
    assert_eq!(trial.code, Some(0), "{trial:?}");
    assert!(
        trial.stdout.contains("will be rolled back in 10m 00s; `segue confirm sleeper` keeps it"),
        "{trial:?}"
    );
    let status = service.status("sleeper").unwrap();
    assert_eq!(status["current"]["status"], "trial");
    assert_eq!(status["restarts_to"]["version"], V1, "a restart does not return to a trial: {status}");
    until("old is warm", || service.status("sleeper").unwrap()["old"]["status"] == "warm");
    let ls = service.command.run(["ls"]).stdout;
    assert!(ls.contains("trial") && ls.contains("warm"), "{ls}");
    let (_, metrics) = segue_tests::control::ask(&service, "GET", "/metrics", &[], b"");
    assert!(metrics.contains("segue_trials 1\n"), "{metrics}");

    let service = service.kill_and_start_again();
    assert_eq!(service.get("/sleeper/"), (200, V1.to_owned()), "the trial was not confirmed");
    assert_eq!(service.status("sleeper").unwrap()["current"]["status"], "confirmed");
    let (code, nothing) = service.command.json(&["confirm", "sleeper"]);
    assert_eq!((code, &nothing["confirmed"]), (Some(0), &json!(false)), "{nothing}");
    assert!(service.command.run(["confirm", "sleeper"]).stdout.contains("nothing changed"));

    service.command.json(&["load", &fixture_str("sleeper", V2), "--trial", "10m"]);
    let (code, confirmed) = service.command.json(&["confirm", "sleeper"]);
    assert_eq!(
        (code, &confirmed["confirmed"], &confirmed["current"]["version"]),
        (Some(0), &json!(true), &json!(V2))
    );
    assert_eq!(service.status("sleeper").unwrap()["restarts_to"]["version"], V2);
    let service = service.kill_and_start_again();
    assert_eq!(service.get("/sleeper/"), (200, V2.to_owned()), "the version was confirmed");
    // The version that was confirmed before is loaded from the store.
    let (code, back) = service.command.json(&["rollback", "sleeper"]);
    assert_eq!((code, &back["from"], &back["recorded"]), (Some(0), &json!("store"), &json!(true)), "{back}");
    assert_eq!(service.get("/sleeper/"), (200, V1.to_owned()));
}

#[test]
fn a_trial_that_is_not_confirmed_ends_as_configured() {
    let service = Service::start(SEGUE, &[]);
    service.command.json(&["load", &fixture_str("sleeper", V1)]);
    service.command.json(&["load", &fixture_str("sleeper", V2), "--trial", "1ms", "--trial-end", "confirm"]);
    until("it is confirmed", || service.status("sleeper").unwrap()["current"]["status"] == "confirmed");
    assert_eq!(service.get("/sleeper/"), (200, V2.to_owned()));
    until("the old version is unloaded", || service.status("sleeper").unwrap()["old"].is_null());
    service.command.json(&["load", &fixture_str("sleeper", V1), "--trial", "1ms"]);
    service.wait_for_version("sleeper", V2);
    let (_, history) = service.command.json(&["history", "sleeper"]);
    let rollback = history.as_array().unwrap().iter().rfind(|record| record["event"] == "rolled_back");
    assert_eq!(rollback.unwrap()["by"], json!({"who": "runtime", "why": "the end of its trial"}));
}
