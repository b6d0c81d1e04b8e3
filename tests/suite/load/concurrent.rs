//! Many threads that load, call and purge at the same time.

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

/// As many workers as OTP's tests have.
const WORKERS: usize = 160;

/// Calls the module once, and checks that the whole answer is from the version that was entered. Returns its
/// generation.
fn checked_call(hooks: &ModuleHandle) -> u64 {
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
                    // Read before the call, so this generation was acknowledged by then.
                    let least = newest.load(Ordering::Acquire);
                    assert!(checked_call(&hooks) >= least, "a version that was replaced has answered");
                    calls += 1;
                    thread::yield_now();
                }
                calls
            })
        };
        let workers: Vec<_> = (0..WORKERS).map(work).collect();
        for version in (0..PASSES).flat_map(|_| HOOKS_VERSIONS) {
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
    // The first load of the first pass was unchanged.
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
    // A call stays in the first version, so that it is still there for the loads that come late.
    let inside = host.module("hooks").enter_owned().unwrap();
    let start = Barrier::new(WORKERS);
    let answers: Vec<_> = thread::scope(|scope| {
        let race = |_| {
            scope.spawn(|| {
                start.wait();
                let answer =
                    host.load("hooks", V2).map(|loaded| loaded.outcome).map_err(|error| error.code());
                // Whatever the outcome, calls after it reach the second version.
                assert_eq!(host.ask("hooks", "/"), hooks_answer(V2));
                answer
            })
        };
        let racers: Vec<_> = (0..WORKERS).map(race).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let loaded = answers.iter().filter(|answer| **answer == Ok(LoadOutcome::Loaded)).count();
    let unchanged = answers.iter().filter(|answer| **answer == Ok(LoadOutcome::Unchanged)).count();
    // In Erlang the others get `not_purged`. Here the file is the same, so what they asked for already holds.
    assert_eq!((loaded, unchanged), (1, WORKERS - 1), "{answers:?}");
    assert_eq!(host.logged(&format!("load hooks {V2}")), 1, "it was started once");
    drop(inside);
    host.wait_until_old_is_gone("hooks");
    assert_eq!(host.runtime.images_mapped(), 1);
    // Control: with two different files, the second one would be a third version.
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
    // One load holds the ledger while it is recorded.
    host.gate.close("hooks", Phase::Recorded);
    thread::scope(|scope| {
        let first = scope.spawn(|| host.load("hooks", V1));
        host.gate.wait_for_version();
        let second = scope.spawn(|| host.load("hooks-a", V2));
        thread::sleep(SHORT);
        assert!(!first.is_finished() && !second.is_finished(), "the second load waits for the first");
        // Calls do not wait.
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
                    // Any generation that a caller saw before this call began is the least that this one may
                    // see.
                    let least = seen.load(Ordering::SeqCst);
                    let generation = checked_call(&hooks);
                    assert!(generation >= least, "a caller saw {generation} after {least}");
                    seen.fetch_max(generation, Ordering::SeqCst);
                }
            });
        }
        for version in [V2, V1].into_iter().cycle().take(ROUNDS) {
            let source = Source::File(fixture("hooks", version));
            let loaded = host.runtime.load_with(&source, &WAIT_FOR_OLD).unwrap();
            until("a caller has seen it", || seen.load(Ordering::SeqCst) == loaded.generation);
        }
    });
    let loads = host.events().iter().filter(|event| matches!(event, Event::Loaded { .. })).count();
    assert_eq!(loads, ROUNDS + 1);
}
