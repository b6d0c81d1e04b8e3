//! The cell against a slow and obviously correct reference: random steps on one thread, with each result
//! compared.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(dead_code, reason = "each test binary uses a part of `support`")]

mod reference;
mod step;
#[path = "../support/mod.rs"]
mod support;

use proptest::prelude::*;
use reference::{Generation, Reference};
use segue_core::{
    CallGuard, Cell, Fences, OwnedCallGuard, ProjectionError, ProjectionGuard, Quarantine, ReserveError,
    Role, ThreadId, VacateOutcome,
};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use step::{Step, step};
use support::{Log, Partial, Tracked, both_fences, empty_cell, has_value};

/// Runs the steps on a cell and on the reference.
fn run(fences: Fences, steps: &[Step]) {
    let log = Arc::new(Log::default());
    let cell = empty_cell(fences);
    let reference = Reference::default();
    let mut created = 0;
    let mut dropped = 0;
    // Whether this thread ever entered through a projection without a value, which may make it a visitor.
    let mut had_failed_entry = false;
    {
        let projection = cell.projection(Partial);
        let mut names: Vec<Quarantine> = vec![];
        let mut projected: Vec<ProjectionGuard<'_, Tracked, Partial>> = vec![];
        let mut guards: Vec<CallGuard<'_, Tracked>> = vec![];
        let mut owned: Vec<OwnedCallGuard<Tracked>> = vec![];
        for step in steps {
            match *step {
                Step::Enter => {
                    let guard = cell.enter();
                    assert_eq!(guard.as_ref().map(|guard| guard.call()), reference.enter());
                    guards.extend(guard);
                }
                Step::EnterOwned => {
                    let guard = cell.enter_owned();
                    assert_eq!(guard.as_ref().map(|guard| guard.call()), reference.enter());
                    owned.extend(guard);
                }
                Step::EnterProjection => match projection.enter() {
                    Ok(guard) => {
                        assert_eq!(Some(guard.get().occupant.call()), reference.enter());
                        assert_eq!(guard.occupant().generation, guard.get().occupant.generation);
                        projected.push(guard);
                    }
                    Err(error) => {
                        assert_eq!(error, expected_error(reference.find(Role::Current)));
                        had_failed_entry = true;
                    }
                },
                Step::EnterNewProjection => {
                    let entered =
                        cell.projection(Partial).enter().map(|guard| guard.get().occupant.generation);
                    let expected = reference.find(Role::Current);
                    match entered {
                        Ok(generation) => {
                            assert_eq!(Some(generation), reference.enter());
                            reference.leave(generation);
                        }
                        Err(error) => {
                            assert_eq!(error, expected_error(expected));
                            had_failed_entry = true;
                        }
                    }
                }
                Step::Leave(index) if index % 2 == 0 && !projected.is_empty() => {
                    let guard = projected.swap_remove(index % projected.len());
                    reference.leave(guard.get().occupant.generation);
                }
                Step::Leave(index) if !guards.is_empty() => {
                    let guard = guards.swap_remove(index % guards.len());
                    reference.leave(guard.call());
                }
                Step::Leave(index) | Step::LeaveOnOtherThread(index) if !owned.is_empty() => {
                    let guard = owned.swap_remove(index % owned.len());
                    reference.leave(guard.generation);
                    if matches!(step, Step::LeaveOnOtherThread(_)) {
                        std::thread::spawn(move || guard.call()).join().unwrap();
                    }
                }
                Step::Leave(_) | Step::LeaveOnOtherThread(_) => {}
                Step::Publish => {
                    created += 1;
                    let reservation = cell.reserve(Tracked::new(created, &log));
                    let before =
                        reservation.map(|reservation| reservation.publish().map(|old| old.generation));
                    dropped += usize::from(before.is_err());
                    assert_eq!(before, reference.publish(created));
                }
                Step::Abandon | Step::DropReservation => {
                    created += 1;
                    dropped += 1;
                    if let Ok(reservation) = cell.reserve(Tracked::new(created, &log)) {
                        assert_eq!(
                            cell.reserve(Tracked::new(0, &Arc::default())).unwrap_err(),
                            ReserveError::Reserved
                        );
                        if matches!(step, Step::Abandon) {
                            assert!(Arc::into_inner(reservation.abandon()).is_some());
                        }
                    }
                }
                Step::Rollback => assert_eq!(cell.rollback().is_ok(), reference.rollback()),
                Step::Withdraw => assert_eq!(cell.withdraw().is_ok(), reference.withdraw()),
                Step::Watch => cell.watch(Role::Old),
                Step::Vacate => dropped += vacate(&cell, &reference, Role::Old),
                Step::Quarantine => {
                    let name = cell.quarantine_old();
                    assert!(reference.quarantine(name));
                    names.extend(name);
                }
                Step::VacateQuarantined(index) if !names.is_empty() => {
                    dropped += vacate(&cell, &reference, Role::Quarantined(names[index % names.len()]));
                }
                Step::VacateQuarantined(_) => {}
            }
            assert!(matches!(cell.vacate(Role::Current), VacateOutcome::Absent));
            let quarantined = names.iter().map(|name| Role::Quarantined(*name));
            for role in [Role::Current, Role::Old].into_iter().chain(quarantined) {
                let expected = reference.find(role);
                let count = cell.count(role);
                assert_eq!(
                    count.map(|count| (count.inside, count.calls)),
                    expected.map(|generation| (generation.inside, generation.calls))
                );
                assert_eq!(
                    cell.occupant(role).map(|occupant| occupant.generation),
                    expected.map(|generation| generation.number)
                );
                let has_visited = expected.is_some_and(|generation| generation.calls > 0);
                let is_listed = cell.visitors(role).contains(&ThreadId::current());
                assert!(
                    is_listed == has_visited || is_listed && had_failed_entry,
                    "a thread that was inside is a visitor"
                );
            }
            assert_eq!(log.drops.load(SeqCst), dropped);
        }
        // The owned guards are dropped last, after the cell's other owner.
        drop((guards, projected));
        drop(projection);
        drop(cell);
        drop(owned);
    }
    assert_eq!(
        log.drops.load(SeqCst),
        usize::try_from(created).unwrap(),
        "each occupant is dropped exactly once"
    );
    assert!(!log.broken.load(SeqCst));
}

/// Vacates a role in both. Returns how many occupants were taken out.
fn vacate(cell: &Cell<Tracked>, reference: &Reference, role: Role) -> usize {
    match (cell.vacate(role), reference.vacate(role)) {
        (VacateOutcome::Absent, None) => 0,
        (VacateOutcome::Busy { inside }, Some(Err(expected))) => {
            assert_eq!(inside, expected);
            0
        }
        (VacateOutcome::Vacated(occupant), Some(Ok(expected))) => {
            assert_eq!(occupant.generation, expected);
            assert!(
                Arc::into_inner(occupant).is_some(),
                "neither the cell nor a projection keeps a reference"
            );
            1
        }
        (actual, expected) => panic!("the cell returned {actual:?}, the reference {expected:?}"),
    }
}

fn expected_error(current: Option<Generation>) -> ProjectionError {
    match current {
        None => ProjectionError::NoOccupant,
        Some(current) => {
            assert!(!has_value(current.number));
            ProjectionError::NoView
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 8 } else { 512 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_cell_behaves_like_the_reference(steps in proptest::collection::vec(step(), 0..100)) {
        for fences in both_fences() {
            run(fences, &steps);
        }
    }
}
