//! Many at once: who loads, who calls, who purges.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use segue::{Code, Event, LoadOutcome, ModuleHandle, Phase, Source};
use segue_tests::{
    HOOKS_VERSIONS, SHORT, SetOnDrop, TestHost, V1, V2, WAIT_FOR_OLD, fixture, get, hooks_answer,
    response_text, until,
};

/// The workers of OTP's own tests.
const WORKERS: usize = 160;

/// One call: what answered, and that all of it is of the version that was entered.
fn whole_answer(hooks: &ModuleHandle) -> u64 {
    let guard = hooks.enter().unwrap();
    assert_eq!(response_text(guard.call(&get("/"))), hooks_answer(&guard.version().version));
    guard.version().generation
}

#[test]
fn otp_40_loads_and_purges_under_160_callers_never_mix_versions() {
    const PASSES: usize = 4;
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let (newest, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let calls: u64 = thread::scope(|scope| {
        let (host, newest, is_over) = (&host, &newest, &is_over);
        let at_end = SetOnDrop(is_over);
        let work = |_| {
            let hooks = host.module("hooks");
            scope.spawn(move || {
                let mut calls = 0;
                while !is_over.load(Ordering::Relaxed) {
                    // Read before the call: it was acknowledged by then.
                    let least = newest.load(Ordering::Acquire);
                    assert!(whole_answer(&hooks) >= least, "a version answered that had been replaced");
                    calls += 1;
                    thread::yield_now();
                }
                calls
            })
        };
        let workers: Vec<_> = (0..WORKERS).map(work).collect();
        for version in (0..PASSES).flat_map(|_| HOOKS_VERSIONS) {
            // Load, check, purge; and again.
            let loaded = host.load_after_old("hooks", version).unwrap();
            newest.store(loaded.generation, Ordering::Release);
            assert_eq!(host.ask("hooks", "/"), hooks_answer(version));
            host.wait_until_old_is_gone("hooks");
            assert_eq!(host.runtime.images_mapped(), 1);
        }
        drop(at_end);
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert!(calls > WORKERS as u64, "{calls}");
    // The first was current already when it came the first time.
    assert_eq!(
        (host.logged("load"), host.logged("drop")),
        (HOOKS_VERSIONS.len() * PASSES, HOOKS_VERSIONS.len() * PASSES - 1)
    );
    assert!(host.runtime.status("hooks").unwrap().quarantined.is_empty());
}

#[test]
fn otp_41_of_160_loads_of_one_file_one_loads_it() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    // Somebody stays in the first version, so that it is old for whoever comes late.
    let inside = host.module("hooks").enter_owned().unwrap();
    let start = Barrier::new(WORKERS);
    let answers: Vec<_> = thread::scope(|scope| {
        let race = |_| {
            scope.spawn(|| {
                start.wait();
                let answer =
                    host.load("hooks", V2).map(|loaded| loaded.outcome).map_err(|error| error.code());
                // Whatever the answer is: who has it calls the second version.
                assert_eq!(host.ask("hooks", "/"), hooks_answer(V2));
                answer
            })
        };
        let racers: Vec<_> = (0..WORKERS).map(race).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let loaded = answers.iter().filter(|answer| **answer == Ok(LoadOutcome::Loaded)).count();
    let unchanged = answers.iter().filter(|answer| **answer == Ok(LoadOutcome::Unchanged)).count();
    // In Erlang the others are `not_purged`. Here the file is what tells them apart, and so what they asked
    // for is so.
    assert_eq!((loaded, unchanged), (1, WORKERS - 1), "{answers:?}");
    assert_eq!(host.logged(&format!("load hooks {V2}")), 1, "and it was started once");
    drop(inside);
    host.wait_until_old_is_gone("hooks");
    assert_eq!(host.runtime.images_mapped(), 1);
    // The control: of two files, whichever comes second is a third version.
    let inside = host.module("hooks").enter_owned().unwrap();
    let both = thread::scope(|scope| {
        let loads =
            [HOOKS_VERSIONS[2], HOOKS_VERSIONS[3]].map(|version| scope.spawn(|| host.load("hooks", version)));
        loads.map(|load| load.join().unwrap().map(drop).map_err(|error| error.code()))
    });
    let refused = both.iter().filter(|answer| **answer == Err(Code::NotPurged)).count();
    assert_eq!((refused, both.iter().filter(|answer| answer.is_ok()).count()), (1, 1), "{both:?}");
    drop(inside);
}

#[test]
fn otp_45_a_load_being_recorded_delays_only_other_loads() {
    let host = TestHost::new();
    host.load("hooks-a", V1).unwrap();
    let called = host.module("hooks-a");
    // One has the permission to commit, and keeps it.
    host.gate.close("hooks", Phase::Recorded);
    thread::scope(|scope| {
        let first = scope.spawn(|| host.load("hooks", V1));
        host.gate.wait_for_version();
        let second = scope.spawn(|| host.load("hooks-a", V2));
        thread::sleep(SHORT);
        assert!(!first.is_finished() && !second.is_finished(), "it waits for the permission");
        // Nobody else does.
        assert_eq!(response_text(called.call(&get("/"))), hooks_answer(V1));
        host.gate.open();
        first.join().unwrap().unwrap();
        second.join().unwrap().unwrap();
    });
    assert_eq!(
        ["hooks", "hooks-a"].map(|module| host.ask(module, "/")),
        [hooks_answer(V1), hooks_answer(V2)]
    );
}

#[test]
fn otp_46_no_caller_goes_back_to_an_earlier_version() {
    const ROUNDS: usize = 12;
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let cores = thread::available_parallelism().map_or(2, usize::from).max(2);
    let (seen, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let _at_end = SetOnDrop(&is_over);
        for _ in 0..cores {
            let (hooks, seen, is_over) = (host.module("hooks"), &seen, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    // Whatever anybody has seen before this call began is the least that it may see.
                    let least = seen.load(Ordering::SeqCst);
                    let generation = whole_answer(&hooks);
                    assert!(generation >= least, "after {least} somebody saw {generation}");
                    seen.fetch_max(generation, Ordering::SeqCst);
                }
            });
        }
        for version in [V2, V1].into_iter().cycle().take(ROUNDS) {
            let source = Source::File(fixture("hooks", version));
            let loaded = host.runtime.load_with(&source, &WAIT_FOR_OLD).unwrap();
            until("somebody has seen it", || seen.load(Ordering::SeqCst) == loaded.generation);
        }
    });
    let loads = host.events().iter().filter(|event| matches!(event, Event::Loaded { .. })).count();
    assert_eq!(loads, ROUNDS + 1);
}
