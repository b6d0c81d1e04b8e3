//! A version that ends the process is left behind by the next one.

use std::{os::unix::process::ExitStatusExt, path::Path, time::Duration};

use segue::{By, Code, Event, LoadOptions, Request, Runtime, Source, Trial, TrialEnd};
use segue_tests::{V1, V2, dies_in_child, fixture};

fn start(home: &Path, settle_time: Duration) -> Runtime {
    Runtime::builder().state_dir(home.join("state")).settle_time(settle_time).build().unwrap()
}

fn current(runtime: &Runtime) -> Option<String> {
    runtime.status("crasher").ok()?.current.map(|current| current.version)
}

fn crash(runtime: &Runtime) {
    let module = runtime.module("crasher").unwrap();
    let answer = module.call(&Request { query: "do=null", ..Request::get("/") });
    panic!("it is still there: {answer:?}");
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_version_that_crashes_before_it_has_settled_is_blocked_and_the_one_before_serves() {
    const TEST: &str =
        "crashes::a_version_that_crashes_before_it_has_settled_is_blocked_and_the_one_before_serves";
    let dead = dies_in_child(TEST, &[], |home| {
        let runtime = start(home, LONG);
        runtime.load(fixture("crasher", V1)).unwrap();
        runtime.load(fixture("crasher", V2)).unwrap();
        crash(&runtime);
    });
    assert_eq!(dead.status.signal(), Some(11), "{}", dead.stderr);
    let runtime = start(dead.directory.path(), LONG);
    assert_eq!(current(&runtime).as_deref(), Some(V1));
    let history = runtime.history(Some("crasher"), 100).unwrap();
    let crashed = history.iter().find_map(|record| match &record.event {
        Event::Crashed { signal, version, place, .. } => {
            Some((signal.clone(), version.clone(), place.clone()))
        }
        _ => None,
    });
    let (signal, version, place) = crashed.expect("the crash is told");
    assert_eq!((&*signal, &*version.unwrap().version), ("SIGSEGV", V2));
    assert!(place.is_some_and(|place| place.contains("crasher")), "the function is named");
    let by = history.iter().find(|record| matches!(record.event, Event::Blocked { .. })).unwrap().by.clone();
    assert!(matches!(by, By::Runtime { .. }), "{by:?}");

    let refused = runtime.load(fixture("crasher", V2)).unwrap_err();
    assert_eq!(refused.code(), Code::Blocked);
    assert!(refused.to_string().contains("SIGSEGV"), "{refused}");
    let blocked = runtime.blocked().unwrap();
    assert_eq!((blocked.len(), &*blocked[0].version), (1, V2));
    assert!(runtime.unblock(&blocked[0].digest).unwrap().unblocked);
    assert!(!runtime.unblock(&blocked[0].digest).unwrap().unblocked, "it is not blocked any more");
    runtime.load(fixture("crasher", V2)).unwrap();
}

#[test]
fn a_version_that_crashes_on_trial_is_blocked_however_long_it_was_there() {
    const TEST: &str = "crashes::a_version_that_crashes_on_trial_is_blocked_however_long_it_was_there";
    let dead = dies_in_child(TEST, &[], |home| {
        let runtime = start(home, Duration::ZERO);
        runtime.load(fixture("crasher", V1)).unwrap();
        let trial = Some(Trial { length: LONG, at_end: TrialEnd::RollBack });
        let options = LoadOptions { trial, ..LoadOptions::default() };
        runtime.load_with(&Source::File(fixture("crasher", V2)), &options).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        crash(&runtime);
    });
    assert_eq!(dead.status.signal(), Some(11), "{}", dead.stderr);
    let runtime = start(dead.directory.path(), Duration::ZERO);
    assert_eq!(current(&runtime).as_deref(), Some(V1));
    assert_eq!(runtime.load(fixture("crasher", V2)).unwrap_err().code(), Code::Blocked);
}

#[test]
fn a_version_that_has_settled_is_needed_and_comes_back() {
    const TEST: &str = "crashes::a_version_that_has_settled_is_needed_and_comes_back";
    let dead = dies_in_child(TEST, &[], |home| {
        let runtime = start(home, Duration::ZERO);
        runtime.load(fixture("crasher", V1)).unwrap();
        runtime.load(fixture("crasher", V2)).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        crash(&runtime);
    });
    assert_eq!(dead.status.signal(), Some(11), "{}", dead.stderr);
    let runtime = start(dead.directory.path(), Duration::ZERO);
    assert_eq!(current(&runtime).as_deref(), Some(V2));
    let history = runtime.history(Some("crasher"), 100).unwrap();
    assert!(history.iter().any(|record| matches!(record.event, Event::Crashed { .. })), "{history:?}");
    assert!(runtime.blocked().unwrap().is_empty());
}

#[test]
fn a_crash_after_a_restart_is_not_held_against_what_was_restored() {
    const TEST: &str = "crashes::a_crash_after_a_restart_is_not_held_against_what_was_restored";
    let dead = dies_in_child(TEST, &[], |home| {
        let runtime = start(home, LONG);
        runtime.load(fixture("crasher", V1)).unwrap();
        runtime.shutdown(LONG).unwrap();
        drop(runtime);
        crash(&start(home, LONG));
    });
    assert_eq!(dead.status.signal(), Some(11), "{}", dead.stderr);
    let runtime = start(dead.directory.path(), LONG);
    assert_eq!(current(&runtime).as_deref(), Some(V1), "one bad request must not take every version away");
}
