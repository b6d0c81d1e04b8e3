//! Threads that a module starts keep its version in memory until they end.

use std::os::unix::process::ExitStatusExt;

use segue::{Code, Event, PinKind, Request, RollbackSource, VersionState};
use segue_tests::{TestHost, V1, V2, call_with, dies_in_child, in_child, until};

#[test]
fn a_thread_that_drop_joins_does_not_keep_its_version() {
    let host = TestHost::new();
    host.load("thread-spawner", V1).unwrap();
    for round in 0..20 {
        host.load("thread-spawner", if round % 2 == 0 { V2 } else { V1 }).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
    }
}

#[test]
fn a_thread_that_is_not_joined_keeps_its_version_until_it_ends() {
    let host = TestHost::new();
    host.load("thread-spawner", V1).unwrap();
    let module = host.module("thread-spawner");
    module.call(&Request { query: "detached=1&ms=2500", ..Request::get("/") }).unwrap();
    host.load("thread-spawner", V2).unwrap();
    let old = segue_tests::within("the pin is listed", || {
        let old = host.runtime.status("thread-spawner").unwrap().old;
        old.filter(|old| old.pins.iter().any(|pin| pin.kind == PinKind::Thread))
    });
    assert_eq!(old.status, VersionState::Pinned);
    assert_eq!(host.runtime.images_mapped(), 2);
    // It is pinned, so the rollback waits until it is unloaded and loads its file again.
    let back = host.runtime.rollback("thread-spawner").unwrap();
    assert_eq!((back.from, &*back.current.version), (RollbackSource::Store, V1));
    until("the thread has ended and the old version is unloaded", || host.runtime.images_mapped() == 1);
    assert!(host.runtime.status("thread-spawner").unwrap().quarantined.is_empty());
}

#[test]
fn a_refused_version_that_left_a_thread_is_listed_until_it_is_unloaded() {
    in_child(|| {
        let host = TestHost::new();
        let refused = host.load("vetoes-with-thread", V1).unwrap_err();
        assert_eq!(refused.code(), Code::OnLoadFailed);
        let status = host.runtime.status("vetoes-with-thread").unwrap();
        assert!(status.current.is_none() && status.old.is_none());
        assert_eq!(status.quarantined.len(), 1, "its thread runs: {status:?}");
        assert_eq!(host.runtime.images_mapped(), 1);
        until("its thread has ended and it is unloaded", || host.runtime.images_mapped() == 0);
        until("it is no longer listed", || {
            host.runtime.status("vetoes-with-thread").unwrap().quarantined.is_empty()
        });
        let records = host.runtime.events().recent(0);
        let kinds: Vec<bool> =
            records.iter().map(|record| matches!(record.event, Event::Purged { .. })).collect();
        assert_eq!(kinds, [false, false, false, true], "started, quarantined, refused, purged: {records:?}");
        assert_eq!(host.staged(), 0);
    });
}

#[test]
fn the_threads_of_a_crate_keep_a_version_until_they_end() {
    in_child(|| {
        let host = TestHost::new();
        host.load("pool", V1).unwrap();
        let module = host.module("pool");
        for round in 0..10 {
            module.call(&Request::get("/")).unwrap();
            host.load("pool", if round % 2 == 0 { V2 } else { V1 }).unwrap();
            until("its pool has ended and it is unloaded", || host.runtime.images_mapped() == 1);
        }
        // A pool that never ends keeps its version, and the pin names that version.
        let kept = host.runtime.status("pool").unwrap().current.unwrap().generation;
        module.call(&Request { query: "keep=1", ..Request::get("/") }).unwrap();
        host.load("pool", V2).unwrap();
        let held = segue_tests::within("the thread is listed as a pin", || {
            let pins = host.runtime.pins("pool").unwrap();
            pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Thread))
        });
        assert!(held.pins[0].detail.contains(&format!("started by pool.g{kept}")), "{held:?}");
        assert_eq!(host.runtime.images_mapped(), 2);
    });
}

#[test]
fn c_threads_can_end_themselves_and_each_other() {
    in_child(|| {
        /// All of them ran: a cleanup handler, a C++ destructor, a thread-local and a key.
        const ALL: u32 = 15;
        /// The thread continued after the cancellation.
        const CONTINUED: u32 = 16;
        const CANCELED: i32 = -1;
        let host = TestHost::new();
        host.load("ender", V1).unwrap();
        let module = host.module("ender");
        let answer = |query: &str| call_with(&module, query);
        let ways = [
            ("exit", ALL, 7),
            ("exit of C11", ALL, -7),
            ("cancelled in sleep", ALL, CANCELED),
            ("cancelled in read", ALL, CANCELED),
            ("cancelled while waiting for a condition", ALL, CANCELED),
            ("cancelled while waiting for a semaphore", ALL, CANCELED),
            ("cancelled while joining", ALL, CANCELED),
            ("cancelled while cancellation is disabled", ALL + CONTINUED, CANCELED),
        ];
        for (way, (what, seen, result)) in ways.into_iter().enumerate() {
            assert_eq!(answer(&format!("way={way}")), format!("{seen} {result}"), "{what}");
            if result == CANCELED {
                let early = answer(&format!("way={way}&early=1"));
                assert_eq!(early, format!("{seen} {result}"), "{what}, before it waits");
            }
        }
        host.load("ender", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
    });
}

#[test]
fn a_rust_thread_that_calls_pthread_exit_aborts_the_process() {
    let dead = dies_in_child(&[], |_| {
        let host = TestHost::new();
        host.load("ender", V1).unwrap();
        let module = host.module("ender");
        let _ = module.call(&Request { query: "rust=1", ..Request::get("/") });
    });
    // The same happens without the runtime: libc would unwind functions that must not be unwound.
    assert_eq!(dead.status.signal(), Some(libc::SIGABRT), "{}", dead.stderr);
}
