//! The state machine against a model that is slow and obviously right: random steps, and after each one the state, the cell
//! and the model must say the same.

use proptest::prelude::*;
use segue_interface::VersionId;
use segue_loader::Digest;
use segue_loader::LeftOpen;

use super::*;
use crate::api::TrialEnd;

/// What occupies the cell in these tests: a generation.
struct Generation(u64);

impl Occupant for Generation {
    fn depart(&self) {}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Draining,
    Warm,
    Leaving,
    /// It has left the cell.
    Vacated,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    PublishOnTrial,
    RollBack,
    Withdraw,
    /// Nobody is inside the old version.
    Drain,
    DrainAtTheEnd,
    Vacate,
    Quarantine,
    /// What has left the cell has left memory.
    Purge,
    Confirm,
    LetOldGo,
}

const STEPS: [Step; 11] = [
    Step::Publish,
    Step::PublishOnTrial,
    Step::RollBack,
    Step::Withdraw,
    Step::Drain,
    Step::DrainAtTheEnd,
    Step::Vacate,
    Step::Quarantine,
    Step::Purge,
    Step::Confirm,
    Step::LetOldGo,
];

#[derive(Default)]
struct Model {
    last: u64,
    current: Option<u64>,
    old: Option<(u64, Stage)>,
    /// Those that the cell still has, and those that it has not.
    quarantined: Vec<(u64, bool)>,
    /// The version on trial, and the one that is kept for it.
    trial: Option<(u64, Option<u64>)>,
}

struct Both {
    state: ModuleState,
    cell: Arc<Cell<Generation>>,
    publish_lock: PublishLock,
    model: Model,
}

fn info(generation: u64) -> Arc<VersionInfo> {
    let id = VersionId { version: "1.0.0".to_owned(), generation };
    Arc::new(VersionInfo::new("m".into(), id, Digest::of(&[]), String::new()))
}

impl Both {
    fn new() -> Self {
        let cell = Cell::new(Box::new(|| {}));
        Both {
            state: ModuleState::default(),
            cell,
            publish_lock: PublishLock::default(),
            model: Model::default(),
        }
    }

    fn publish(&mut self, trial: Option<Trial>) {
        let model = &mut self.model;
        let lanes = usize::from(model.current.is_some()) + model.quarantined.iter().filter(|it| it.1).count();
        let Ok(seat) = self.cell.reserve(Arc::new(Generation(model.last + 1))) else {
            let in_cell = model.old.is_some_and(|(_, stage)| stage != Stage::Vacated);
            assert!(in_cell || lanes >= 7, "the cell refused a version for no reason");
            return;
        };
        if model.old.is_some() {
            // It has left the cell and is still being unmapped: the host waits for it.
            return;
        }
        model.last += 1;
        let info = info(model.last);
        Publication { seat, info, trial, is_sticky: false }
            .publish(&mut self.state, &self.publish_lock.write());
        model.old = model.current.replace(model.last).map(|old| (old, Stage::Draining));
        model.trial = trial.map(|_| (model.last, model.old.map(|old| old.0)));
    }

