//! Where two things happen at once, or one of them does not come to its end: nobody waits for ever, and nothing is lost.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use segue::{Code, Event, LoadOptions, Policy, Runtime, Source, Standing, Trial, TrialEnd};
use segue_tests::{V1, V2, dies_in_child, fixture, until};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(30);

fn start(home: &Path) -> Runtime {
    fs::create_dir_all(home.join("modules")).unwrap();
    Runtime::builder().state_dir(home.join("state")).modules_dir(home.join("modules")).build().unwrap()
}

fn current(runtime: &Runtime, module: &str) -> Option<String> {
    runtime.status(module).ok()?.current.map(|current| current.version)
}

fn drop_in(home: &Path, module: &str, version: &str) {
    fs::copy(fixture(module, version), home.join("modules/.half")).unwrap();
    fs::rename(home.join("modules/.half"), home.join(format!("modules/lib{module}.so"))).unwrap();
}

/// Runs the body in a process of its own, in whose environment the fixture `sleeper` is told how to be special.
fn with_sleeper(test: &str, special: &str, body: impl FnOnce(&Path)) {
    let dead = dies_in_child(test, &[("SEGUE_SLEEPER", special)], body);
    assert!(dead.status.success(), "{}", dead.stderr);
}

/// Waits until a file that was put into the modules directory has settled, and waits for the old version.
fn let_it_settle() {
    // Nothing tells of a load that waits.
    thread::sleep(Duration::from_millis(1500));
}

#[test]
fn a_drop_in_that_waited_when_the_runtime_ended_is_taken_by_the_next() {
    let home = TempDir::new().unwrap();
    let runtime = start(home.path());
    runtime.load(fixture("greeter", V1)).unwrap();
    let keeps_old = runtime.module("greeter").unwrap().enter_owned().unwrap();
    runtime.load(fixture("greeter", V2)).unwrap();
    drop_in(home.path(), "greeter", V1);
    let_it_settle();
    assert!(runtime.shutdown(Duration::from_millis(200)).is_err(), "a call is inside");
    until("the file gave way", || {
        let history = runtime.history(None, 100).unwrap();
        history.iter().any(|record| matches!(record.event, Event::Refused { .. }))
    });
    drop(keeps_old);
    runtime.shutdown(LONG).unwrap();
    drop(runtime);
    assert_eq!(current(&start(home.path()), "greeter").as_deref(), Some(V1), "it was not the file's fault");
}

#[test]
fn a_delete_does_not_wait_behind_a_drop_in_that_waits() {
    let home = TempDir::new().unwrap();
    let runtime = start(home.path());
    runtime.load(fixture("greeter", V1)).unwrap();
    let keeps_old = runtime.module("greeter").unwrap().enter_owned().unwrap();
    runtime.load(fixture("greeter", V2)).unwrap();
    drop_in(home.path(), "greeter", V1);
    let_it_settle();
    let asked = runtime.clone();
    let delete = thread::spawn(move || asked.delete("greeter"));
    until("it is refused", || delete.is_finished());
    assert_eq!(delete.join().unwrap().unwrap_err().code(), Code::NotPurged);
    drop(keeps_old);
    until("the file is taken", || current(&runtime, "greeter").as_deref() == Some(V1));
}

#[test]
fn a_rollback_while_a_load_supersedes_is_an_honest_refusal_of_the_load() {
    let runtime = Runtime::builder().build().unwrap();
    runtime.load(fixture("greeter", V1)).unwrap();
    let module = runtime.module("greeter").unwrap();
    let keeps_first = module.enter_owned().unwrap();
    runtime.load(fixture("greeter", V2)).unwrap();
    let keeps_second = module.enter_owned().unwrap();
    // Another module's name would be another module: the third version is the first's file with other bytes at its end.
    let directory = TempDir::new().unwrap();
    let third = directory.path().join("libgreeter.so");
    let mut bytes = fs::read(fixture("greeter", V1)).unwrap();
    bytes.extend_from_slice(b"third");
    fs::write(&third, bytes).unwrap();
    let asked = runtime.clone();
    let load = thread::spawn(move || {
        let options = LoadOptions { policy: Policy::Supersede, deadline: LONG, trial: None };
        asked.load_with(&Source::File(third), &options)
    });
    // It is inside the purge by then: it takes some milliseconds.
    thread::sleep(Duration::from_millis(300));
    assert!(!load.is_finished(), "it waits for the first");
    runtime.rollback("greeter").unwrap();
    let refused = load.join().unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::NotPurged, "{refused}");
    assert_eq!(current(&runtime, "greeter").as_deref(), Some(V1));
    drop((keeps_first, keeps_second));
}

