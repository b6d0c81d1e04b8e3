//! A call ends in the version in which it began, and that version stays until then.

use std::{thread, time::Duration};

use segue::{Error, LoadOptions, Policy, Request, Source, VersionState};
use segue_tests::{TestHost, V1, V2, fixture, until};

/// A call that sleeps in sleeper's current version.
fn sleep_in_current(host: &TestHost, ms: u64) -> thread::JoinHandle<String> {
    let sleeper = host.module("sleeper");
    let before = host.runtime.status("sleeper").unwrap().current.unwrap().inside;
    let call = thread::spawn(move || {
        let query = format!("ms={ms}");
        let request = Request { query: &query, ..Request::get("/") };
        String::from_utf8(sleeper.call(&request).unwrap().body).unwrap()
    });
    until("the call is inside", || host.runtime.status("sleeper").unwrap().current.unwrap().inside > before);
    call
}

#[test]
fn a_call_inside_old_finishes_there_while_current_answers() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    let slow = sleep_in_current(&host, 1500);
    host.load("sleeper", V2).unwrap();

    let sleeper = host.module("sleeper");
    for _ in 0..100 {
        assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V2.as_bytes());
    }
    let old = host.runtime.status("sleeper").unwrap().old.expect("old is there while somebody is inside");
    assert_eq!((old.status, old.inside, old.version.as_str()), (VersionState::Draining, 1, V1));
    assert_eq!(old.pins.len(), 1, "and it is told what keeps it");
    assert_eq!(host.runtime.images_mapped(), 2);

    assert_eq!(slow.join().unwrap(), V1, "the call was answered by the version in which it began");
    host.wait_until_old_is_gone("sleeper");
    assert_eq!(host.runtime.images_mapped(), 1);
}

#[test]
fn a_third_version_is_refused_and_nothing_has_changed() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    let slow = sleep_in_current(&host, 1500);
    host.load("sleeper", V2).unwrap();
    let before = host.runtime.status("sleeper").unwrap();
    let refused = host.load("sleeper", V1);
    assert!(matches!(refused, Err(Error::NotPurged { inside: 1, .. })), "{refused:?}");
    let after = host.runtime.status("sleeper").unwrap();
    assert_eq!(
        before.current.map(|version| version.generation),
        after.current.map(|version| version.generation)
    );
    assert_eq!(host.runtime.images_mapped(), 2, "the third was not even mapped");
    slow.join().unwrap();
}

#[test]
fn a_third_version_waits_where_the_policy_says_so() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    let slow = sleep_in_current(&host, 600);
    host.load("sleeper", V2).unwrap();
    let source = Source::File(fixture("sleeper", V1));
    let soon =
        LoadOptions { policy: Policy::Wait, deadline: Duration::from_millis(50), ..LoadOptions::default() };
    assert!(matches!(host.runtime.load_with(&source, &soon), Err(Error::Deadline { .. })));
    let patient = LoadOptions { policy: Policy::Wait, ..LoadOptions::default() };
    let third = host.runtime.load_with(&source, &patient).unwrap();
    assert_eq!(third.version, V1);
    assert_eq!(slow.join().unwrap(), V1);
}

#[test]
fn a_guard_keeps_its_version_for_several_calls() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    let sleeper = host.module("sleeper");
    let guard = sleeper.enter().unwrap();
    host.load("sleeper", V2).unwrap();
    assert_eq!(guard.call(&Request::get("/")).unwrap().body, V1.as_bytes());
    assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V2.as_bytes());
    assert_eq!(guard.version().version, V1);
    assert!(host.runtime.status("sleeper").unwrap().old.is_some());
    drop(guard);
    host.wait_until_old_is_gone("sleeper");
}

#[test]
fn a_load_that_may_not_wait_does_not_wait_behind_one_that_does() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    let slow = sleep_in_current(&host, 2000);
    host.load("sleeper", V2).unwrap();
    let runtime = host.runtime.clone();
    let waiting = thread::spawn(move || {
        let patient = LoadOptions { policy: Policy::Wait, ..LoadOptions::default() };
        runtime.load_with(&Source::File(fixture("sleeper", V1)), &patient)
    });
    thread::sleep(Duration::from_millis(100));
    let refused = host.load("sleeper", V1);
    assert!(matches!(refused, Err(Error::NotPurged { .. })), "{refused:?}");
    assert!(!slow.is_finished(), "it was told at once");
    slow.join().unwrap();
    waiting.join().unwrap().unwrap();
}
