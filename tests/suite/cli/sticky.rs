//! A sticky module is not replaced, whether its file or a command made it sticky.

use segue_tests::{Service, V1, V2, fixture_str};
use serde_json::json;

use crate::SEGUE;

#[test]
fn a_module_that_is_sticky_by_its_file_can_be_replaced_after_unstick() {
    let service = Service::start(SEGUE, &[]);
    let check = service.command.run(["check", &fixture_str("stays", V1)]);
    assert!(check.stdout.contains("sticky      yes"), "{check:?}");
    let (code, first) = service.command.json(&["load", &fixture_str("stays", V1)]);
    assert_eq!(code, Some(0), "{first}");
    assert!(service.command.run(["ls"]).stdout.contains("stays (sticky)"));
    for refused in [&["load", &fixture_str("stays", V2)][..], &["delete", "stays"]] {
        let (code, answer) = service.command.json(refused);
        assert_eq!((code, &answer["error"]["code"]), (Some(3), &json!("sticky")), "{refused:?}: {answer}");
    }
    let (code, free) = service.command.json(&["unstick", "stays"]);
    assert_eq!((code, &free), (Some(0), &json!({"module": "stays", "sticky": false, "changed": true})));
    let (code, second) = service.command.json(&["load", &fixture_str("stays", V2)]);
    assert_eq!((code, &second["loaded"][0]["version"]), (Some(0), &json!(V2)), "{second}");
}

#[test]
fn a_module_made_sticky_stays_sticky_after_a_restart() {
    let service = Service::start(SEGUE, &[]);
    service.command.json(&["load", &fixture_str("sleeper", V1)]);
    let (code, stuck) = service.command.json(&["stick", "sleeper"]);
    assert_eq!((code, &stuck["changed"]), (Some(0), &json!(true)));
    assert!(service.command.run(["stick", "sleeper"]).stdout.contains("nothing changed"));
    let service = service.kill_and_start_again();
    let (code, refused) = service.command.json(&["load", &fixture_str("sleeper", V2)]);
    assert_eq!((code, &refused["error"]["code"]), (Some(3), &json!("sticky")), "{refused}");
    assert_eq!(service.status("sleeper").unwrap()["sticky"], true);
}
