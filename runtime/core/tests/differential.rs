//! The cell against a twin that is slow and obviously right: random sequences on one thread, each answer compared.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test says what it means by failing")]
#![allow(dead_code, reason = "each test binary uses its own part of `support`")]

mod support;

use proptest::prelude::*;
use segue_core::{
    CallGuard, Cell, Fences, OwnedCallGuard, ProjectionError, ProjectionGuard, Quarantine, ReserveError,
    Role, ThreadId, VacateOutcome,
};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use support::{Log, Seen, Tracked, both_fences, empty_cell, is_seen};

/// One generation, as the twin sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Generation {
    number: u64,
    inside: u64,
    calls: u64,
}

/// The twin: everything under one mutex.
#[derive(Default)]
struct Twin(Mutex<Pair>);

#[derive(Default)]
struct Pair {
    current: Option<Generation>,
    old: Option<Generation>,
    /// By the name that the cell gave.
    quarantined: Vec<(Quarantine, Generation)>,
}

/// How many generations a cell has room for.
const LANES: usize = 8;

impl Twin {
    fn enter(&self) -> Option<u64> {
        let mut pair = self.0.lock().unwrap();
        let current = pair.current.as_mut()?;
        current.inside += 1;
        current.calls += 1;
        Some(current.number)
    }

    fn leave(&self, number: u64) {
        let mut pair = self.0.lock().unwrap();
        let Pair { current, old, quarantined } = &mut *pair;
        let quarantined = quarantined.iter_mut().map(|(_, one)| one);
        let mut all = [current, old].into_iter().flatten().chain(quarantined);
        all.find(|one| one.number == number).expect("nobody leaves what is gone").inside -= 1;
    }

    fn publish(&self, number: u64) -> Result<Option<u64>, ReserveError> {
        let mut pair = self.0.lock().unwrap();
        if pair.old.is_some() {
            return Err(ReserveError::OldPresent);
        }
        if usize::from(pair.current.is_some()) + pair.quarantined.len() == LANES {
            return Err(ReserveError::NoFreeLane);
        }
        pair.old = pair.current.replace(Generation { number, inside: 0, calls: 0 });
        Ok(pair.old.map(|old| old.number))
    }

    fn rollback(&self) -> bool {
        let mut pair = self.0.lock().unwrap();
        let Pair { current, old, .. } = &mut *pair;
        let possible = old.is_some();
        if possible {
            std::mem::swap(current, old);
        }
        possible
    }

    fn withdraw(&self) -> bool {
        let mut pair = self.0.lock().unwrap();
        let possible = pair.old.is_none() && pair.current.is_some();
        if possible {
            pair.old = pair.current.take();
        }
        possible
    }

    fn quarantine(&self, name: Option<Quarantine>) -> bool {
        let mut pair = self.0.lock().unwrap();
        let old = pair.old.take();
        pair.quarantined.extend(name.zip(old));
        name.is_some() == old.is_some()
    }

    /// The number of who went, or how many are inside; none if there is no such one.
    fn vacate(&self, which: Role) -> Option<Result<u64, u64>> {
        let one = self.look(which)?;
        if one.inside > 0 {
            return Some(Err(one.inside));
        }
        let mut pair = self.0.lock().unwrap();
        pair.old.take_if(|old| old.number == one.number);
        pair.quarantined.retain(|(_, quarantined)| quarantined.number != one.number);
        Some(Ok(one.number))
    }

