//! Commands that overlap, or of which one hangs: no command waits for ever, and no change is lost.

use std::{fs, path::Path, thread, time::Duration};

use segue::{
    Code, Event, LoadOptions, OwnedCallGuard, Phase, Policy, Runtime, Source, Trial, TrialEnd, VersionState,
};
use segue_tests::{LONG, SHORT, TestHost, V1, V2, fixture, refusal, set_of, until};
use tempfile::TempDir;

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

/// Waits until a new file in the modules directory has settled and its load waits for the old version.
fn let_drop_in_settle() {
    // A load that waits is not visible from outside.
    thread::sleep(Duration::from_millis(1500));
}

/// Makes the second version current, keeps the first with a guard, and drops in a file with the first. Its
/// load waits until the guard is dropped.
fn start_waiting_drop_in(home: &Path, runtime: &Runtime) -> OwnedCallGuard {
    runtime.load(fixture("greeter", V1)).unwrap();
    let keeps_old = runtime.module("greeter").unwrap().enter_owned().unwrap();
    runtime.load(fixture("greeter", V2)).unwrap();
    drop_in(home, "greeter", V1);
    let_drop_in_settle();
    keeps_old
}

#[test]
fn a_drop_in_that_waits_at_shutdown_is_loaded_by_the_next_start() {
    let home = TempDir::new().unwrap();
    let runtime = start(home.path());
    let keeps_old = start_waiting_drop_in(home.path(), &runtime);
    assert!(runtime.shutdown(Duration::from_millis(200)).is_err(), "a call is inside");
    until("the waiting load is refused", || {
        let history = runtime.history(None, 100).unwrap();
        history.iter().any(|record| matches!(record.event, Event::Refused { .. }))
    });
    drop(keeps_old);
    runtime.shutdown(LONG).unwrap();
    drop(runtime);
    assert_eq!(
        current(&start(home.path()), "greeter").as_deref(),
        Some(V1),
        "the file is loaded, because it was not at fault"
    );
}

#[test]
fn a_delete_does_not_wait_for_a_waiting_drop_in() {
    let home = TempDir::new().unwrap();
    let runtime = start(home.path());
    let keeps_old = start_waiting_drop_in(home.path(), &runtime);
    let other = runtime.clone();
    let delete = thread::spawn(move || other.delete("greeter"));
    until("the delete is refused", || delete.is_finished());
    assert_eq!(delete.join().unwrap().unwrap_err().code(), Code::NotPurged);
    drop(keeps_old);
    until("the file is loaded", || current(&runtime, "greeter").as_deref() == Some(V1));
}

#[test]
fn callers_of_a_deleted_module_do_not_wait_for_a_waiting_drop_in() {
    let home = TempDir::new().unwrap();
    let modules = home.path().join("modules");
    fs::create_dir(&modules).unwrap();
    let runtime = Runtime::builder().modules_dir(&modules).first_version_timeout(2 * LONG).build().unwrap();
    runtime.load(fixture("greeter", V1)).unwrap();
    let greeter = runtime.module("greeter").unwrap();
    let keeps_old = greeter.enter_owned().unwrap();
    assert!(runtime.delete("greeter").unwrap().deleted);
    drop_in(home.path(), "greeter", V2);
    let_drop_in_settle();
    let caller = greeter.clone();
    let call = thread::spawn(move || caller.enter().err().map(|error| error.to_string()));
    until("the call fails", || call.is_finished());
    assert!(call.join().unwrap().unwrap().contains("no current version"));
    drop(keeps_old);
    until("the file is loaded", || current(&runtime, "greeter").as_deref() == Some(V2));
}

