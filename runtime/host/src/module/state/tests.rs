//! Tests the state machine against a simple model. After each random step the state, the cell and the model
//! must agree.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use segue_core::{Cell, Occupant, Role, VacateOutcome};
use segue_interface::VersionId;
use segue_loader::{Digest, LeftOpen, Unmapped};

use crate::{
    api::{Trial, TrialEnd},
    module::{
        state::{Drained, Keep, ModuleState, Publication, PublishLock},
        version::VersionInfo,
        versions::{DrainState, Old},
    },
};

/// The occupant of the cell in these tests.
struct Generation(u64);

impl Occupant for Generation {
    fn on_thread_exit(&self) {}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelDrain {
    Draining,
    Warm,
    Unloading,
    /// It has left the cell.
    Vacated,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    PublishOnTrial,
    RollBack,
    Withdraw,
    /// No call is inside the old version.
    Drain,
    DrainAtShutdown,
    Vacate,
    Quarantine,
    /// A version that has left the cell is unloaded.
    Purge,
    Confirm,
    ReleaseOld,
}

const STEPS: [Step; 11] = [
    Step::Publish,
    Step::PublishOnTrial,
    Step::RollBack,
    Step::Withdraw,
    Step::Drain,
    Step::DrainAtShutdown,
    Step::Vacate,
    Step::Quarantine,
    Step::Purge,
    Step::Confirm,
    Step::ReleaseOld,
];

#[derive(Default)]
struct Model {
    last: u64,
    current: Option<u64>,
    old: Option<(u64, ModelDrain)>,
    /// The quarantined generations, and whether the cell still has each.
    quarantined: Vec<(u64, bool)>,
    /// The version on trial, and the version that is kept for a rollback.
    trial: Option<(u64, Option<u64>)>,
}

struct Fixture {
    state: ModuleState,
    cell: Arc<Cell<Generation>>,
    publish_lock: PublishLock,
    model: Model,
}

fn info(generation: u64) -> Arc<VersionInfo> {
    let id = VersionId { version: "1.0.0".to_owned(), generation };
    Arc::new(VersionInfo::new("m".into(), id, Digest::of(&[]), String::new()))
}

impl Fixture {
    fn new() -> Self {
        let cell = Cell::new(Box::new(|| {}));
        Fixture {
            state: ModuleState::default(),
            cell,
            publish_lock: PublishLock::default(),
            model: Model::default(),
        }
    }

    fn publish(&mut self, trial: Option<Trial>) {
        let model = &mut self.model;
        let lanes = usize::from(model.current.is_some()) + model.quarantined.iter().filter(|it| it.1).count();
        let Ok(reservation) = self.cell.reserve(Arc::new(Generation(model.last + 1))) else {
            let in_cell = model.old.is_some_and(|(_, drain_state)| drain_state != ModelDrain::Vacated);
            assert!(in_cell || lanes >= 7, "the cell refused a version without a reason");
            return;
        };
        if model.old.is_some() {
            // The old version has left the cell and is still being unmapped. The host waits for it.
            return;
        }
        model.last += 1;
        let info = info(model.last);
        Publication { reservation, info, trial, is_sticky: false }
            .publish(&mut self.state, &self.publish_lock.write());
        model.old = model.current.replace(model.last).map(|old| (old, ModelDrain::Draining));
        model.trial = trial.map(|_| (model.last, model.old.map(|old| old.0)));
    }

