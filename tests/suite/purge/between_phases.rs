//! Requests that arrive while a load or a purge is held between two phases.

use std::{thread, time::Duration};

use segue::{Code, Error, OldState, Phase, RollbackSource, VersionState};
use segue_tests::{
    HOOKS_VERSIONS, LONG, TestHost, V1, V2, get, hooks_answer, refusal, response_text, set_of, until,
};

/// The phases of a purge.
const PURGE_PHASES: [Phase; 5] =
    [Phase::Drained, Phase::Detached, Phase::Vacated, Phase::Ended, Phase::Unmapped];

/// A host whose purge of the first version of `hooks` is held at this phase; the second is current.
fn purge_held_at(phase: Phase) -> TestHost {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    host.load("hooks-a", V1).unwrap();
    host.ask("hooks", "/").unwrap();
    host.gate.close("hooks", phase);
    host.load("hooks", V2).unwrap();
    assert_eq!(host.gate.wait_for_version(), 1);
    host
}

#[test]
fn otp_32_a_purge_held_at_any_phase_blocks_only_those_who_wait_for_it() {
    for phase in PURGE_PHASES {
        let host = purge_held_at(phase);
        let hooks = host.module("hooks");
        // Queries are answered at once.
        let old = host.runtime.status("hooks").unwrap().old.unwrap();
        assert_eq!((old.generation, old.inside, old.status), (1, 0, VersionState::Pinned), "{phase:?}");
        assert_eq!(host.runtime.pins("hooks").unwrap().held.len(), 1);
        assert_eq!(host.runtime.modules().len(), 2);
        // A third version and a delete are refused.
        let is_unloading =
            |error: Error| matches!(error, Error::NotPurged { state: OldState::Unloading, inside: 0, .. });
        assert!(is_unloading(host.load("hooks", HOOKS_VERSIONS[2]).unwrap_err()), "{phase:?}");
        assert!(is_unloading(host.runtime.delete("hooks").unwrap_err()), "{phase:?}");
        let loaded_set = host.runtime.load_set(&set_of(&["hooks-a", "hooks"], V2), &Default::default());
        assert_eq!(
            loaded_set.unwrap()[1].outcome,
            segue::LoadOutcome::Unchanged,
            "the current version is no third version"
        );
        assert_eq!(response_text(hooks.call(&get("/"))), hooks_answer(V2));
        // Those who wait are answered when the purge is done.
        thread::scope(|scope| {
            let (soft, hard) = (
                scope.spawn(|| host.runtime.soft_purge("hooks").unwrap()),
                scope.spawn(|| host.runtime.purge("hooks", LONG).unwrap()),
            );
            let third = scope.spawn(|| host.load_after_old("hooks", HOOKS_VERSIONS[2]).unwrap());
            thread::sleep(Duration::from_millis(20));
            assert!(!(soft.is_finished() || hard.is_finished() || third.is_finished()), "{phase:?}");
            host.gate.open();
            for purge in [soft, hard] {
                let purged = purge.join().unwrap();
                assert!(purged.lingering == 0 && purged.pins.is_empty(), "{phase:?}: {purged:?}");
            }
            assert_eq!(third.join().unwrap().version, HOOKS_VERSIONS[2]);
        });
        host.wait_until_old_is_gone("hooks");
        assert_eq!(response_text(hooks.call(&get("/"))), hooks_answer(HOOKS_VERSIONS[2]));
        assert_eq!((host.logged("drop hooks "), host.runtime.images_mapped()), (2, 2));
    }
}

#[test]
fn otp_32_a_rollback_during_a_purge_loads_the_file_again() {
    for phase in PURGE_PHASES {
        let host = purge_held_at(phase);
        let hooks = host.module("hooks");
        thread::scope(|scope| {
            // The version that is being unloaded cannot become current again.
            let back = scope.spawn(|| host.runtime.rollback("hooks").unwrap());
            thread::sleep(Duration::from_millis(20));
            assert!(!back.is_finished(), "{phase:?}");
            assert_eq!(response_text(hooks.call(&get("/"))), hooks_answer(V2));
            host.gate.open();
            let back = back.join().unwrap();
            assert_eq!((back.from, back.current.version.as_str()), (RollbackSource::Store, V1), "{phase:?}");
        });
        assert_eq!(response_text(hooks.call(&get("/"))), hooks_answer(V1));
        host.wait_until_old_is_gone("hooks");
        assert_eq!((host.logged("load hooks "), host.logged("drop hooks ")), (3, 2), "{phase:?}");
    }
}

