//! Requests to the control socket, and its error object.

use std::{fs, os::unix::fs::PermissionsExt};

use segue_tests::{Service, V1, V2, control, fixture};
use serde_json::{Value, json};

use crate::SEGUE;

fn ask(service: &Service, method: &str, path: &str, body: &[u8]) -> (u16, String) {
    control::ask(service, method, path, &[], body)
}

fn ask_json(service: &Service, method: &str, path: &str, body: &Value) -> (u16, Value) {
    control::ask_json(service, method, path, &[], body)
}

#[test]
fn a_file_is_uploaded_loaded_and_listed() {
    let service = Service::start(SEGUE, &[]);
    let mode = fs::metadata(service.home.path().join("segue.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner may connect");

    let bytes = fs::read(fixture("greeter", V1)).unwrap();
    let (status, answer) = ask(&service, "PUT", "/v1/images", &bytes);
    assert_eq!(status, 200, "{answer}");
    let digest = serde_json::from_str::<Value>(&answer).unwrap()["digest"].clone();
    let (status, loaded) = ask_json(&service, "POST", "/v1/load", &json!({"images": [{"digest": digest}]}));
    assert_eq!((status, &loaded["loaded"][0]["digest"]), (200, &digest), "{loaded}");
    let file = fixture("greeter", V2);
    let (status, loaded) = ask_json(&service, "POST", "/v1/load", &json!({"images": [{"path": file}]}));
    assert_eq!((status, &loaded["loaded"][0]["replaced"]["version"]), (200, &json!(V1)), "{loaded}");

    let (status, modules) = ask_json(&service, "GET", "/v1/modules", &Value::Null);
    assert_eq!((status, &modules[0]["current"]["version"]), (200, &json!(V2)));
    let (status, module) = ask_json(&service, "GET", "/v1/modules/greeter", &Value::Null);
    assert_eq!((status, &module["name"]), (200, &json!("greeter")));
    let (status, metrics) = ask(&service, "GET", "/metrics", b"");
    assert_eq!(status, 200);
    for metric in ["segue_pthread_keys_in_use ", "segue_images_mapped ", "segue_live_bytes{"] {
        assert!(metrics.contains(&format!("\n{metric}")), "{metrics}");
    }
    assert_eq!(ask(&service, "GET", "/healthz", b"").0, 200);
    assert_eq!(ask_json(&service, "GET", "/openapi.json", &Value::Null).0, 200);
}

#[test]
fn every_bad_request_gets_an_error_object() {
    let service = Service::start(SEGUE, &[]);
    let cases = [
        ("GET", "/v1/modules/nobody", Value::Null, 404, "not_found"),
        ("POST", "/v1/modules/nobody/rollback", json!({}), 404, "not_found"),
        ("GET", "/nowhere", Value::Null, 404, "not_found"),
        ("POST", "/v1/load", json!({"images": []}), 400, "bad_request"),
        ("POST", "/v1/load", json!({"files": 7}), 400, "bad_request"),
        ("POST", "/v1/load", json!({"images": [{"path": "/a"}, {"path": "/b"}]}), 404, "not_found"),
        ("POST", "/v1/load", json!({"images": [{"path": "/a"}], "trial_ms": 0}), 400, "bad_request"),
        ("POST", "/v1/modules/nobody/confirm", Value::Null, 404, "not_found"),
        ("GET", "/v1/history?module=nobody", Value::Null, 404, "not_found"),
        ("POST", "/v1/load", json!({"images": [{"path": "/nowhere/libx.so"}]}), 404, "not_found"),
        ("POST", "/v1/load", json!({"images": [{"path": fixture("no-metadata", V1)}]}), 422, "no_metadata"),
    ];
    for (method, path, body, status, code) in cases {
        let (found, answer) = ask_json(&service, method, path, &body);
        assert_eq!(
            (found, &answer["error"]["code"]),
            (status, &json!(code)),
            "{method} {path} {body}: {answer}"
        );
    }
    let (status, answer) = ask(&service, "POST", "/v1/load", b"{ no json");
    assert_eq!(status, 400);
    assert!(answer.contains("bad_request"), "{answer}");
    let (status, answer) = ask(&service, "DELETE", "/v1/modules", b"");
    assert_eq!(status, 405);
    assert!(answer.contains("\"error\""), "{answer}");
}
