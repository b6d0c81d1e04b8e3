//! The steps of the state machine.

use std::{sync::Arc, time::Instant};

use parking_lot::RwLockWriteGuard;
use segue_core::{Cell, Occupant, VacateOutcome};
use segue_loader::{Metadata, Unmapped};

use crate::{
    api::Pin,
    module::{
        state::{Drained, Keep, ModuleState, Publication, PublishLock},
        version::VersionInfo,
        versions::{DrainState, Old, OnTrial, PurgedVersion, Quarantined},
    },
};

// === impl Publication ===

impl<O: Occupant> Publication<'_, O> {
    /// Makes the version current, and the version that was current old. The load has been recorded.
    pub(crate) fn publish(self, state: &mut ModuleState, _publishing: &RwLockWriteGuard<'_, ()>) {
        let generation = self.info.id.generation;
        drop(self.reservation.publish());
        // Also if the module is known only for a version that was never current.
        if state.current.is_none() {
            state.is_sticky |= self.is_sticky;
        }
        let replaced = state.current.replace(self.info);
        state.trial = self.trial.map(|trial| OnTrial {
            generation,
            keeps: replaced.as_ref().map(|info| info.id.generation),
            at_end: trial.at_end,
            until: Instant::now().checked_add(trial.length),
        });
        state.old = replaced.map(Old::draining);
        state.is_known = true;
    }
}

// === impl ModuleState ===

impl ModuleState {
    /// Swaps old and current, and then calls `record`. `None` if there is no old version to roll back to.
    pub(crate) fn roll_back<O: Occupant, R>(
        &mut self,
        cell: &Cell<O>,
        publish_lock: &PublishLock,
        record: impl FnOnce() -> R,
    ) -> Option<R> {
        let (current, old) = self.rollback_pair()?;
        let (current, old) = (current.clone(), old.clone());
        let swapped = {
            let _publishing = publish_lock.write();
            cell.rollback()
        };
        swapped.ok()?;
        self.current = Some(old);
        self.old = Some(Old::draining(current));
        self.trial = None;
        Some(record())
    }

    /// Makes the current version old, with no successor. `record` writes the delete, and calls its argument
    /// to carry it out. `None`, with no change, if there is no current version or there is an old one.
    pub(crate) fn withdraw<O: Occupant, R>(
        &mut self,
        cell: &Cell<O>,
        publish_lock: &PublishLock,
        record: impl FnOnce(&mut dyn FnMut()) -> R,
    ) -> Option<R> {
        if self.current.is_none() || self.old.is_some() {
            return None;
        }
        Some(record(&mut || {
            let _publishing = publish_lock.write();
            if cell.withdraw().is_ok() {
                self.trial = None;
                self.old = self.current.take().map(Old::draining);
            }
        }))
    }

    /// Quarantines a version: the old one, which keeps its lane if calls are inside, or one that was never
    /// current.
    pub(crate) fn quarantine<O: Occupant, R>(
        &mut self,
        cell: &Cell<O>,
        info: &Arc<VersionInfo>,
        pins: Vec<Pin>,
        record: impl FnOnce() -> R,
    ) -> R {
        let (mut place, mut calls) = (None, 0);
        if let Some(old) = self.old.take_if(|old| old.has_generation(info.id.generation)) {
            // `None` if it has left the cell already.
            place = cell.quarantine_old();
            if let DrainState::Unloading { calls: counted, .. } = old.drain_state {
                calls = counted;
            }
        }
        let (info, since) = (info.clone(), Instant::now());
        self.quarantined.push(Quarantined { info, since, place, calls, pins });
        self.is_known = true;
        record()
    }

    /// Takes an old or quarantined version out of the cell if no call is inside. `None` if the version is
    /// neither.
    pub(crate) fn vacate<O: Occupant>(
        &mut self,
        cell: &Cell<O>,
        generation: u64,
    ) -> Option<VacateOutcome<O>> {
        let which = self.place(generation)?;
        cell.watch(which);
        let vacated = cell.vacate(which);
        if matches!(vacated, VacateOutcome::Vacated(_))
            && let Some(version) =
                self.quarantined.iter_mut().find(|version| version.has_generation(generation))
        {
            version.place = None;
        }
        Some(vacated)
    }

    /// Removes a version that was unloaded.
    pub(crate) fn record_purged<R>(
        &mut self,
        generation: u64,
        unmapped: Unmapped,
        record: impl FnOnce() -> R,
    ) -> R {
        self.old.take_if(|old| old.has_generation(generation));
        self.quarantined.retain(|version| !version.has_generation(generation));
        self.last_purged = Some(PurgedVersion { generation, unmapped });
        record()
    }

    /// Notes that no call is inside the old version: it is kept for a rollback, or its unload begins. `None`
    /// if this generation is not old.
    pub(crate) fn drained(&mut self, generation: u64, calls: u64, keep: Keep) -> Option<Drained> {
        let is_kept = keep == Keep::ForRollback && self.is_kept_by_trial(generation);
        let old = self.old.as_mut().filter(|old| old.has_generation(generation))?;
        if is_kept {
            old.drain_state = DrainState::Warm;
            return Some(Drained::Warm);
        }
        old.drain_state = DrainState::Unloading { since: Instant::now(), calls, pins: Vec::new() };
        Some(Drained::Unloading(old.since.elapsed()))
    }

    /// Whether a drained version is kept because the version that displaced it is on trial.
    fn is_kept_by_trial(&self, generation: u64) -> bool {
        self.trial.is_some_and(|trial| trial.keeps == Some(generation))
    }

    /// Notes what keeps a version that is being unloaded or is quarantined.
    pub(crate) fn note_pins(&mut self, generation: u64, new_pins: Vec<Pin>) {
        if let Some(old) = self.old.as_mut().filter(|old| old.has_generation(generation)) {
            if let DrainState::Unloading { pins, .. } = &mut old.drain_state {
                *pins = new_pins;
            }
        } else if let Some(version) =
            self.quarantined.iter_mut().find(|version| version.has_generation(generation))
        {
            version.pins = new_pins;
        }
    }

    /// Ends the trial of the current version.
    pub(crate) fn confirm(&mut self) {
        self.trial = None;
    }

    /// Allows the old version to be unloaded when it is drained. A trial continues without it.
    pub(crate) fn release_old(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.keeps = None;
        }
    }

    pub(crate) fn set_sticky(&mut self, is_sticky: bool) {
        self.is_sticky = is_sticky;
    }

    pub(crate) fn begin_start(&mut self, generation: u64) {
        self.starting = Some(generation);
    }

    /// Ends the start of this generation, if it is the one that is starting.
    pub(crate) fn end_start(&mut self, generation: u64) {
        self.starting.take_if(|starting| *starting == generation);
    }

    pub(crate) fn set_next_metadata(&mut self, metadata: Option<Arc<Metadata>>) {
        self.next_metadata = metadata;
    }
}
