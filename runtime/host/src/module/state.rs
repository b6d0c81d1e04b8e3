//! The versions of one module: which is current, which is old, and which stay though nobody will enter them again.
//!
//! This is a state machine. The module's cell knows the same of current, old and quarantine, so each step below changes
//! both, with the state locked: [`publish`](Publication::publish), [`roll_back`](ModuleState::roll_back),
//! [`withdraw`](ModuleState::withdraw), [`quarantine`](ModuleState::quarantine), [`vacate`](ModuleState::vacate) and
//! [`record_purged`](ModuleState::record_purged). Nothing else changes either.
//!
//! A step that is recorded takes the record as a closure, because the order differs: a load and a delete are written first,
//! so a restart never misses what was acknowledged; a rollback happens first, so a full disk cannot prevent it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{RwLock, RwLockWriteGuard};
use segue_core::{Cell, Occupant, Seat, Vacate, Which};
use segue_loader::{Metadata, Unmapped};

use crate::{
    api::{Pin, Trial},
    module::{
        version::VersionInfo,
        versions::{Old, OldPhase, OnTrial, PurgedVersion, Quarantined},
    },
};

/// Locked for writing while versions become current or cease to be, for the moment of the stores. Whoever reads it finds
/// all modules as they are at one time.
pub(crate) type PublishLock = RwLock<()>;

/// What is known of a module's versions.
#[derive(Default)]
pub(crate) struct ModuleState {
    current: Option<Arc<VersionInfo>>,
    old: Option<Old>,
    quarantined: Vec<Quarantined>,
    last_purged: Option<PurgedVersion>,
    /// Whether there is anything to report: a version was current, or stays in memory though it never was.
    is_known: bool,
    trial: Option<OnTrial>,
    is_sticky: bool,
    /// The generation whose start goes on, if any.
    starting: Option<u64>,
    /// What a candidate says of itself that will become current together with others: these may already call it.
    offered: Option<Arc<Metadata>>,
}

/// Whether the old version leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// It is kept for a rollback, though nobody is inside.
    Warm,
    /// It leaves. This is how long it was draining.
    Leaving(Duration),
}

/// Whether an old version that nobody is inside may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// If the version that displaced it is on trial.
    ForRollback,
    /// In no case: the runtime ends.
    Never,
}

/// A version that is about to become current.
pub(crate) struct Publication<'a, O: Occupant> {
    pub(crate) seat: Seat<'a, O>,
    pub(crate) info: Arc<VersionInfo>,
    pub(crate) trial: Option<Trial>,
    /// Whether the module is sticky from then on, if none was current.
    pub(crate) is_sticky: bool,
}

// === impl Publication ===

