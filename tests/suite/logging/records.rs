//! Events and spans of a module reach the subscriber of the host as data, with the version that sent them.

use segue::Request;
use segue_tests::{TestHost, V1, V2, until};
use tracing_subscriber::{Registry, layer::SubscriberExt};

use crate::logging::Capture;

#[test]
fn events_and_spans_arrive_with_module_version_and_generation() {
    let capture = Capture::default();
    let host = TestHost::new();
    let loaded = host.load("logs", V1).unwrap();
    tracing::subscriber::with_default(Registry::default().with(capture.clone()), || {
        host.module("logs").call(&Request::get("/here")).unwrap();
    });
    // The subscriber and its data of the spans outlive the version.
    host.load("logs", V2).unwrap();
    until("the old version is unloaded", || host.runtime.images_mapped() == 1);

    let lines = capture.take();
    let origin = format!(r#"module="logs" version="1.0.0" generation={}"#, loaded.generation);
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains(&origin)), "{lines:#?}");
    let expected: [(&str, &[&str]); 5] = [
        ("ERROR", &["an error", "answer=42"]),
        ("WARN", &["a warning", "ratio=0.5", "outer", "path=", "/here", "found=true"]),
        ("INFO", &["an information", "words", "Some(1)", "inner", "outer"]),
        ("DEBUG", &["a detail", "outer"]),
        ("TRACE", &["a step", r#"from="elsewhere""#]),
    ];
    for (line, (level, parts)) in lines.iter().zip(expected) {
        assert!(line.starts_with(level), "{line}");
        for part in parts {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
    }
    assert!(!lines[4].contains('<'), "an event without a parent has no span: {}", lines[4]);
    assert!(!lines[3].contains("inner"), "{}", lines[3]);
}