    fn take(&mut self, step: Step) {
        let Both { state, cell, publish_lock, model } = self;
        match step {
            Step::Publish => self.publish(None),
            Step::PublishOnTrial => {
                self.publish(Some(Trial { length: Duration::from_secs(1), at_end: TrialEnd::RollBack }))
            }
            Step::RollBack => {
                let swaps = match (model.current, model.old) {
                    (Some(current), Some((old, Stage::Draining | Stage::Warm))) => Some((current, old)),
                    _ => None,
                };
                let mut recorded = false;
                let swapped = state.roll_back(cell, publish_lock, || recorded = true);
                assert_eq!((swapped.is_some(), recorded), (swaps.is_some(), swaps.is_some()));
                if let Some((current, old)) = swaps {
                    (model.current, model.old, model.trial) =
                        (Some(old), Some((current, Stage::Draining)), None);
                }
            }
            Step::Withdraw => {
                let may = model.current.is_some() && model.old.is_none();
                // A record that fails changes nothing.
                let failed = state.withdraw(cell, publish_lock, |_| Err::<(), ()>(()));
                assert_eq!(failed.is_some(), may);
                assert_eq!(state.current().map(|it| it.id.generation), model.current);
                assert_eq!(state.withdraw(cell, publish_lock, |happen| happen()).is_some(), may);
                if may {
                    model.old = model.current.take().map(|current| (current, Stage::Draining));
                    model.trial = None;
                }
            }
            Step::Drain | Step::DrainAtTheEnd => {
                let Some((old, stage @ (Stage::Draining | Stage::Warm))) = &mut model.old else { return };
                let is_kept = model.trial.is_some_and(|trial| trial.1 == Some(*old));
                let keep = match step {
                    Step::Drain => Keep::ForRollback,
                    _ => Keep::Never,
                };
                let is_warm = is_kept && keep == Keep::ForRollback;
                *stage = if is_warm { Stage::Warm } else { Stage::Leaving };
                let drained = state.drained(*old, 0, keep).unwrap();
                assert_eq!(drained == Drained::Warm, is_warm);
            }
            Step::Vacate => match &mut model.old {
                Some((old, stage @ Stage::Leaving)) => {
                    *stage = Stage::Vacated;
                    assert!(matches!(state.vacate(cell, *old), Some(Vacate::Vacant(it)) if it.0 == *old));
                }
                _ => {
                    let Some((of, is_in_cell)) = model.quarantined.iter_mut().find(|it| it.1) else { return };
                    *is_in_cell = false;
                    assert!(matches!(state.vacate(cell, *of), Some(Vacate::Vacant(it)) if it.0 == *of));
                }
            },
            Step::Quarantine => {
                let Some((old, stage)) = model.old.take() else { return };
                model.quarantined.push((old, stage != Stage::Vacated));
                state.quarantine(cell, &info(old), Vec::new(), || ());
            }
            Step::Purge => {
                let vacated = model.old.filter(|old| old.1 == Stage::Vacated).map(|old| old.0);
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
            Step::LetOldGo => {
                state.release_old();
                model.trial = model.trial.map(|trial| (trial.0, None));
            }
        }
    }

    /// Whether state, cell and model say the same.
    fn agree(&self) -> bool {
        let Both { state, cell, model, .. } = self;
        let in_cell = |which| cell.occupant(which).map(|it| it.0);
        let phase = |old: &Old| match old.phase {
            OldPhase::Draining => Stage::Draining,
            OldPhase::Warm => Stage::Warm,
            OldPhase::Leaving { .. } => Stage::Leaving,
        };
        let old = model.old.map(|(old, stage)| match stage {
            Stage::Vacated => (old, Stage::Leaving),
            stage => (old, stage),
        });
        let old_in_cell = model.old.filter(|old| old.1 != Stage::Vacated).map(|old| old.0);
        let quarantined: Vec<_> =
            state.quarantined_versions().iter().map(|it| (it.info.id.generation, it.place)).collect();
        let places_agree = quarantined
            .iter()
            .all(|(of, place)| place.is_none_or(|place| in_cell(Which::Quarantined(place)) == Some(*of)));
        state.current().map(|it| it.id.generation) == model.current
            && in_cell(Which::Current) == model.current
            && state.old().map(|it| (it.info.id.generation, phase(it))) == old
            && in_cell(Which::Old) == old_in_cell
            && places_agree
            && quarantined.iter().map(|it| (it.0, it.1.is_some())).collect::<Vec<_>>() == model.quarantined
            && state.trial().map(|it| (it.generation, it.keeps)) == model.trial
    }
}

proptest! {
    #[test]
    fn state_cell_and_model_say_the_same_after_each_step(
        steps in prop::collection::vec(prop::sample::select(&STEPS[..]), 1..60),
    ) {
        let mut both = Both::new();
        for step in steps {
            both.take(step);
            prop_assert!(both.agree(), "after {step:?}");
        }
    }
}

#[test]
fn a_step_that_changes_the_cell_alone_is_noticed() {
    let mut both = Both::new();
    both.take(Step::Publish);
    both.take(Step::Publish);
    assert!(both.agree());
    both.cell.rollback().unwrap();
    assert!(!both.agree());
}
