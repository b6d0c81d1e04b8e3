//! A purge with a deadline asks the calls inside to end. If they do not, the old version is quarantined.

use std::{
    thread::{self, JoinHandle},
    time::Duration,
};

use segue::{Code, Event, ModuleHandle, PinKind, Request, VersionState};
use segue_tests::{LONG, SHORT, TestHost, V1, V2, until};

/// Starts a call on its own thread; the call is inside when this returns.
fn start_call(module: &ModuleHandle, query: &'static str) -> JoinHandle<String> {
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

#[test]
fn a_call_that_checks_is_cancelled_and_cannot_call_other_modules() {
    let host = TestHost::new();
    host.load("holder", V1).unwrap();
    let module = host.module("holder");
    let call = start_call(&module, "do=until-cancelled");
    host.load("holder", V2).unwrap();
    let soft = host.runtime.soft_purge("holder").unwrap();
    assert_eq!((soft.purged, soft.lingering), (false, 1));
    thread::sleep(SHORT);
    assert!(!call.is_finished(), "a soft purge cancels no call");
    let purged = host.runtime.purge("holder", LONG).unwrap();
    assert!(purged.purged && purged.unmapped, "{purged:?}");
    let answer = call.join().unwrap();
    assert!(answer.starts_with("cancelled; ") && answer.contains("is being purged"), "{answer}");
    assert_eq!(host.runtime.images_mapped(), 1);
}

#[test]
fn a_thread_of_the_module_that_checks_is_cancelled() {
    let host = TestHost::new();
    host.load("holder", V1).unwrap();
    let module = host.module("holder");
    module.call(&Request { query: "do=thread-until-cancelled", ..Request::get("/") }).unwrap();
    host.load("holder", V2).unwrap();
    until("its thread is the pin", || {
        let pins = host.runtime.pins("holder").unwrap();
        pins.held.iter().flat_map(|held| &held.pins).any(|pin| pin.kind == PinKind::Thread)
    });
    assert_eq!(host.runtime.images_mapped(), 2, "the thread is not cancelled yet");
    let purged = host.runtime.purge("holder", LONG).unwrap();
    assert!(purged.purged && purged.unmapped, "{purged:?}");
}

#[test]
fn a_cancelled_call_reaches_no_other_module_by_request_or_interface() {
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
    let answer = String::from_utf8(call.join().unwrap()).unwrap();
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(lines.len(), 2, "{answer}");
    assert!(lines.iter().all(|line| line.contains("is being purged")), "{answer}");
}

#[test]
fn a_call_that_does_not_check_keeps_its_version_in_quarantine_while_others_are_loaded() {
    let host = TestHost::new();
    host.load("holder", V1).unwrap();
    let module = host.module("holder");
    let call = start_call(&module, "do=stay&ms=2000");
    host.load("holder", V2).unwrap();
    assert_eq!(host.load("holder", V1).unwrap_err().code(), Code::NotPurged);
    let report = host.runtime.purge("holder", SHORT).unwrap();
    assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 1));
    assert!(
        report.pins[0].kind == PinKind::Call && report.pins[0].detail.contains("(the-caller)"),
        "{report:?}"
    );
    assert!(report.pins[0].waits_for.contains("asked"), "{report:?}");

    let status = host.runtime.status("holder").unwrap();
    assert!(status.old.is_none(), "the quarantined version is no longer old");
    let held = &status.quarantined[0];
    assert_eq!((held.status, held.inside, held.pins.len()), (VersionState::Pinned, 1, 1), "{held:?}");
    let records = host.runtime.events().recent(0);
    assert!(records.iter().any(|record| matches!(record.event, Event::Quarantined { .. })), "{records:?}");

    host.load("holder", V1).unwrap();
    until("the second version is unloaded", || host.runtime.images_mapped() == 2);
    assert!(!call.is_finished());
    assert_eq!(call.join().unwrap(), V1, "its version stayed loaded");
    until("the first version is unloaded", || host.runtime.images_mapped() == 1);
    until("the first version is no longer listed", || {
        host.runtime.status("holder").unwrap().quarantined.is_empty()
    });
}

#[test]
fn loads_are_refused_while_too_many_versions_are_quarantined() {
    let host = TestHost::with(|builder| builder.quarantine_max(1));
    host.load("holder", V1).unwrap();
    let module = host.module("holder");
    let call = start_call(&module, "do=stay&ms=1500");
    host.load("holder", V2).unwrap();
    assert!(!host.runtime.purge("holder", Duration::ZERO).unwrap().purged);
    let refused = host.load("holder", V1).unwrap_err();
    assert_eq!(refused.code(), Code::NotPurged);
    assert!(refused.to_string().contains("1 of its versions are quarantined"), "{refused}");
    assert_eq!(module.call(&Request::get("/")).unwrap().body, V2.as_bytes(), "the current version serves");
    call.join().unwrap();
    until("it is unloaded", || host.runtime.status("holder").unwrap().quarantined.is_empty());
    host.load("holder", V1).unwrap();
}

#[test]
fn a_rollback_withdraws_the_cancellation() {
    let host = TestHost::new();
    host.load("holder", V1).unwrap();
    let module = host.module("holder");
    let inside = module.enter().unwrap();
    host.load("holder", V2).unwrap();
    let runtime = host.runtime.clone();
    let purging = thread::spawn(move || runtime.purge("holder", LONG).unwrap());
    thread::sleep(SHORT);
    host.runtime.rollback("holder").unwrap();
    let report = purging.join().unwrap();
    assert!(!report.purged && report.pins.is_empty(), "the version is current again: {report:?}");
    drop(inside);
    let call = start_call(&module, "do=until-cancelled");
    thread::sleep(SHORT);
    assert!(!call.is_finished(), "the call is not cancelled");
    host.load("holder", V2).unwrap();
    assert!(host.runtime.purge("holder", LONG).unwrap().purged);
    call.join().unwrap();
}

#[test]
fn a_pin_names_the_other_modules_its_thread_is_in() {
    let host = TestHost::new();
    host.load("holder", V1).unwrap();
    host.load("sleeper", V1).unwrap();
    let (holder, sleeper) = (host.module("holder"), host.module("sleeper"));
    let _outer = sleeper.enter().unwrap();
    let _inner = holder.enter().unwrap();
    host.load("holder", V2).unwrap();
    let pins = host.runtime.pins("holder").unwrap();
    assert!(pins.held[0].pins[0].detail.contains("also in sleeper 1.0.0+g2"), "{pins:?}");
}