    fn apply(&mut self, step: Step) {
        let Fixture { state, cell, publish_lock, model } = self;
        match step {
            Step::Publish => self.publish(None),
            Step::PublishOnTrial => {
                self.publish(Some(Trial { length: Duration::from_secs(1), at_end: TrialEnd::RollBack }))
            }
            Step::RollBack => {
                let swaps = match (model.current, model.old) {
                    (Some(current), Some((old, ModelDrain::Draining | ModelDrain::Warm))) => {
                        Some((current, old))
                    }
                    _ => None,
                };
                let mut recorded = false;
                let swapped = state.roll_back(cell, publish_lock, || recorded = true);
                assert_eq!((swapped.is_some(), recorded), (swaps.is_some(), swaps.is_some()));
                if let Some((current, old)) = swaps {
                    (model.current, model.old, model.trial) =
                        (Some(old), Some((current, ModelDrain::Draining)), None);
                }
            }
            Step::Withdraw => {
                let can_withdraw = model.current.is_some() && model.old.is_none();
                // If the record fails, nothing changes.
                let failed = state.withdraw(cell, publish_lock, |_| Err::<(), ()>(()));
                assert_eq!(failed.is_some(), can_withdraw);
                assert_eq!(state.current().map(|it| it.id.generation), model.current);
                assert_eq!(state.withdraw(cell, publish_lock, |apply| apply()).is_some(), can_withdraw);
                if can_withdraw {
                    model.old = model.current.take().map(|current| (current, ModelDrain::Draining));
                    model.trial = None;
                }
            }
            Step::Drain | Step::DrainAtShutdown => {
                let Some((old, drain_state @ (ModelDrain::Draining | ModelDrain::Warm))) = &mut model.old
                else {
                    return;
                };
                let is_kept = model.trial.is_some_and(|trial| trial.1 == Some(*old));
                let keep = match step {
                    Step::Drain => Keep::ForRollback,
                    _ => Keep::Never,
                };
                let is_warm = is_kept && keep == Keep::ForRollback;
                *drain_state = if is_warm { ModelDrain::Warm } else { ModelDrain::Unloading };
                let drained = state.drained(*old, 0, keep).unwrap();
                assert_eq!(drained == Drained::Warm, is_warm);
            }
            Step::Vacate => match &mut model.old {
                Some((old, drain_state @ ModelDrain::Unloading)) => {
                    *drain_state = ModelDrain::Vacated;
                    assert!(
                        matches!(state.vacate(cell, *old), Some(VacateOutcome::Vacated(it)) if it.0 == *old)
                    );
                }
                _ => {
                    let Some((of, is_in_cell)) = model.quarantined.iter_mut().find(|it| it.1) else { return };
                    *is_in_cell = false;
                    assert!(
                        matches!(state.vacate(cell, *of), Some(VacateOutcome::Vacated(it)) if it.0 == *of)
                    );
                }
            },
            Step::Quarantine => {
                let Some((old, drain_state)) = model.old.take() else { return };
                model.quarantined.push((old, drain_state != ModelDrain::Vacated));
                state.quarantine(cell, &info(old), Vec::new(), || ());
            }
            Step::Purge => {
                let vacated = model.old.filter(|old| old.1 == ModelDrain::Vacated).map(|old| old.0);
                let gone = vacated.or(model.quarantined.iter().find(|it| !it.1).map(|it| it.0));
                let Some(gone) = gone else { return };
                model.old.take_if(|old| old.0 == gone);
                model.quarantined.retain(|it| it.0 != gone);
                let unmapped = Unmapped {
                    destructors_dropped: 0,
                    keys_deleted: 0,
                    leaked_bytes: 0,
                    left_open: LeftOpen::default(),
                    at: Instant::now(),
                };
                state.record_purged(gone, unmapped, || ());
                assert!(state.purged(gone).is_some());
            }
            Step::Confirm => {
                state.confirm();
                model.trial = None;
            }
            Step::ReleaseOld => {
                state.release_old();
                model.trial = model.trial.map(|trial| (trial.0, None));
            }
        }
    }

    /// Whether the state, the cell and the model agree.
    fn agree(&self) -> bool {
        let Fixture { state, cell, model, .. } = self;
        let in_cell = |which| cell.occupant(which).map(|it| it.0);
        let drain_state = |old: &Old| match old.drain_state {
            DrainState::Draining => ModelDrain::Draining,
            DrainState::Warm => ModelDrain::Warm,
            DrainState::Unloading { .. } => ModelDrain::Unloading,
        };
        let old = model.old.map(|(old, drain_state)| match drain_state {
            ModelDrain::Vacated => (old, ModelDrain::Unloading),
            drain_state => (old, drain_state),
        });
        let old_in_cell = model.old.filter(|old| old.1 != ModelDrain::Vacated).map(|old| old.0);
        let quarantined: Vec<_> =
            state.quarantined_versions().iter().map(|it| (it.info.id.generation, it.place)).collect();
        let places_agree = quarantined
            .iter()
            .all(|(of, place)| place.is_none_or(|place| in_cell(Role::Quarantined(place)) == Some(*of)));
        state.current().map(|it| it.id.generation) == model.current
            && in_cell(Role::Current) == model.current
            && state.old().map(|it| (it.info.id.generation, drain_state(it))) == old
            && in_cell(Role::Old) == old_in_cell
            && places_agree
            && quarantined.iter().map(|it| (it.0, it.1.is_some())).collect::<Vec<_>>() == model.quarantined
            && state.trial().map(|it| (it.generation, it.keeps)) == model.trial
    }
}

proptest! {
    #[test]
    fn state_cell_and_model_agree_after_each_step(
        steps in prop::collection::vec(prop::sample::select(&STEPS[..]), 1..60),
    ) {
        let mut fixture = Fixture::new();
        for step in steps {
            fixture.apply(step);
            prop_assert!(fixture.agree(), "after {step:?}");
        }
    }
}

#[test]
fn a_step_that_changes_only_the_cell_is_detected() {
    let mut fixture = Fixture::new();
    fixture.apply(Step::Publish);
    fixture.apply(Step::Publish);
    assert!(fixture.agree());
    fixture.cell.rollback().unwrap();
    assert!(!fixture.agree());
}