#[test]
fn a_rollback_during_a_superseding_load_refuses_the_load() {
    let runtime = Runtime::builder().build().unwrap();
    runtime.load(fixture("greeter", V1)).unwrap();
    let module = runtime.module("greeter").unwrap();
    let keeps_first = module.enter_owned().unwrap();
    runtime.load(fixture("greeter", V2)).unwrap();
    let keeps_second = module.enter_owned().unwrap();
    // The third version is the file of the first with extra bytes at its end.
    let directory = TempDir::new().unwrap();
    let third = directory.path().join("libgreeter.so");
    let mut bytes = fs::read(fixture("greeter", V1)).unwrap();
    bytes.extend_from_slice(b"third");
    fs::write(&third, bytes).unwrap();
    let other = runtime.clone();
    let load = thread::spawn(move || {
        let options = LoadOptions { policy: Policy::Supersede, deadline: LONG, trial: None };
        other.load_with(&Source::File(third), &options)
    });
    // The load reaches the purge within milliseconds.
    thread::sleep(Duration::from_millis(300));
    assert!(!load.is_finished(), "the load waits for the first version");
    runtime.rollback("greeter").unwrap();
    let refused = load.join().unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::NotPurged, "{refused}");
    assert_eq!(current(&runtime, "greeter").as_deref(), Some(V1));
    drop((keeps_first, keeps_second));
}

#[test]
fn the_end_of_a_trial_does_not_restore_a_deleted_version() {
    let home = TempDir::new().unwrap();
    let runtime = start(home.path());
    runtime.load(fixture("greeter", V1)).unwrap();
    assert!(runtime.delete("greeter").unwrap().deleted);
    until("it is unloaded", || runtime.status("greeter").unwrap().old.is_none());
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
fn a_version_that_is_confirmed_while_its_trial_ends_stays() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let trial = Some(Trial { length: Duration::from_secs(1), at_end: TrialEnd::RollBack });
    let options = LoadOptions { trial, ..LoadOptions::default() };
    let second = host.runtime.load_with(&Source::File(fixture("hooks", V2)), &options).unwrap();
    // With the first version purged, the end of the trial must load it again.
    host.gate.close("hooks", Phase::Started);
    assert!(host.runtime.purge("hooks", LONG).unwrap().purged);
    assert_eq!(host.gate.wait_for_version(), second.generation + 1, "the load of the first version is held");
    assert!(host.runtime.confirm("hooks").unwrap().confirmed);
    host.gate.open();
    until("the first version has ended again", || host.logged("drop hooks 1.0.0") == 2);
    let hooks = host.runtime.status("hooks").unwrap().current.unwrap();
    assert_eq!((&*hooks.version, hooks.status), (V2, VersionState::Confirmed));
    host.runtime.shutdown(LONG).unwrap();
    let undone = |event: &Event| matches!(event, Event::RolledBack { .. } | Event::TrialOver { .. });
    assert!(!host.events().iter().any(undone), "{:?}", host.events());
}

#[test]
fn a_member_whose_drop_hangs_does_not_delay_the_refusal_of_its_set() {
    let host = TestHost::new();
    host.script("hooks", V1, "drop-hangs end");
    let runtime = host.runtime.clone();
    let load = thread::spawn(move || {
        runtime.load_set(&set_of(&["hooks", "vetoes-load"], V1), &LoadOptions::default())
    });
    until("the set is refused", || load.is_finished());
    assert_eq!(refusal(load.join().unwrap()), Code::OnLoadFailed);
    let hooks = host.runtime.status("hooks").unwrap();
    assert_eq!(hooks.quarantined.len(), 1, "it is listed: {hooks:?}");
    host.load("hooks", V2).unwrap();
    host.release("end");
    until("it is unloaded", || host.runtime.status("hooks").unwrap().quarantined.is_empty());
}

#[test]
fn a_sticky_module_whose_restore_hangs_stays_sticky() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    host.runtime.stick("hooks").unwrap();
    host.script("hooks", V1, "hang end");
    host.runtime.shutdown(LONG).unwrap();
    let TestHost { runtime, state, .. } = host;
    drop(runtime);
    let host = TestHost::in_state(state, |builder| builder.on_load_timeout(SHORT));
    assert_eq!(host.runtime.status("hooks").unwrap().quarantined.len(), 1);
    host.release("end");
    host.load("hooks", V1).unwrap();
    assert!(host.runtime.status("hooks").unwrap().sticky);
    assert_eq!(refusal(host.load("hooks", V2)), Code::Sticky);
}
