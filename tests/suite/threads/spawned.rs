//! Threads that a module starts keep it in memory until they end, and no longer.

use std::os::unix::process::ExitStatusExt;

use segue::{Code, Event, PinKind, Request, RollbackSource, VersionState};
use segue_tests::{TestHost, V1, V2, dies_in_child, in_child, until};

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
fn a_thread_that_nobody_joins_keeps_its_version_until_it_ends() {
    let host = TestHost::new();
    host.load("thread-spawner", V1).unwrap();
    let module = host.module("thread-spawner");
    module.call(&Request { query: "detached=1&ms=2500", ..Request::get("/") }).unwrap();
    host.load("thread-spawner", V2).unwrap();
    let old = segue_tests::within("the pin is told", || {
        let old = host.runtime.status("thread-spawner").unwrap().old;
        old.filter(|old| old.pins.iter().any(|pin| pin.kind == PinKind::Thread))
    });
    assert_eq!(old.status, VersionState::Pinned);
    assert_eq!(host.runtime.images_mapped(), 2);
    // It is past going back to: the rollback waits for it to be gone, and loads its file again.
    let back = host.runtime.rollback("thread-spawner").unwrap();
    assert_eq!((back.from, &*back.current.version), (RollbackSource::Store, V1));
    until("the thread has ended and old is gone", || host.runtime.images_mapped() == 1);
    assert!(host.runtime.status("thread-spawner").unwrap().quarantined.is_empty());
}

#[test]
fn a_version_that_refused_and_left_a_thread_is_listed_until_it_is_gone() {
    in_child(|| {
        let host = TestHost::new();
        let refused = host.load("vetoes-with-thread", V1).unwrap_err();
        assert_eq!(refused.code(), Code::OnLoadFailed);
        let status = host.runtime.status("vetoes-with-thread").unwrap();
        assert!(status.current.is_none() && status.old.is_none());
        assert_eq!(status.quarantined.len(), 1, "its thread runs: {status:?}");
        assert_eq!(host.runtime.images_mapped(), 1);
        until("its thread has ended and it is gone", || host.runtime.images_mapped() == 0);
        until("and not listed any more", || {
            host.runtime.status("vetoes-with-thread").unwrap().quarantined.is_empty()
        });
        let records = host.runtime.events().recent(0);
        let kinds: Vec<bool> =
            records.iter().map(|record| matches!(record.event, Event::Purged { .. })).collect();
        assert_eq!(kinds, [false, false, false, true], "started, retained, refused, purged: {records:?}");
        assert_eq!(host.staged(), 0);
    });
}

#[test]
fn the_threads_of_a_crate_keep_a_version_until_they_have_ended() {
    in_child(|| {
        let host = TestHost::new();
        host.load("pool", V1).unwrap();
        let module = host.module("pool");
        for round in 0..10 {
            module.call(&Request::get("/")).unwrap();
            host.load("pool", if round % 2 == 0 { V2 } else { V1 }).unwrap();
            until("its pool has ended, which nobody waits for, and it is gone", || {
                host.runtime.images_mapped() == 1
            });
        }
        // A pool that never ends keeps its version, and is named by the version that it is of.
        let kept = host.runtime.status("pool").unwrap().current.unwrap().generation;
        module.call(&Request { query: "keep=1", ..Request::get("/") }).unwrap();
        host.load("pool", V2).unwrap();
        let held = segue_tests::within("the thread is named", || {
            let pins = host.runtime.pins("pool").unwrap();
            pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Thread))
        });
        assert!(held.pins[0].detail.contains(&format!("started by pool.g{kept}")), "{held:?}");
        assert_eq!(host.runtime.images_mapped(), 2);
    });
}

#[test]
fn threads_of_c_end_themselves_and_each_other() {
    in_child(|| {
        /// A cleanup handler, a variable of C++, a thread-local and a key.
        const ALL: u32 = 15;
        const WENT_ON: u32 = 16;
        const CANCELED: i32 = -1;
        let host = TestHost::new();
        host.load("ender", V1).unwrap();
        let module = host.module("ender");
        let answer = |query: &str| {
            let reply = module.call(&Request { query, ..Request::get("/") }).unwrap();
            String::from_utf8(reply.body).unwrap()
        };
        let ways = [
            ("exit", ALL, 7),
            ("exit of C11", ALL, -7),
            ("cancelled in sleep", ALL, CANCELED),
            ("cancelled in read", ALL, CANCELED),
            ("cancelled while it waits for a condition", ALL, CANCELED),
            ("cancelled while it waits for a semaphore", ALL, CANCELED),
            ("cancelled while it joins", ALL, CANCELED),
            ("cancelled while that is forbidden", ALL + WENT_ON, CANCELED),
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
fn a_thread_of_rust_that_ends_itself_by_libc_ends_the_process() {
    let dead = dies_in_child(&[], |_| {
        let host = TestHost::new();
        host.load("ender", V1).unwrap();
        let module = host.module("ender");
        let _ = module.call(&Request { query: "rust=1", ..Request::get("/") });
    });
    // As in a program without the runtime: libc would unwind functions that must not be unwound.
    assert_eq!(dead.status.signal(), Some(libc::SIGABRT), "{}", dead.stderr);
}
