//! A purge with a deadline: the calls inside are asked to end, and where they do not, old gives up its place
//! and is watched.

use std::{
    thread::{self, JoinHandle},
    time::Duration,
};

use segue::{Code, Event, ModuleHandle, PinKind, Request, Runtime, VersionState};
use segue_tests::{TestHost, V1, V2, fixture, until};
use tempfile::TempDir;

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(30);

/// A call on a thread of its own, which is inside when this returns.
fn begin(module: &ModuleHandle, query: &'static str) -> JoinHandle<String> {
    let module = module.clone();
    let (entered, has_entered) = crossbeam_channel::bounded(1);
    let call = thread::Builder::new().name("the-caller".to_owned()).spawn(move || {
        let guard = module.enter().unwrap();
        entered.send(()).unwrap();
        let reply = guard.call(&Request { query, ..Request::get("/") }).unwrap();
        String::from_utf8(reply.body).unwrap()
    });
    has_entered.recv().unwrap();
    call.unwrap()
}

fn load(runtime: &Runtime, version: &str) -> Result<(), segue::Error> {
    runtime.load(fixture("holder", version)).map(drop)
}

#[test]
fn a_call_that_looks_is_asked_to_end_and_calls_nobody_any_more() {
    let host = TestHost::new();
    load(&host.runtime, V1).unwrap();
    let module = host.module("holder");
    let call = begin(&module, "do=until-cancelled");
    load(&host.runtime, V2).unwrap();
    let soft = host.runtime.soft_purge("holder").unwrap();
    assert_eq!((soft.purged, soft.lingering), (false, 1));
    thread::sleep(SHORT);
    assert!(!call.is_finished(), "a soft purge asks nobody");
    let purged = host.runtime.purge("holder", LONG).unwrap();
    assert!(purged.purged && purged.unmapped, "{purged:?}");
    let answer = call.join().unwrap();
    assert!(answer.starts_with("cancelled; ") && answer.contains("is being purged"), "{answer}");
    assert_eq!(host.runtime.images_mapped(), 1);
}

#[test]
fn a_thread_of_the_module_that_looks_is_asked_to_end() {
    let host = TestHost::new();
    load(&host.runtime, V1).unwrap();
    let module = host.module("holder");
    module.call(&Request { query: "do=thread-until-cancelled", ..Request::get("/") }).unwrap();
    load(&host.runtime, V2).unwrap();
    until("its thread is what keeps it", || {
        let pins = host.runtime.pins("holder").unwrap();
        pins.held.iter().flat_map(|held| &held.pins).any(|pin| pin.kind == PinKind::Thread)
    });
    assert_eq!(host.runtime.images_mapped(), 2, "nobody has asked it");
    let purged = host.runtime.purge("holder", LONG).unwrap();
    assert!(purged.purged && purged.unmapped, "{purged:?}");
}

#[test]
fn what_was_asked_to_end_reaches_no_other_module_in_either_way() {
    let host = TestHost::new();
    for module in ["till", "greeter", "desk"] {
        host.load(module, V1).unwrap();
    }
    let desk = host.module("desk");
    let (entered, has_entered) = crossbeam_channel::bounded(1);
    let call = thread::spawn(move || {
        let guard = desk.enter().unwrap();
        entered.send(()).unwrap();
        guard.call(&Request::get("/until-cancelled")).unwrap().body
    });
    has_entered.recv().unwrap();
    host.load("desk", V2).unwrap();
    assert!(host.runtime.purge("desk", LONG).unwrap().purged);
    let told = String::from_utf8(call.join().unwrap()).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(lines.iter().all(|line| line.contains("is being purged")), "{told}");
}

