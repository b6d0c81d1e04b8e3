//! Values of a host that come from a version: answers, errors, panics, handles, guards. None of them dangles
//! after an unload, and only guards keep the version.

use std::{fs, sync::Arc, thread, time::Duration};

use segue::{CallFailure, InterfaceHandle, PinKind, Request};
use segue_tests::{TestHost, V1, V2, in_child, till::Till, until};
use tokio::sync::Notify;

#[test]
fn errors_answers_and_panics_outlive_their_version() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        let get = |query| module.call(&Request { query, ..Request::get("/") });
        let (answer, fault, panic) = (get(""), get("do=fault").unwrap_err(), get("do=panic").unwrap_err());
        let error = host.load("vetoes-load", V1).unwrap_err();
        host.load("holder", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        assert_eq!(answer.unwrap().body, V1.as_bytes());
        assert!(fault.to_string().contains("a fault's own words"));
        assert!(panic.to_string().contains("on purpose, with a payload of its own"), "{panic}");
        assert!(error.to_string().contains("on_load failed"), "{error}");
        drop((fault, panic, error));
    });
}

#[test]
fn a_panic_payload_is_dropped_inside_the_module_before_the_call_ends() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        let file = host.state.path().join("notes");
        let query = format!("do=panic-with-payload&file={}", file.display());
        let panic = module.call(&Request { query: &query, ..Request::get("/") }).unwrap_err();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "its payload\n",
            "the payload is dropped, by code of the module"
        );
        host.load("holder", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        assert!(matches!(panic.failure(), CallFailure::Panicked { .. }), "{panic:?}");
        drop(panic);
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 1, "it is dropped once");
    });
}

#[test]
fn handles_keep_no_version_and_outlive_every_version() {
    in_child(|| {
        let host = TestHost::new();
        host.load("till", V1).unwrap();
        let typed: InterfaceHandle<Till> = host.runtime.interface("till").unwrap();
        let untyped = host.module("till");
        let version = || typed.enter().unwrap().version().version.clone();
        assert_eq!((typed.enter().unwrap().half(8).unwrap(), version()), (Ok(4), V1.to_owned()));
        for loaded in [V2, V1, V2] {
            host.load("till", loaded).unwrap();
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
            assert_eq!((typed.enter().unwrap().half(8).unwrap(), version()), (Ok(4), loaded.to_owned()));
        }
        host.runtime.shutdown(Duration::from_secs(30)).unwrap();
        assert_eq!(host.runtime.images_mapped(), 0);
        let failed = [typed.enter().err().unwrap(), untyped.enter().err().unwrap()];
        for failed in failed {
            assert!(matches!(failed.failure(), CallFailure::NoCurrent { .. }), "{failed:?}");
        }
        drop(host);
        drop((typed, untyped));
    });
}

#[test]
fn an_owned_guard_is_listed_as_such_and_may_be_dropped_on_another_thread() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        let (guard, call) = (module.enter_owned().unwrap(), module.enter().unwrap());
        host.load("holder", V2).unwrap();
        let pins = || host.runtime.pins("holder").unwrap().held.remove(0).pins;
        let kinds: Vec<_> = pins().iter().map(|pin| pin.kind).collect();
        assert_eq!(kinds, [PinKind::Call, PinKind::OwnedGuard]);
        drop(call);
        let pins = pins();
        assert_eq!(pins.len(), 1, "only the owned guard is left: {pins:?}");
        assert_eq!(pins[0].kind, PinKind::OwnedGuard);
        assert!(pins[0].detail.starts_with("1 owned guard,"), "{pins:?}");
        let called = thread::spawn(move || guard.call(&Request::get("/")).unwrap().body).join().unwrap();
        assert_eq!(called, V1.as_bytes(), "the guard calls the version that it entered");
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
    });
}

#[test]
fn a_guard_in_a_task_keeps_its_version_until_the_task_ends_or_is_aborted() {
    in_child(|| {
        let tasks = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let (host, module) = TestHost::serving("holder");
        for (round, (entered, next)) in [(V1, V2), (V2, V1)].into_iter().enumerate() {
            let (has_entered, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let (guard_of, enter, go_on) = (module.clone(), has_entered.clone(), goes_on.clone());
            let task = tasks.spawn(async move {
                let guard = guard_of.enter_owned().unwrap();
                enter.notify_one();
                go_on.notified().await;
                // The task may be on another thread now.
                guard.call(&Request::get("/")).unwrap().body
            });
            tasks.block_on(has_entered.notified());
            host.load("holder", next).unwrap();
            let pins = host.runtime.pins("holder").unwrap();
            assert!(pins.held[0].pins.iter().any(|pin| pin.kind == PinKind::OwnedGuard), "{pins:?}");
            assert_eq!(host.runtime.images_mapped(), 2);
            if round == 0 {
                goes_on.notify_one();
                assert_eq!(tasks.block_on(task).unwrap(), entered.as_bytes());
            } else {
                task.abort();
                assert!(tasks.block_on(task).unwrap_err().is_cancelled());
            }
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        }
    });
}
