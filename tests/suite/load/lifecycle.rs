//! A module is loaded, called and replaced, and the version before it is unloaded.

use segue::{Error, Event, LoadOutcome, Request, VersionState};
use segue_tests::{TestHost, V1, V2, fixture};

/// What greeter answers to `/ada`.
fn greeting(host: &TestHost) -> String {
    let answer = host.module("greeter").call(&Request::get("/ada")).unwrap();
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).unwrap()
}

#[test]
fn a_version_that_was_replaced_is_unloaded() {
    let host = TestHost::new();
    assert!(matches!(host.runtime.module("greeter"), Err(Error::NoSuchModule { .. })));

    let first = host.load("greeter", V1).unwrap();
    assert_eq!((first.module.as_str(), first.version.as_str(), &first.replaced), ("greeter", V1, &None));
    assert_eq!(greeting(&host), "Hello, ada! This is greeter 1.0.0.\n");
    assert_eq!(host.runtime.images_mapped(), 1);

    let second = host.load("greeter", V2).unwrap();
    assert_eq!(second.outcome, LoadOutcome::Loaded);
    assert_eq!(second.replaced.as_ref().unwrap().generation, first.generation);
    assert!(second.generation > first.generation);
    assert_eq!(greeting(&host), "Hello, ada! This is greeter 1.1.0.\n");

    host.wait_until_old_is_gone("greeter");
    assert_eq!(host.runtime.images_mapped(), 1, "one image is mapped");
    assert_eq!(host.staged(), 1, "one private copy is left");
    let status = host.runtime.status("greeter").unwrap();
    let current = status.current.unwrap();
    assert_eq!((current.status, current.calls, current.inside), (VersionState::Confirmed, 1, 0));
    assert!(status.quarantined.is_empty());
}

#[test]
fn loading_the_same_file_again_is_unchanged() {
    let host = TestHost::new();
    let first = host.load("greeter", V1).unwrap();
    let again = host.load("greeter", V1).unwrap();
    assert_eq!(again.outcome, LoadOutcome::Unchanged);
    assert_eq!(again.generation, first.generation);
    assert_eq!(host.staged(), 1);
}

#[test]
fn events_are_recorded_in_order_without_gaps() {
    let host = TestHost::new();
    host.load("greeter", V1).unwrap();
    host.load("greeter", V2).unwrap();
    host.wait_until_old_is_gone("greeter");
    let records = host.runtime.events().recent(0);
    let kinds: Vec<&str> = records
        .iter()
        .map(|record| match &record.event {
            Event::Started { .. } => "started",
            Event::Loaded { replaced: None, .. } => "loaded",
            Event::Loaded { .. } => "replaced",
            Event::Purged { .. } => "purged",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["started", "loaded", "replaced", "purged"]);
    assert!(records.iter().zip(1..).all(|(record, seq)| record.seq == seq));
}

#[test]
fn modules_are_loaded_side_by_side() {
    let host = TestHost::new();
    host.load("greeter", V1).unwrap();
    host.load("textkit", V2).unwrap();
    let names: Vec<String> = host.runtime.modules().into_iter().map(|module| module.name).collect();
    assert_eq!(names, ["greeter", "textkit"]);
    assert_eq!(host.runtime.images_mapped(), 2);
}

#[test]
fn shutdown_unloads_every_module() {
    let host = TestHost::new();
    host.load("greeter", V1).unwrap();
    host.load("textkit", V1).unwrap();
    let greeter = host.module("greeter");
    host.runtime.shutdown(std::time::Duration::from_secs(30)).unwrap();
    assert_eq!(host.runtime.images_mapped(), 0);
    assert_eq!(host.staged(), 0);
    let error = greeter.call(&Request::get("/")).unwrap_err();
    assert!(matches!(error.failure(), segue::CallFailure::NoCurrent { .. }), "{error:?}");
    assert!(matches!(host.load("greeter", V1), Err(Error::ShuttingDown)));
}

#[test]
fn a_file_can_be_loaded_from_the_store() {
    let host = TestHost::new();
    let bytes = std::fs::read(fixture("greeter", V1)).unwrap();
    let digest = host.runtime.put_image(&bytes).unwrap();
    let source = segue::Source::Stored(digest);
    let loaded = host.runtime.load_with(&source, &segue::LoadOptions::default()).unwrap();
    assert_eq!((loaded.version.as_str(), loaded.digest), (V1, digest));
    assert!(host.runtime.put_image(b"no module").is_err());
}
