//! Several files as one set: all become current, or none.

use segue_tests::{Service, V1, V2, control, fixture_str};
use serde_json::{Value, json};

use crate::SEGUE;

#[test]
fn a_set_with_bad_members_is_refused_and_each_is_named() {
    let service = Service::start(SEGUE, &[]);
    let images: Vec<Value> = ["greeter", "panics-on-load", "vetoes-load"]
        .iter()
        .map(|package| json!({"path": fixture_str(package, V1)}))
        .collect();
    let (status, answer) = control::ask_json(&service, "POST", "/v1/load", &[], &json!({"images": images}));
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("on_load_failed")), "{answer}");
    let members = answer["error"]["members"].as_array().unwrap();
    let modules: Vec<&Value> = members.iter().map(|member| &member["module"]).collect();
    assert_eq!(modules, ["panics-on-load", "vetoes-load"], "{answer}");
    assert!(
        members.iter().all(|member| member["step"] == "on_load" && member["hint"].is_string()),
        "{answer}"
    );
    assert_eq!(service.get("/greeter/ada").0, 404, "the good member is not loaded either");
    let (_, modules) = service.command.json(&["ls"]);
    assert_eq!(modules, json!([]));

    let files =
        [fixture_str("greeter", V1), fixture_str("panics-on-load", V1), fixture_str("vetoes-load", V1)];
    let text = service.command.run(["load".to_owned()].iter().chain(&files));
    assert_eq!(text.code, Some(3), "{text:?}");
    assert_eq!(text.stderr.matches("refused at step on_load: ").count(), 2, "{text:?}");
    assert!(text.stderr.matches("hint: ").count() >= 2, "{text:?}");
}

#[test]
fn a_set_becomes_current_at_once_and_is_listed_in_the_order_given() {
    let service = Service::start(SEGUE, &[]);
    let (code, answer) =
        service.command.json(&["load", &fixture_str("sleeper", V1), &fixture_str("greeter", V1)]);
    assert_eq!(code, Some(0), "{answer}");
    let modules: Vec<&Value> =
        answer["loaded"].as_array().unwrap().iter().map(|one| &one["module"]).collect();
    assert_eq!(modules, ["sleeper", "greeter"]);
    let (_, answer) =
        service.command.json(&["load", &fixture_str("sleeper", V1), &fixture_str("greeter", V2)]);
    let outcomes: Vec<&Value> =
        answer["loaded"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["unchanged", "loaded"]);
    let text = service.command.run(["history", "sleeper"]);
    assert!(text.stdout.contains("loaded together with greeter; "), "{text:?}");
    let twice = service.command.run(["load", &fixture_str("greeter", V1), &fixture_str("greeter", V2)]);
    assert_eq!(twice.code, Some(2), "one module twice is an error: {twice:?}");
}
