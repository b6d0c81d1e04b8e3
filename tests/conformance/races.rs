//! Whatever arrives while a version's way in or out is held between two phases.

use std::{thread, time::Duration};

use segue::{Code, Error, OldState, Phase, RollbackSource, VersionState};
use segue_tests::{SIX, V1, V2, until};

use crate::house::{House, LONG, code, get, set, text, told};

/// The phases of a way out.
const OUT: [Phase; 5] = [Phase::Drained, Phase::Detached, Phase::Vacated, Phase::Ended, Phase::Unmapped];

/// A version that is on its way out and held at this phase, behind another that is current.
fn held_at(phase: Phase) -> House {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    house.load("hooks-a", V1).unwrap();
    house.ask("hooks", "/").unwrap();
    house.gate.close("hooks", phase);
    house.load("hooks", V2).unwrap();
    assert_eq!(house.gate.holds(), 1);
    house
}

#[test]
fn a_purge_held_at_each_phase_answers_whoever_arrives() {
    for phase in OUT {
        let house = held_at(phase);
        let hooks = house.module("hooks");
        // Who asks is answered at once.
        let old = house.runtime.status("hooks").unwrap().old.unwrap();
        assert_eq!((old.generation, old.inside, old.status), (1, 0, VersionState::Pinned), "{phase:?}");
        assert_eq!(house.runtime.pins("hooks").unwrap().held.len(), 1);
        assert_eq!(house.runtime.modules().len(), 2);
        // There is no room yet for a third, nor for no current one.
        let is_leaving =
            |error: Error| matches!(error, Error::NotPurged { state: OldState::Unloading, inside: 0, .. });
        assert!(is_leaving(house.load("hooks", SIX[2]).unwrap_err()), "{phase:?}");
        assert!(is_leaving(house.runtime.delete("hooks").unwrap_err()), "{phase:?}");
        let of_set = house.runtime.load_set(&set(&["hooks-a", "hooks"], V2), &Default::default());
        assert_eq!(
            of_set.unwrap()[1].outcome,
            segue::LoadOutcome::Unchanged,
            "what is current is no third version"
        );
        assert_eq!(text(hooks.call(&get("/"))), told(V2));
        // Who waits is answered when it is over.
        thread::scope(|scope| {
            let (soft, hard) = (
                scope.spawn(|| house.runtime.soft_purge("hooks").unwrap()),
                scope.spawn(|| house.runtime.purge("hooks", LONG).unwrap()),
            );
            let third = scope.spawn(|| house.follow("hooks", SIX[2]).unwrap());
            thread::sleep(Duration::from_millis(20));
            assert!(!(soft.is_finished() || hard.is_finished() || third.is_finished()), "{phase:?}");
            house.gate.open();
            for purge in [soft, hard] {
                let purged = purge.join().unwrap();
                assert!(purged.lingering == 0 && purged.pins.is_empty(), "{phase:?}: {purged:?}");
            }
            assert_eq!(third.join().unwrap().version, SIX[2]);
        });
        house.old_is_gone("hooks");
        assert_eq!(text(hooks.call(&get("/"))), told(SIX[2]));
        assert_eq!((house.logged("drop hooks "), house.runtime.images_mapped()), (2, 2));
    }
}

#[test]
fn a_purge_held_at_each_phase_has_a_rollback_wait_for_its_file() {
    for phase in OUT {
        let house = held_at(phase);
        let hooks = house.module("hooks");
        thread::scope(|scope| {
            // It is too late for one store: what leaves is not entered any more.
            let back = scope.spawn(|| house.runtime.rollback("hooks").unwrap());
            thread::sleep(Duration::from_millis(20));
            assert!(!back.is_finished(), "{phase:?}");
            assert_eq!(text(hooks.call(&get("/"))), told(V2));
            house.gate.open();
            let back = back.join().unwrap();
            assert_eq!((back.from, back.current.version.as_str()), (RollbackSource::Store, V1), "{phase:?}");
        });
        assert_eq!(text(hooks.call(&get("/"))), told(V1));
        house.old_is_gone("hooks");
        assert_eq!((house.logged("load hooks "), house.logged("drop hooks ")), (3, 2), "{phase:?}");
    }
}