#[test]
fn the_end_of_a_trial_does_not_bring_back_what_was_deleted() {
    let home = TempDir::new().unwrap();
    let runtime = start(home.path());
    runtime.load(fixture("greeter", V1)).unwrap();
    assert!(runtime.delete("greeter").unwrap().deleted);
    until("it has left", || runtime.status("greeter").unwrap().old.is_none());
    let trial = Some(Trial { length: Duration::from_millis(50), at_end: TrialEnd::RollBack });
    let options = LoadOptions { trial, ..LoadOptions::default() };
    runtime.load_with(&Source::File(fixture("greeter", V2)), &options).unwrap();
    until("the trial has ended", || {
        let history = runtime.history(Some("greeter"), 100).unwrap();
        history.iter().any(|it| matches!(it.event, Event::TrialOver { .. } | Event::RolledBack { .. }))
    });
    assert_eq!(current(&runtime, "greeter").as_deref(), Some(V2));
    assert_eq!(runtime.rollback("greeter").unwrap_err().code(), Code::NothingToRollBack);
}

#[test]
fn a_member_whose_drop_hangs_does_not_hold_up_the_refusal_of_its_set() {
    const TEST: &str = "edges::a_member_whose_drop_hangs_does_not_hold_up_the_refusal_of_its_set";
    with_sleeper(TEST, "drop", |home| {
        let runtime = start(home);
        let set = ["sleeper", "vetoes-load"].map(|module| Source::File(fixture(module, V1)));
        let asked = Instant::now();
        let refused = runtime.load_set(&set, &LoadOptions::default()).unwrap_err();
        assert_eq!(refused.code(), Code::OnLoadFailed, "{refused}");
        assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
        let status = runtime.status("sleeper").unwrap();
        assert_eq!(status.quarantined.len(), 1, "it is listed: {status:?}");
        until("it leaves", || runtime.status("sleeper").unwrap().quarantined.is_empty());
        assert_eq!(runtime.images_mapped(), 0);
    });
}

#[test]
fn a_restart_has_what_calls_another_module_as_it_starts() {
    const TEST: &str = "edges::a_restart_has_what_calls_another_module_as_it_starts";
    with_sleeper(TEST, "textkit", |home| {
        let runtime = start(home);
        runtime.load(fixture("textkit", V1)).unwrap();
        runtime.load(fixture("sleeper", V1)).unwrap();
        runtime.shutdown(LONG).unwrap();
        drop(runtime);
        let runtime = start(home);
        for module in ["textkit", "sleeper"] {
            assert_eq!(current(&runtime, module).as_deref(), Some(V1), "{module}");
        }
        let history = runtime.history(None, 100).unwrap();
        assert!(!history.iter().any(|it| matches!(it.event, Event::Refused { .. })), "{history:?}");
    });
}

#[test]
fn a_sticky_module_stays_sticky_where_its_restart_hung() {
    const TEST: &str = "edges::a_sticky_module_stays_sticky_where_its_restart_hung";
    with_sleeper(TEST, "on_load", |home| {
        let runtime = start(home);
        runtime.load(fixture("sleeper", V1)).unwrap();
        runtime.stick("sleeper").unwrap();
        runtime.shutdown(LONG).unwrap();
        drop(runtime);
        let builder = Runtime::builder().state_dir(home.join("state"));
        let runtime = builder.start_patience(Duration::from_millis(100)).build().unwrap();
        let status = runtime.status("sleeper").unwrap();
        assert_eq!(status.quarantined[0].status, Standing::Pinned);
        runtime.load(fixture("sleeper", V1)).unwrap();
        assert!(runtime.status("sleeper").unwrap().sticky);
        let refused = runtime.load(fixture("sleeper", V2)).unwrap_err();
        assert_eq!(refused.code(), Code::Sticky, "{refused}");
    });
}
