//! Many rollbacks under load. Erlang has no rollback.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use segue::{Code, Event, NextEvent, RollbackSource};
use segue_tests::{SetOnDrop, TestHost, V1, V2, get, hooks_answer, response_text};

const MODULES: [&str; 2] = ["hooks-a", "hooks-b"];

#[test]
fn a_storm_of_rollbacks_loses_nothing() {
    const CALLERS: usize = 8;
    const ROLLBACKS: usize = 60;
    let host = TestHost::new();
    // A guard in each version keeps all of them loaded.
    let enter = |module: &'static str| host.module(module).enter_owned().unwrap();
    host.load_set(&MODULES, V1).unwrap();
    let firsts = MODULES.map(enter);
    host.load_set(&MODULES, V2).unwrap();
    let seconds = MODULES.map(enter);
    let is_over = AtomicBool::new(false);
    let calls: u64 = thread::scope(|scope| {
        let (host, is_over) = (&host, &is_over);
        let at_end = SetOnDrop(is_over);
        let call = |n: usize| {
            let module = host.module(MODULES[n % MODULES.len()]);
            scope.spawn(move || {
                let (mut calls, mut seen) = (0, [false; 2]);
                while !is_over.load(Ordering::Relaxed) {
                    let guard = module.enter().unwrap();
                    let version = guard.version().version.clone();
                    assert_eq!(response_text(guard.call(&get("/"))), hooks_answer(&version));
                    seen[usize::from(version == V2)] = true;
                    calls += 1;
                }
                assert!(seen.iter().all(|seen| *seen), "the caller has seen both versions");
                calls
            })
        };
        let callers: Vec<_> = (0..CALLERS).map(call).collect();
        // Two threads for each module.
        let back = |n: usize| {
            scope.spawn(move || {
                for _ in 0..ROLLBACKS {
                    let back = host.runtime.rollback(MODULES[n % MODULES.len()]).unwrap();
                    assert_eq!((back.from, back.recorded), (RollbackSource::Memory, true));
                    assert_ne!(back.current.version, back.old.version);
                }
            })
        };
        let threads: Vec<_> = (0..4).map(back).collect();
        threads.into_iter().for_each(|it| it.join().unwrap());
        drop(at_end);
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    // Every call was counted in one version or the other; a call that enters during a change may be counted
    // in both. Every rollback was recorded, in order.
    let of_both = MODULES.map(|module| {
        let status = host.runtime.status(module).unwrap();
        status.current.unwrap().calls + status.old.unwrap().calls
    });
    assert!(of_both.iter().sum::<u64>() >= calls + 4, "{of_both:?}: {calls} calls and four guards");
    let (mut all, mut last, mut recorded) = (host.runtime.events().from(1), 0, 0);
    let mut currents = MODULES.map(|_| V2.to_owned());
    while let NextEvent::Event(record) = all.next(Duration::ZERO) {
        assert_eq!(record.seq, last + 1, "without a gap");
        last = record.seq;
        if let Event::RolledBack { module, current, old, .. } = record.event {
            let before = &mut currents[usize::from(module == MODULES[1])];
            assert_eq!(*before, old.version, "each rollback starts from the result of the one before");
            *before = current.version;
            recorded += 1;
        }
    }
    assert_eq!(recorded, 4 * ROLLBACKS);
    assert_eq!((host.logged("load"), host.logged("drop")), (4, 0), "no version started or ended");
    drop((firsts, seconds));
    MODULES.iter().for_each(|module| host.wait_until_old_is_gone(module));
    assert_eq!(host.runtime.images_mapped(), 2);
}

#[test]
fn a_storm_of_rollbacks_while_old_is_unloaded_is_answered() {
    const ROLLBACKS: usize = 30;
    let host = TestHost::new();
    host.load("hooks-a", V1).unwrap();
    host.load("hooks-a", V2).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (host, is_over) = (&host, &is_over);
        let at_end = SetOnDrop(is_over);
        let module = host.module("hooks-a");
        let caller = scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let guard = module.enter().unwrap();
                assert_eq!(response_text(guard.call(&get("/"))), hooks_answer(&guard.version().version));
            }
        });
        let threads = [0, 1].map(|_| {
            scope.spawn(move || {
                let mut done = 0;
                for _ in 0..ROLLBACKS {
                    match host.runtime.rollback("hooks-a") {
                        Ok(_) => done += 1,
                        // The old version is being unloaded: too late for a rollback in memory, too early to
                        // load its file. Or the other thread has rolled back meanwhile.
                        Err(error) => {
                            let is_expected =
                                matches!(error.code(), Code::NotPurged | Code::NothingToRollBack);
                            assert!(is_expected, "{error}");
                        }
                    }
                }
                done
            })
        });
        let done: usize = threads.map(|it| it.join().unwrap()).into_iter().sum();
        assert!(done > 0);
        drop(at_end);
        caller.join().unwrap();
        let recorded = host.events().iter().filter(|event| matches!(event, Event::RolledBack { .. })).count();
        assert_eq!(recorded, done, "each rollback that was done is recorded, and no other");
    });
    host.wait_until_old_is_gone("hooks-a");
    let (loads, drops) = (host.logged("load"), host.logged("drop"));
    assert_eq!((loads - drops, host.runtime.images_mapped(), host.staged()), (1, 1, 1));
}