#[test]
fn a_purge_held_at_each_phase_and_given_up_makes_room() {
    for phase in OUT {
        let house = held_at(phase);
        // Its time is over: it is put aside, and it is told what that waits for.
        let report = house.runtime.purge("hooks", Duration::ZERO).unwrap();
        assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 0), "{phase:?}");
        let status = house.runtime.status("hooks").unwrap();
        assert!(status.old.is_none() && status.quarantined.len() == 1, "{phase:?}");
        // The next one may come, and go, and be gone back to, while the other is still held.
        let inside = house.module("hooks").enter_owned().unwrap();
        house.load("hooks", SIX[2]).unwrap();
        assert_eq!(house.runtime.rollback("hooks").unwrap().from, RollbackSource::Memory, "{phase:?}");
        assert_eq!(house.ask("hooks", "/"), told(V2));
        drop(inside);
        house.gate.open();
        until("it has left all the same", || house.runtime.status("hooks").unwrap().quarantined.is_empty());
        house.old_is_gone("hooks");
        assert_eq!((house.logged("drop hooks "), house.runtime.images_mapped()), (2, 2), "{phase:?}");
    }
}

#[test]
fn a_load_held_at_each_phase_disturbs_nobody() {
    for phase in [Phase::Admitted, Phase::Mapped, Phase::Started, Phase::Stored, Phase::Recorded] {
        let house = House::new();
        house.load("hooks", V1).unwrap();
        house.load("hooks-a", V1).unwrap();
        let hooks = house.module("hooks");
        house.gate.close("hooks", phase);
        thread::scope(|scope| {
            let load = scope.spawn(|| house.load("hooks", V2).unwrap());
            house.gate.holds();
            assert_eq!(text(hooks.call(&get("/"))), told(V1), "{phase:?}");
            let snapshot = house.runtime.snapshot();
            assert_eq!(snapshot.version("hooks").unwrap().version, V1, "{phase:?}");
            drop(snapshot);
            // The ledger waits while it is written to; before that, nobody waits who has nothing to do with
            // this load.
            if phase != Phase::Recorded {
                assert_eq!(house.runtime.status("hooks").unwrap().current.unwrap().version, V1);
                assert!(!house.runtime.soft_purge("hooks").unwrap().purged);
                assert!(!house.runtime.purge("hooks", LONG).unwrap().purged);
                house.load("hooks-a", V2).unwrap();
                house.old_is_gone("hooks-a");
            }
            // A delete comes after it, as it was asked for after it.
            let delete = scope.spawn(|| house.runtime.delete("hooks"));
            thread::sleep(Duration::from_millis(20));
            assert!(!delete.is_finished() && !load.is_finished());
            house.gate.open();
            assert_eq!(load.join().unwrap().version, V2);
            match delete.join().unwrap() {
                Ok(deleted) => assert_eq!(deleted.old.unwrap().version, V2),
                Err(error) => assert_eq!(error.code(), Code::NotPurged, "the first one was on its way out"),
            }
        });
    }
}

#[test]
fn e_multi_proc_purge() {
    const ROUNDS: usize = 4;
    let house = House::new();
    for module in ["hooks", "hooks-a", "hooks-b"] {
        house.load(module, V1).unwrap();
    }
    for round in 0..ROUNDS {
        let version = if round % 2 == 0 { V2 } else { V1 };
        let sessions = ["hooks", "hooks-a"].map(|module| house.module(module).enter_owned().unwrap());
        for module in ["hooks", "hooks-a"] {
            house.follow(module, version).unwrap();
        }
        thread::scope(|scope| {
            let ask = |n: usize| {
                let house = &house;
                scope.spawn(move || {
                    let module = ["hooks", "hooks-a", "hooks-b", "nobody"][n % 4];
                    let is_hard = (n / 4).is_multiple_of(2);
                    let answer = match is_hard {
                        true => house.runtime.purge(module, LONG),
                        false => house.runtime.soft_purge(module),
                    };
                    (module, is_hard, answer.map_err(|error| error.code()))
                })
            };
            let asked: Vec<_> = (0..16).map(ask).collect();
            // Who comes first is up to them.
            thread::sleep(Duration::from_millis(20));
            drop(sessions);
            for (module, is_hard, answer) in asked.into_iter().map(|it| it.join().unwrap()) {
                match (module, answer) {
                    ("nobody", answer) => assert_eq!(answer, Err(Code::NotFound)),
                    ("hooks-b", answer) => assert!(!answer.unwrap().purged, "it had no old version"),
                    // The soft ones may have come while somebody was inside; the hard ones have waited.
                    (_, answer) => assert!(answer.unwrap().lingering == 0 || !is_hard),
                }
            }
        });
        ["hooks", "hooks-a"].iter().for_each(|module| house.old_is_gone(module));
        assert_eq!(house.runtime.images_mapped(), 3);
    }
    assert_eq!(code(house.runtime.purge("nobody", LONG)), Code::NotFound);
}
