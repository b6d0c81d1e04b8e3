//! A call ends in the version in which it began, and that version stays until then.

use std::{thread, time::Duration};

use segue::{Error, LoadOptions, Policy, Request, Source, VersionState};
use segue_tests::{Bench, V1, V2, fixture, until};

/// A call that sleeps in sleeper's current version.
fn sleep_in_current(bench: &Bench, ms: u64) -> thread::JoinHandle<String> {
    let sleeper = bench.runtime.module("sleeper").unwrap();
    let before = bench.runtime.status("sleeper").unwrap().current.unwrap().inside;
    let call = thread::spawn(move || {
        let query = format!("ms={ms}");
        let request = Request { query: &query, ..Request::get("/") };
        String::from_utf8(sleeper.call(&request).unwrap().body).unwrap()
    });
    until("the call is inside", || bench.runtime.status("sleeper").unwrap().current.unwrap().inside > before);
    call
}

#[test]
fn a_call_inside_old_finishes_there_while_current_answers() {
    let bench = Bench::new();
    bench.runtime.load(fixture("sleeper", V1)).unwrap();
    let slow = sleep_in_current(&bench, 1500);
    bench.runtime.load(fixture("sleeper", V2)).unwrap();

    let sleeper = bench.runtime.module("sleeper").unwrap();
    for _ in 0..100 {
        assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V2.as_bytes());
    }
    let old = bench.runtime.status("sleeper").unwrap().old.expect("old is there while somebody is inside");
    assert_eq!((old.status, old.inside, old.version.as_str()), (VersionState::Draining, 1, V1));
    assert_eq!(old.pins.len(), 1, "and it is told what keeps it");
    assert_eq!(bench.runtime.images_mapped(), 2);

    assert_eq!(slow.join().unwrap(), V1, "the call was answered by the version in which it began");
    until("old has left memory", || bench.runtime.status("sleeper").unwrap().old.is_none());
    assert_eq!(bench.runtime.images_mapped(), 1);
}

#[test]
fn a_third_version_is_refused_and_nothing_has_changed() {
    let bench = Bench::new();
    bench.runtime.load(fixture("sleeper", V1)).unwrap();
    let slow = sleep_in_current(&bench, 1500);
    bench.runtime.load(fixture("sleeper", V2)).unwrap();
    let before = bench.runtime.status("sleeper").unwrap();
    let refused = bench.runtime.load(fixture("sleeper", V1));
    assert!(matches!(refused, Err(Error::NotPurged { inside: 1, .. })), "{refused:?}");
    let after = bench.runtime.status("sleeper").unwrap();
    assert_eq!(
        before.current.map(|version| version.generation),
        after.current.map(|version| version.generation)
    );
    assert_eq!(bench.runtime.images_mapped(), 2, "the third was not even mapped");
    slow.join().unwrap();
}

#[test]
fn a_third_version_waits_where_the_policy_says_so() {
    let bench = Bench::new();
    bench.runtime.load(fixture("sleeper", V1)).unwrap();
    let slow = sleep_in_current(&bench, 600);
    bench.runtime.load(fixture("sleeper", V2)).unwrap();
    let source = Source::File(fixture("sleeper", V1));
    let soon =
        LoadOptions { policy: Policy::Wait, deadline: Duration::from_millis(50), ..LoadOptions::default() };
    assert!(matches!(bench.runtime.load_with(&source, &soon), Err(Error::Deadline { .. })));
    let patient = LoadOptions { policy: Policy::Wait, ..LoadOptions::default() };
    let third = bench.runtime.load_with(&source, &patient).unwrap();
    assert_eq!(third.version, V1);
    assert_eq!(slow.join().unwrap(), V1);
}

#[test]
fn a_guard_keeps_its_version_for_several_calls() {
    let bench = Bench::new();
    bench.runtime.load(fixture("sleeper", V1)).unwrap();
    let sleeper = bench.runtime.module("sleeper").unwrap();
    let guard = sleeper.enter().unwrap();
    bench.runtime.load(fixture("sleeper", V2)).unwrap();
    assert_eq!(guard.call(&Request::get("/")).unwrap().body, V1.as_bytes());
    assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V2.as_bytes());
    assert_eq!(guard.version().version, V1);
    assert!(bench.runtime.status("sleeper").unwrap().old.is_some());
    drop(guard);
    until("old has left memory", || bench.runtime.status("sleeper").unwrap().old.is_none());
}

#[test]
fn a_load_that_may_not_wait_does_not_wait_behind_one_that_does() {
    let bench = Bench::new();
    bench.runtime.load(fixture("sleeper", V1)).unwrap();
    let slow = sleep_in_current(&bench, 2000);
    bench.runtime.load(fixture("sleeper", V2)).unwrap();
    let runtime = bench.runtime.clone();
    let waiting = thread::spawn(move || {
        let patient = LoadOptions { policy: Policy::Wait, ..LoadOptions::default() };
        runtime.load_with(&Source::File(fixture("sleeper", V1)), &patient)
    });
    thread::sleep(Duration::from_millis(100));
    let refused = bench.runtime.load(fixture("sleeper", V1));
    assert!(matches!(refused, Err(Error::NotPurged { .. })), "{refused:?}");
    assert!(!slow.is_finished(), "it was told at once");
    slow.join().unwrap();
    waiting.join().unwrap().unwrap();
}
