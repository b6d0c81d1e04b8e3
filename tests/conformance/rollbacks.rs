//! What Erlang lacks: going back by one store, as often as anybody likes.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use segue::{Code, Event, NextEvent, RollbackSource};
use segue_tests::{V1, V2};

use crate::house::{AtEnd, House, get, text, told};

const MODULES: [&str; 2] = ["hooks-a", "hooks-b"];

#[test]
fn a_storm_of_rollbacks_loses_nothing() {
    const CALLERS: usize = 8;
    const ROLLBACKS: usize = 60;
    let house = House::new();
    // Somebody stays in each of the versions, so that none of them leaves.
    let enter = |module: &'static str| house.module(module).enter_owned().unwrap();
    house.load_set(&MODULES, V1).unwrap();
    let firsts = MODULES.map(enter);
    house.load_set(&MODULES, V2).unwrap();
    let seconds = MODULES.map(enter);
    let is_over = AtomicBool::new(false);
    let calls: u64 = thread::scope(|scope| {
        let (house, is_over) = (&house, &is_over);
        let at_end = AtEnd(is_over);
        let call = |n: usize| {
            let module = house.module(MODULES[n % MODULES.len()]);
            scope.spawn(move || {
                let (mut calls, mut seen) = (0, [false; 2]);
                while !is_over.load(Ordering::Relaxed) {
                    let guard = module.enter().unwrap();
                    let version = guard.version().version.clone();
                    assert_eq!(text(guard.call(&get("/"))), told(&version));
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
                    let back = house.runtime.rollback(MODULES[n % MODULES.len()]).unwrap();
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
        let status = house.runtime.status(module).unwrap();
        status.current.unwrap().calls + status.old.unwrap().calls
    });
    assert!(of_both.iter().sum::<u64>() >= calls + 4, "{of_both:?}: {calls}, and the four who stayed");
    let (mut all, mut last, mut told) = (house.runtime.events().from(1), 0, 0);
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
        (house.logged("load"), house.logged("drop")),
        (4, 0),
        "nothing was started, and nothing has ended"
    );
    drop((firsts, seconds));
    MODULES.iter().for_each(|module| house.old_is_gone(module));
    assert_eq!(house.runtime.images_mapped(), 2);
}

#[test]
fn a_storm_of_rollbacks_while_old_leaves_is_answered() {
    const ROLLBACKS: usize = 30;
    let house = House::new();
    house.load("hooks-a", V1).unwrap();
    house.load("hooks-a", V2).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (house, is_over) = (&house, &is_over);
        let at_end = AtEnd(is_over);
        let module = house.module("hooks-a");
        let caller = scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let guard = module.enter().unwrap();
                assert_eq!(text(guard.call(&get("/"))), told(&guard.version().version));
            }
        });
        let going_back = [0, 1].map(|_| {
            scope.spawn(move || {
                let mut went = 0;
                for _ in 0..ROLLBACKS {
                    match house.runtime.rollback("hooks-a") {
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
        let told = house.events().iter().filter(|event| matches!(event, Event::RolledBack { .. })).count();
        assert_eq!(told, went, "each that was done is told, and no other");
    });
    house.old_is_gone("hooks-a");
    let (loads, drops) = (house.logged("load"), house.logged("drop"));
    assert_eq!((loads - drops, house.runtime.images_mapped(), house.staged()), (1, 1, 1));
}