#[test]
fn otp_32_a_purge_that_times_out_at_any_phase_makes_room() {
    for phase in PURGE_PHASES {
        let host = purge_held_at(phase);
        // The purge times out, and the version is quarantined.
        let report = host.runtime.purge("hooks", Duration::ZERO).unwrap();
        assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 0), "{phase:?}");
        let status = host.runtime.status("hooks").unwrap();
        assert!(status.old.is_none() && status.quarantined.len() == 1, "{phase:?}");
        // Meanwhile a third version can be loaded and rolled back.
        let inside = host.module("hooks").enter_owned().unwrap();
        host.load("hooks", HOOKS_VERSIONS[2]).unwrap();
        assert_eq!(host.runtime.rollback("hooks").unwrap().from, RollbackSource::Memory, "{phase:?}");
        assert_eq!(host.ask("hooks", "/"), hooks_answer(V2));
        drop(inside);
        host.gate.open();
        until("the held version is unloaded", || {
            host.runtime.status("hooks").unwrap().quarantined.is_empty()
        });
        host.wait_until_old_is_gone("hooks");
        assert_eq!((host.logged("drop hooks "), host.runtime.images_mapped()), (2, 2), "{phase:?}");
    }
}

#[test]
fn a_load_held_at_any_phase_delays_no_caller() {
    for phase in [Phase::Admitted, Phase::Mapped, Phase::Started, Phase::Stored, Phase::Recorded] {
        let host = TestHost::new();
        host.load("hooks", V1).unwrap();
        host.load("hooks-a", V1).unwrap();
        let hooks = host.module("hooks");
        host.gate.close("hooks", phase);
        thread::scope(|scope| {
            let load = scope.spawn(|| host.load("hooks", V2).unwrap());
            host.gate.wait_for_version();
            assert_eq!(response_text(hooks.call(&get("/"))), hooks_answer(V1), "{phase:?}");
            let snapshot = host.runtime.snapshot();
            assert_eq!(snapshot.version("hooks").unwrap().version, V1, "{phase:?}");
            drop(snapshot);
            // At `Recorded` the load holds the ledger. Before that, unrelated operations do not wait.
            if phase != Phase::Recorded {
                assert_eq!(host.runtime.status("hooks").unwrap().current.unwrap().version, V1);
                assert!(!host.runtime.soft_purge("hooks").unwrap().purged);
                assert!(!host.runtime.purge("hooks", LONG).unwrap().purged);
                host.load("hooks-a", V2).unwrap();
                host.wait_until_old_is_gone("hooks-a");
            }
            // A delete that was requested later runs later.
            let delete = scope.spawn(|| host.runtime.delete("hooks"));
            thread::sleep(Duration::from_millis(20));
            assert!(!delete.is_finished() && !load.is_finished());
            host.gate.open();
            assert_eq!(load.join().unwrap().version, V2);
            match delete.join().unwrap() {
                Ok(deleted) => assert_eq!(deleted.old.unwrap().version, V2),
                Err(error) => {
                    assert_eq!(error.code(), Code::NotPurged, "the first version was still being unloaded")
                }
            }
        });
    }
}

#[test]
fn otp_33_concurrent_purges_of_several_modules_all_return() {
    const ROUNDS: usize = 4;
    let host = TestHost::new();
    for module in ["hooks", "hooks-a", "hooks-b"] {
        host.load(module, V1).unwrap();
    }
    for round in 0..ROUNDS {
        let version = if round % 2 == 0 { V2 } else { V1 };
        let sessions = ["hooks", "hooks-a"].map(|module| host.module(module).enter_owned().unwrap());
        for module in ["hooks", "hooks-a"] {
            host.load_after_old(module, version).unwrap();
        }
        thread::scope(|scope| {
            let ask = |n: usize| {
                let host = &host;
                scope.spawn(move || {
                    let module = ["hooks", "hooks-a", "hooks-b", "nobody"][n % 4];
                    let waits = (n / 4).is_multiple_of(2);
                    let answer = match waits {
                        true => host.runtime.purge(module, LONG),
                        false => host.runtime.soft_purge(module),
                    };
                    (module, waits, answer.map_err(|error| error.code()))
                })
            };
            let asked: Vec<_> = (0..16).map(ask).collect();
            // Their order does not matter.
            thread::sleep(Duration::from_millis(20));
            drop(sessions);
            for (module, waits, answer) in asked.into_iter().map(|it| it.join().unwrap()) {
                match (module, answer) {
                    ("nobody", answer) => assert_eq!(answer, Err(Code::NotFound)),
                    ("hooks-b", answer) => assert!(!answer.unwrap().purged, "it has no old version"),
                    // A soft purge may have run while a call was inside; a purge has waited.
                    (_, answer) => assert!(answer.unwrap().lingering == 0 || !waits),
                }
            }
        });
        ["hooks", "hooks-a"].iter().for_each(|module| host.wait_until_old_is_gone(module));
        assert_eq!(host.runtime.images_mapped(), 3);
    }
    assert_eq!(refusal(host.runtime.purge("nobody", LONG)), Code::NotFound);
}