    fn look(&self, which: Role) -> Option<Generation> {
        let pair = self.0.lock().unwrap();
        match which {
            Role::Current => pair.current,
            Role::Old => pair.old,
            Role::Quarantined(name) => {
                pair.quarantined.iter().find(|(its, _)| *its == name).map(|(_, one)| *one)
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Enter,
    EnterOwned,
    /// Through a projection that was there from the beginning.
    EnterProjection,
    /// Through one that is made now.
    LookThrough,
    /// Which guard of those alive, modulo their number.
    Leave(usize),
    /// On another thread.
    LeaveElsewhere(usize),
    Publish,
    Abandon,
    DropReservation,
    Rollback,
    Withdraw,
    Watch,
    Vacate,
    Quarantine,
    /// Which of those that were ever in quarantine, modulo their number.
    VacateQuarantined(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Enter),
        3 => Just(Step::EnterOwned),
        3 => Just(Step::EnterProjection),
        1 => Just(Step::LookThrough),
        4 => any::<usize>().prop_map(Step::Leave),
        2 => any::<usize>().prop_map(Step::LeaveElsewhere),
        4 => Just(Step::Publish),
        1 => Just(Step::Abandon),
        1 => Just(Step::DropReservation),
        2 => Just(Step::Rollback),
        2 => Just(Step::Withdraw),
        1 => Just(Step::Watch),
        4 => Just(Step::Vacate),
        2 => Just(Step::Quarantine),
        2 => any::<usize>().prop_map(Step::VacateQuarantined),
    ]
}

/// Runs the steps on a cell and on its twin.
fn run(fences: Fences, steps: &[Step]) {
    let log = Arc::new(Log::default());
    let cell = empty_cell(fences);
    let twin = Twin::default();
    let mut made = 0;
    let mut gone = 0;
    // Whether this thread ever tried to enter an occupant of which there was nothing to see.
    let mut tried = false;
    {
        let projection = cell.projection(Seen);
        let mut names: Vec<Quarantine> = vec![];
        let mut sights: Vec<ProjectionGuard<'_, Tracked, Seen>> = vec![];
        let mut guards: Vec<CallGuard<'_, Tracked>> = vec![];
        let mut owned: Vec<OwnedCallGuard<Tracked>> = vec![];
        for step in steps {
            match *step {
                Step::Enter => {
                    let guard = cell.enter();
                    assert_eq!(guard.as_ref().map(|guard| guard.call()), twin.enter());
                    guards.extend(guard);
                }
                Step::EnterOwned => {
                    let guard = cell.enter_owned();
                    assert_eq!(guard.as_ref().map(|guard| guard.call()), twin.enter());
                    owned.extend(guard);
                }
                Step::EnterProjection => match projection.enter() {
                    Ok(sight) => {
                        assert_eq!(Some(sight.get().of.call()), twin.enter());
                        assert_eq!(sight.occupant().generation, sight.get().of.generation);
                        sights.push(sight);
                    }
                    Err(missing) => {
                        assert_eq!(missing, expected_error(twin.look(Role::Current)));
                        tried = true;
                    }
                },
                Step::LookThrough => {
                    let seen = cell.projection(Seen).enter().map(|sight| sight.get().of.generation);
                    let expected = twin.look(Role::Current);
                    match seen {
                        Ok(generation) => {
                            assert_eq!(Some(generation), twin.enter());
                            twin.leave(generation);
                        }
                        Err(missing) => {
                            assert_eq!(missing, expected_error(expected));
                            tried = true;
                        }
                    }
                }
                Step::Leave(which) if which % 2 == 0 && !sights.is_empty() => {
                    let sight = sights.swap_remove(which % sights.len());
                    twin.leave(sight.get().of.generation);
                }
                Step::Leave(which) if !guards.is_empty() => {
                    let guard = guards.swap_remove(which % guards.len());
                    twin.leave(guard.call());
                }
                Step::Leave(which) | Step::LeaveElsewhere(which) if !owned.is_empty() => {
                    let guard = owned.swap_remove(which % owned.len());
                    twin.leave(guard.generation);
                    if matches!(step, Step::LeaveElsewhere(_)) {
                        std::thread::spawn(move || guard.call()).join().unwrap();
                    }
                }
                Step::Leave(_) | Step::LeaveElsewhere(_) => {}
                Step::Publish => {
                    made += 1;
                    let reservation = cell.reserve(Tracked::new(made, &log));
                    let before =
                        reservation.map(|reservation| reservation.publish().map(|old| old.generation));
                    gone += usize::from(before.is_err());
                    assert_eq!(before, twin.publish(made));
                }
                Step::Abandon | Step::DropReservation => {
                    made += 1;
                    gone += 1;
                    if let Ok(reservation) = cell.reserve(Tracked::new(made, &log)) {
                        assert_eq!(
                            cell.reserve(Tracked::new(0, &Arc::default())).unwrap_err(),
                            ReserveError::Reserved
                        );
                        if matches!(step, Step::Abandon) {
                            assert!(Arc::into_inner(reservation.abandon()).is_some());
                        }
                    }
                }
                Step::Rollback => assert_eq!(cell.rollback().is_ok(), twin.rollback()),
                Step::Withdraw => assert_eq!(cell.withdraw().is_ok(), twin.withdraw()),
                Step::Watch => cell.watch(Role::Old),
                Step::Vacate => gone += vacate(&cell, &twin, Role::Old),
                Step::Quarantine => {
                    let name = cell.quarantine_old();
                    assert!(twin.quarantine(name));
                    names.extend(name);
                }
                Step::VacateQuarantined(which) if !names.is_empty() => {
                    gone += vacate(&cell, &twin, Role::Quarantined(names[which % names.len()]));
                }
                Step::VacateQuarantined(_) => {}
            }
            assert!(matches!(cell.vacate(Role::Current), VacateOutcome::Absent));
            let quarantined = names.iter().map(|name| Role::Quarantined(*name));
            for which in [Role::Current, Role::Old].into_iter().chain(quarantined) {
                let expected = twin.look(which);
                let count = cell.count(which);
                assert_eq!(
                    count.map(|count| (count.inside, count.calls)),
                    expected.map(|one| (one.inside, one.calls))
                );
                assert_eq!(cell.occupant(which).map(|one| one.generation), expected.map(|one| one.number));
                let visited = expected.is_some_and(|one| one.calls > 0);
                let listed = cell.visitors(which).contains(&ThreadId::current());
                assert!(listed == visited || listed && tried, "who was inside is a visitor");
            }
            assert_eq!(log.drops.load(SeqCst), gone);
        }
        // The owned ones leave last, after the cell's other owner.
        drop((guards, sights));
        drop(projection);
        drop(cell);
        drop(owned);
    }
    assert_eq!(log.drops.load(SeqCst), usize::try_from(made).unwrap(), "each is dropped exactly once");
    assert!(!log.broken.load(SeqCst));
}

/// Takes one out of both. How many have gone.
fn vacate(cell: &Cell<Tracked>, twin: &Twin, which: Role) -> usize {
    match (cell.vacate(which), twin.vacate(which)) {
        (VacateOutcome::Absent, None) => 0,
        (VacateOutcome::Busy { inside }, Some(Err(expected))) => {
            assert_eq!(inside, expected);
            0
        }
        (VacateOutcome::Vacated(occupant), Some(Ok(expected))) => {
            assert_eq!(occupant.generation, expected);
            assert!(Arc::into_inner(occupant).is_some(), "the cell keeps nothing, nor does a projection");
            1
        }
        (ours, twins) => panic!("{ours:?}, the twin {twins:?}"),
    }
}

fn expected_error(current: Option<Generation>) -> ProjectionError {
    match current {
        None => ProjectionError::NoOccupant,
        Some(current) => {
            assert!(!is_seen(current.number));
            ProjectionError::NoView
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 512 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_cell_answers_as_its_twin(steps in proptest::collection::vec(step(), 0..100)) {
        for fences in both_fences() {
            run(fences, &steps);
        }
    }
}
