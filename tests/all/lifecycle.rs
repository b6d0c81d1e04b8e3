//! A module is loaded, called, replaced, and the version before it leaves memory.

use segue::{Error, Event, LoadOutcome, Request, VersionState};
use segue_tests::{Bench, V1, V2, fixture, until};

/// What greeter answers to `/ada`.
fn greeting(bench: &Bench) -> String {
    let answer = bench.runtime.module("greeter").unwrap().call(&Request::get("/ada")).unwrap();
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).unwrap()
}

#[test]
fn a_version_replaces_another_which_leaves_memory() {
    let bench = Bench::new();
    assert!(matches!(bench.runtime.module("greeter"), Err(Error::NoSuchModule { .. })));

    let first = bench.runtime.load(fixture("greeter", V1)).unwrap();
    assert_eq!((first.module.as_str(), first.version.as_str(), &first.replaced), ("greeter", V1, &None));
    assert_eq!(greeting(&bench), "Hello, ada! This is greeter 1.0.0.\n");
    assert_eq!(bench.runtime.images_mapped(), 1);

    let second = bench.runtime.load(fixture("greeter", V2)).unwrap();
    assert_eq!(second.outcome, LoadOutcome::Loaded);
    assert_eq!(second.replaced.as_ref().unwrap().generation, first.generation);
    assert!(second.generation > first.generation);
    assert_eq!(greeting(&bench), "Hello, ada! This is greeter 1.1.0.\n");

    until("old has left memory", || bench.runtime.status("greeter").unwrap().old.is_none());
    assert_eq!(bench.runtime.images_mapped(), 1, "the dynamic linker has one image of it");
    assert_eq!(bench.staged().len(), 1, "and one private copy is left");
    let status = bench.runtime.status("greeter").unwrap();
    let current = status.current.unwrap();
    assert_eq!((current.status, current.calls, current.inside), (VersionState::Confirmed, 1, 0));
    assert!(status.quarantined.is_empty());
}

#[test]
fn the_same_file_again_is_unchanged() {
    let bench = Bench::new();
    let first = bench.runtime.load(fixture("greeter", V1)).unwrap();
    let again = bench.runtime.load(fixture("greeter", V1)).unwrap();
    assert_eq!(again.outcome, LoadOutcome::Unchanged);
    assert_eq!(again.generation, first.generation);
    assert_eq!(bench.staged().len(), 1);
}

#[test]
fn the_events_tell_the_story_without_gaps() {
    let bench = Bench::new();
    bench.runtime.load(fixture("greeter", V1)).unwrap();
    bench.runtime.load(fixture("greeter", V2)).unwrap();
    until("old has left memory", || bench.runtime.status("greeter").unwrap().old.is_none());
    let records = bench.runtime.events().recent(0);
    let story: Vec<&str> = records
        .iter()
        .map(|record| match &record.event {
            Event::Started { .. } => "started",
            Event::Loaded { replaced: None, .. } => "loaded",
            Event::Loaded { .. } => "replaced",
            Event::Purged { .. } => "purged",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(story, ["started", "loaded", "replaced", "purged"]);
    assert!(records.iter().zip(1..).all(|(record, seq)| record.seq == seq));
}

#[test]
fn different_modules_do_not_mind_each_other() {
    let bench = Bench::new();
    bench.runtime.load(fixture("greeter", V1)).unwrap();
    bench.runtime.load(fixture("textkit", V2)).unwrap();
    let names: Vec<String> = bench.runtime.modules().into_iter().map(|module| module.name).collect();
    assert_eq!(names, ["greeter", "textkit"]);
    assert_eq!(bench.runtime.images_mapped(), 2);
}

#[test]
fn shutdown_takes_everything_out_of_memory() {
    let bench = Bench::new();
    bench.runtime.load(fixture("greeter", V1)).unwrap();
    bench.runtime.load(fixture("textkit", V1)).unwrap();
    let greeter = bench.runtime.module("greeter").unwrap();
    bench.runtime.shutdown(std::time::Duration::from_secs(30)).unwrap();
    assert_eq!(bench.runtime.images_mapped(), 0);
    assert!(bench.staged().is_empty());
    let error = greeter.call(&Request::get("/")).unwrap_err();
    assert!(matches!(error.failure(), segue::CallFailure::NoCurrent { .. }), "{error:?}");
    assert!(matches!(bench.runtime.load(fixture("greeter", V1)), Err(Error::ShuttingDown)));
}

#[test]
fn a_file_can_come_from_the_store() {
    let bench = Bench::new();
    let bytes = std::fs::read(fixture("greeter", V1)).unwrap();
    let digest = bench.runtime.put_image(&bytes).unwrap();
    let source = segue::Source::Stored(digest);
    let loaded = bench.runtime.load_with(&source, &segue::LoadOptions::default()).unwrap();
    assert_eq!((loaded.version.as_str(), loaded.digest), (V1, digest));
    assert!(bench.runtime.put_image(b"no module").is_err());
}
