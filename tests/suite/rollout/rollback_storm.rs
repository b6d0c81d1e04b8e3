//! What Erlang lacks: going back by one store, as often as anybody likes.

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
    // Somebody stays in each of the versions, so that none of them leaves.
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
                assert!(seen.iter().all(|seen| *seen), "it has met both");
                calls
            })
        };
        let callers: Vec<_> = (0..CALLERS).map(call).collect();
        // Two for each module, who know nothing of each other.
        let back = |n: usize| {
            scope.spawn(move || {
                for _ in 0..ROLLBACKS {
                    let back = host.runtime.rollback(MODULES[n % MODULES.len()]).unwrap();
                    assert_eq!((back.from, back.recorded), (RollbackSource::Memory, true));
                    assert_ne!(back.current.version, back.old.version);
                }
            })
        };
        let going_back: Vec<_> = (0..4).map(back).collect();
        going_back.into_iter().for_each(|it| it.join().unwrap());
        drop(at_end);
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    // Every call was counted, in one version or the other (and some of them in both: who enters while it
    // changes enters again), and every rollback has been told, in order.
    let of_both = MODULES.map(|module| {
        let status = host.runtime.status(module).unwrap();
        status.current.unwrap().calls + status.old.unwrap().calls
    });
    assert!(of_both.iter().sum::<u64>() >= calls + 4, "{of_both:?}: {calls}, and the four who stayed");
    let (mut all, mut last, mut told) = (host.runtime.events().from(1), 0, 0);
    let mut currents = MODULES.map(|_| V2.to_owned());
    while let NextEvent::Event(record) = all.next(Duration::ZERO) {
        assert_eq!(record.seq, last + 1, "without a gap");
        last = record.seq;
        if let Event::RolledBack { module, current, old, .. } = record.event {
            let before = &mut currents[usize::from(module == MODULES[1])];
            assert_eq!(*before, old.version, "each begins where the one before has ended");
            *before = current.version;
            told += 1;
        }
    }
    assert_eq!(told, 4 * ROLLBACKS);
    assert_eq!(
        (host.logged("load"), host.logged("drop")),
        (4, 0),
        "nothing was started, and nothing has ended"
    );
    drop((firsts, seconds));
    MODULES.iter().for_each(|module| host.wait_until_old_is_gone(module));
    assert_eq!(host.runtime.images_mapped(), 2);
}

#[test]
fn a_storm_of_rollbacks_while_old_leaves_is_answered() {
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
        let going_back = [0, 1].map(|_| {
            scope.spawn(move || {
                let mut went = 0;
                for _ in 0..ROLLBACKS {
                    match host.runtime.rollback("hooks-a") {
                        Ok(_) => went += 1,
                        // The one before is on its way out: it is too late for one store, and too early for
                        // its file. Or the other one has gone back to it meanwhile.
                        Err(error) => {
                            let is_fair = matches!(error.code(), Code::NotPurged | Code::NothingToRollBack);
                            assert!(is_fair, "{error}");
                        }
                    }
                }
                went
            })
        });
        let went: usize = going_back.map(|it| it.join().unwrap()).into_iter().sum();
        assert!(went > 0);
        drop(at_end);
        caller.join().unwrap();
        let told = host.events().iter().filter(|event| matches!(event, Event::RolledBack { .. })).count();
        assert_eq!(told, went, "each that was done is told, and no other");
    });
    host.wait_until_old_is_gone("hooks-a");
    let (loads, drops) = (host.logged("load"), host.logged("drop"));
    assert_eq!((loads - drops, host.runtime.images_mapped(), host.staged()), (1, 1, 1));
}
