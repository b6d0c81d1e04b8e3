//! A panic or a fault fails one call, and nothing else.

use segue::{CallFailure, Request};
use segue_tests::{TestHost, V1, V2, until};

#[test]
fn a_panic_fails_its_call_with_message_and_location() {
    let host = TestHost::new();
    host.load("panics-in-call", V1).unwrap();
    let module = host.module("panics-in-call");
    for _ in 0..100 {
        match module.call(&Request::get("/panic")).unwrap_err().failure() {
            CallFailure::Panicked { message, file, line, version, .. } => {
                assert_eq!(message, "the call panics on purpose");
                assert!(file.ends_with("lib.rs") && *line > 0);
                assert_eq!(version.version, V1);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(module.call(&Request::get("/")).unwrap().body, V1.as_bytes());
    }
}

#[test]
fn a_fault_fails_its_call_with_its_text() {
    let host = TestHost::new();
    host.load("panics-in-call", V1).unwrap();
    let module = host.module("panics-in-call");
    let failed = module.call(&Request::get("/fault")).unwrap_err();
    assert!(
        matches!(failed.failure(), CallFailure::Fault { text, .. } if text == "the call fails on purpose"),
        "{failed:?}"
    );
}

#[test]
fn an_error_outlives_its_version() {
    let host = TestHost::new();
    host.load("panics-in-call", V1).unwrap();
    let module = host.module("panics-in-call");
    let panic = module.call(&Request::get("/panic")).unwrap_err();
    let fault = module.call(&Request::get("/fault")).unwrap_err();
    let answer = module.call(&Request::get("/")).unwrap();
    host.load("panics-in-call", V2).unwrap();
    until("the old version is unloaded", || host.runtime.images_mapped() == 1);
    assert!(panic.to_string().contains("the call panics on purpose"));
    assert!(fault.to_string().contains("the call fails on purpose"));
    assert_eq!(answer.body, V1.as_bytes());
    assert_eq!(answer.headers[0].0, "content-type");
}
