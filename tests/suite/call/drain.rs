//! A call ends in the version it began in, and that version stays loaded until then.

use std::{thread, time::Duration};

use segue::{Error, LoadOptions, Policy, Request, Source, VersionState};
use segue_tests::{TestHost, V1, V2, fixture, until};

/// Starts a call that sleeps in the current version of `sleeper`.
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
    let old = host.runtime.status("sleeper").unwrap().old.expect("old is loaded while a call is inside");
    assert_eq!((old.status, old.inside, old.version.as_str()), (VersionState::Draining, 1, V1));
    assert_eq!(old.pins.len(), 1, "the pin is reported");
    assert_eq!(host.runtime.images_mapped(), 2);

    assert_eq!(slow.join().unwrap(), V1, "the call was answered by the version it began in");
    host.wait_until_old_is_gone("sleeper");
    assert_eq!(host.runtime.images_mapped(), 1);
}

#[test]
fn a_third_version_is_refused_and_nothing_changes() {
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
fn a_third_version_waits_with_the_policy_wait() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    let slow = sleep_in_current(&host, 600);
    host.load("sleeper", V2).unwrap();
    let source = Source::File(fixture("sleeper", V1));
    let hurried =
        LoadOptions { policy: Policy::Wait, deadline: Duration::from_millis(50), ..LoadOptions::default() };
    assert!(matches!(host.runtime.load_with(&source, &hurried), Err(Error::Deadline { .. })));
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
fn a_load_that_does_not_wait_is_refused_at_once_behind_one_that_does() {
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
    assert!(!slow.is_finished(), "it was refused at once");
    slow.join().unwrap();
    waiting.join().unwrap().unwrap();
}