impl<O: Occupant> Publication<'_, O> {
    /// Makes the version current, and what was current old. The load has been recorded.
    pub(crate) fn publish(self, state: &mut ModuleState, _publishing: &RwLockWriteGuard<'_, ()>) {
        let generation = self.info.id.generation;
        drop(self.seat.publish());
        // Also if the module is known for a version that never was current.
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

// === impl ModuleState: the steps ===

impl ModuleState {
    /// Makes old current again and current old, and then has it recorded. None if there is no old version to go back to.
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

    /// Makes the current version old, without another in its place. `record` writes that, and has it happen in between.
    /// Does nothing, and answers with none, if there is no current version, or an old one.
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

    /// Puts a version in quarantine: the old one, which keeps its lane if callers are inside; or one that never was current.
    pub(crate) fn quarantine<O: Occupant, R>(
        &mut self,
        cell: &Cell<O>,
        info: &Arc<VersionInfo>,
        pins: Vec<Pin>,
        record: impl FnOnce() -> R,
    ) -> R {
        let (mut place, mut calls) = (None, 0);
        if let Some(old) = self.old.take_if(|old| old.has_generation(info.id.generation)) {
            // None if it has left the cell already.
            place = cell.quarantine_old();
            if let OldPhase::Leaving { calls: made, .. } = old.phase {
                calls = made;
            }
        }
        let (info, since) = (info.clone(), Instant::now());
        self.quarantined.push(Quarantined { info, since, place, calls, pins });
        self.is_known = true;
        record()
    }

    /// Takes a version out of the cell that is old or in quarantine, and that nobody is inside. None if it is not there.
    pub(crate) fn vacate<O: Occupant>(&mut self, cell: &Cell<O>, generation: u64) -> Option<Vacate<O>> {
        let which = self.place(generation)?;
        cell.watch(which);
        let vacated = cell.vacate(which);
        if matches!(vacated, Vacate::Vacant(_))
            && let Some(version) =
                self.quarantined.iter_mut().find(|version| version.has_generation(generation))
        {
            version.place = None;
        }
        Some(vacated)
    }

    /// A version has left memory.
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

    /// Nobody is inside a version: if it is the old one, it is kept for a rollback or leaves. None if it is not the old one.
    pub(crate) fn drained(&mut self, generation: u64, calls: u64, may_keep: Keep) -> Option<Drained> {
        let is_kept = may_keep == Keep::ForRollback && self.keeps_warm(generation);
        let old = self.old.as_mut().filter(|old| old.has_generation(generation))?;
        if is_kept {
            old.phase = OldPhase::Warm;
            return Some(Drained::Warm);
        }
        old.phase = OldPhase::Leaving { since: Instant::now(), calls, pins: Vec::new() };
        Some(Drained::Leaving(old.since.elapsed()))
    }

    /// Notes what keeps a version that is leaving, or is in quarantine.
    pub(crate) fn note_pins(&mut self, generation: u64, now: Vec<Pin>) {
        if let Some(old) = self.old.as_mut().filter(|old| old.has_generation(generation)) {
            if let OldPhase::Leaving { pins, .. } = &mut old.phase {
                *pins = now;
            }
        } else if let Some(version) =
            self.quarantined.iter_mut().find(|version| version.has_generation(generation))
        {
            version.pins = now;
        }
    }

    /// The current version is not on trial any more.
    pub(crate) fn confirm(&mut self) {
        self.trial = None;
    }

    /// Keeps the old version no longer than anybody is inside it. The trial, if one goes on, goes on without it.
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

    /// The start of this generation, if that is the one that goes on, is over.
    pub(crate) fn end_start(&mut self, generation: u64) {
        self.starting.take_if(|starting| *starting == generation);
    }

    pub(crate) fn offer(&mut self, metadata: Option<Arc<Metadata>>) {
        self.offered = metadata;
    }
}

// === impl ModuleState: what it says ===

impl ModuleState {
    pub(crate) fn current(&self) -> Option<&Arc<VersionInfo>> {
        self.current.as_ref()
    }

    /// Whether the version of this generation is current.
    pub(crate) fn is_current(&self, generation: u64) -> bool {
        self.current.as_ref().is_some_and(|info| info.id.generation == generation)
    }

    pub(crate) fn old(&self) -> Option<&Old> {
        self.old.as_ref()
    }

    /// Whether the version of this generation is old.
    pub(crate) fn is_old(&self, generation: u64) -> bool {
        self.old.as_ref().is_some_and(|old| old.has_generation(generation))
    }

    /// What is current, and what a rollback can make current again by one store.
    pub(crate) fn rollback_pair(&self) -> Option<(&Arc<VersionInfo>, &Arc<VersionInfo>)> {
        match (&self.current, &self.old) {
            (Some(current), Some(Old { info, phase: OldPhase::Draining | OldPhase::Warm, .. })) => {
                Some((current, info))
            }
            _ => None,
        }
    }

    /// Where in the cell a version is that nobody can enter any more: old or in quarantine.
    pub(crate) fn place(&self, generation: u64) -> Option<Which> {
        if self.is_old(generation) {
            return Some(Which::Old);
        }
        self.quarantined(generation)?.place.map(Which::Quarantined)
    }

    pub(crate) fn quarantined(&self, generation: u64) -> Option<&Quarantined> {
        self.quarantined.iter().find(|version| version.has_generation(generation))
    }

    pub(crate) fn quarantined_versions(&self) -> &[Quarantined] {
        &self.quarantined
    }

    /// How many versions are in quarantine in which code runs for the host: calls, `on_load`, `Drop`.
    pub(crate) fn busy_quarantined_count(&self) -> usize {
        self.quarantined.iter().filter(|version| version.is_busy()).count()
    }

    /// The versions that stay in memory though nobody is inside, the last one last.
    pub(crate) fn kept(&self) -> impl DoubleEndedIterator<Item = &Arc<VersionInfo>> {
        self.quarantined.iter().filter(|version| !version.is_busy()).map(|version| &version.info)
    }

    /// The version that left memory last, if it is of this generation.
    pub(crate) fn purged(&self, generation: u64) -> Option<&PurgedVersion> {
        self.last_purged.as_ref().filter(|gone| gone.generation == generation)
    }

    /// Whether there is anything to report of the module.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known
    }

    /// What was noted of a version that leaves.
    pub(crate) fn noted_pins(&self, generation: u64) -> Vec<Pin> {
        match (&self.old, self.quarantined(generation)) {
            (_, Some(version)) => version.pins.clone(),
            (Some(Old { info, phase: OldPhase::Leaving { pins, .. }, .. }), _)
                if info.id.generation == generation =>
            {
                pins.clone()
            }
            _ => Vec::new(),
        }
    }

    /// When the old version will have been leaving for too long.
    pub(crate) fn overdue_at(&self) -> Option<Instant> {
        self.old.as_ref()?.overdue_at()
    }

    /// The trial of the current version, if one goes on.
    pub(crate) fn trial(&self) -> Option<&OnTrial> {
        self.trial.as_ref()
    }

    /// Whether the version of this generation is on trial; then it is current.
    pub(crate) fn is_on_trial(&self, generation: u64) -> bool {
        self.trial.is_some_and(|trial| trial.generation == generation)
    }

    /// Whether a version is kept though nobody is inside it, because the one that displaced it is on trial.
    fn keeps_warm(&self, generation: u64) -> bool {
        self.trial.is_some_and(|trial| trial.keeps == Some(generation))
    }

    pub(crate) fn is_sticky(&self) -> bool {
        self.is_sticky
    }

    /// The generation whose start goes on.
    pub(crate) fn starting(&self) -> Option<u64> {
        self.starting
    }

    /// What a candidate says of itself that will become current together with others.
    pub(crate) fn offered(&self) -> Option<&Arc<Metadata>> {
        self.offered.as_ref()
    }
}

#[cfg(test)]
mod tests;