#[test]
fn a_call_that_does_not_look_keeps_its_version_in_quarantine_and_others_may_come() {
    let host = TestHost::new();
    load(&host.runtime, V1).unwrap();
    let module = host.module("holder");
    let call = begin(&module, "do=stay&ms=2000");
    load(&host.runtime, V2).unwrap();
    assert_eq!(load(&host.runtime, V1).unwrap_err().code(), Code::NotPurged);
    let report = host.runtime.purge("holder", SHORT).unwrap();
    assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 1));
    assert!(
        report.pins[0].kind == PinKind::Call && report.pins[0].detail.contains("(the-caller)"),
        "{report:?}"
    );
    assert!(report.pins[0].waits_for.contains("asked"), "{report:?}");

    let status = host.runtime.status("holder").unwrap();
    assert!(status.old.is_none(), "it is not old any more");
    let held = &status.quarantined[0];
    assert_eq!((held.status, held.inside, held.pins.len()), (VersionState::Pinned, 1, 1), "{held:?}");
    let told = host.runtime.events().recent(0);
    assert!(told.iter().any(|record| matches!(record.event, Event::Quarantined { .. })), "{told:?}");

    load(&host.runtime, V1).unwrap();
    until("the version between has left", || host.runtime.images_mapped() == 2);
    assert!(!call.is_finished());
    assert_eq!(call.join().unwrap(), V1, "nothing was taken from under it");
    until("and then the first", || host.runtime.images_mapped() == 1);
    until("of which nothing is told any more", || {
        host.runtime.status("holder").unwrap().quarantined.is_empty()
    });
}

#[test]
fn too_many_in_quarantine_and_loads_are_refused_until_one_has_left() {
    let state = TempDir::new().unwrap();
    let runtime = Runtime::builder().state_dir(state.path()).quarantine_max(1).build().unwrap();
    load(&runtime, V1).unwrap();
    let module = runtime.module("holder").unwrap();
    let call = begin(&module, "do=stay&ms=1500");
    load(&runtime, V2).unwrap();
    assert!(!runtime.purge("holder", Duration::ZERO).unwrap().purged);
    let refused = load(&runtime, V1).unwrap_err();
    assert_eq!(refused.code(), Code::NotPurged);
    assert!(refused.to_string().contains("1 of its versions are quarantined"), "{refused}");
    assert_eq!(module.call(&Request::get("/")).unwrap().body, V2.as_bytes(), "what serves goes on");
    call.join().unwrap();
    until("it is unloaded", || runtime.status("holder").unwrap().quarantined.is_empty());
    load(&runtime, V1).unwrap();
}

#[test]
fn a_rollback_takes_the_question_back() {
    let host = TestHost::new();
    load(&host.runtime, V1).unwrap();
    let module = host.module("holder");
    let stays = module.enter().unwrap();
    load(&host.runtime, V2).unwrap();
    let runtime = host.runtime.clone();
    let purging = thread::spawn(move || runtime.purge("holder", LONG).unwrap());
    thread::sleep(SHORT);
    host.runtime.rollback("holder").unwrap();
    let report = purging.join().unwrap();
    assert!(!report.purged && report.pins.is_empty(), "it is current again: {report:?}");
    drop(stays);
    let call = begin(&module, "do=until-cancelled");
    thread::sleep(SHORT);
    assert!(!call.is_finished(), "nobody asks it any more");
    load(&host.runtime, V2).unwrap();
    assert!(host.runtime.purge("holder", LONG).unwrap().purged);
    call.join().unwrap();
}

#[test]
fn a_pin_names_the_other_modules_that_its_thread_is_in() {
    let host = TestHost::new();
    load(&host.runtime, V1).unwrap();
    host.load("sleeper", V1).unwrap();
    let (holder, sleeper) = (host.module("holder"), host.module("sleeper"));
    let _outer = sleeper.enter().unwrap();
    let _inner = holder.enter().unwrap();
    load(&host.runtime, V2).unwrap();
    let pins = host.runtime.pins("holder").unwrap();
    assert!(pins.held[0].pins[0].detail.contains("also in sleeper 1.0.0+g2"), "{pins:?}");
}
