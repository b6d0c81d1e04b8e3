//! Queries of the state. None changes anything.

use std::{sync::Arc, time::Instant};

use segue_core::Role;
use segue_loader::Metadata;

use crate::{
    api::Pin,
    module::{
        state::ModuleState,
        version::VersionInfo,
        versions::{DrainState, Old, OnTrial, PurgedVersion, Quarantined},
    },
};

// === impl ModuleState ===

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

    /// The current version, and the old version that a rollback in memory makes current.
    pub(crate) fn rollback_pair(&self) -> Option<(&Arc<VersionInfo>, &Arc<VersionInfo>)> {
        match (&self.current, &self.old) {
            (Some(current), Some(Old { info, drain_state: DrainState::Draining | DrainState::Warm, .. })) => {
                Some((current, info))
            }
            _ => None,
        }
    }

    /// The place in the cell of an old or quarantined version.
    pub(crate) fn place(&self, generation: u64) -> Option<Role> {
        if self.is_old(generation) {
            return Some(Role::Old);
        }
        self.quarantined(generation)?.place.map(Role::Quarantined)
    }

    pub(crate) fn quarantined(&self, generation: u64) -> Option<&Quarantined> {
        self.quarantined.iter().find(|version| version.has_generation(generation))
    }

    pub(crate) fn quarantined_versions(&self) -> &[Quarantined] {
        &self.quarantined
    }

    /// How many quarantined versions have code running for the host: calls, `on_load`, `Drop`.
    pub(crate) fn busy_quarantined_count(&self) -> usize {
        self.quarantined.iter().filter(|version| version.is_busy()).count()
    }

    /// The versions that stay in memory with no call inside, the latest last.
    pub(crate) fn kept(&self) -> impl DoubleEndedIterator<Item = &Arc<VersionInfo>> {
        self.quarantined.iter().filter(|version| !version.is_busy()).map(|version| &version.info)
    }

    /// The version that was unloaded last, if it has this generation.
    pub(crate) fn purged(&self, generation: u64) -> Option<&PurgedVersion> {
        self.last_purged.as_ref().filter(|purged| purged.generation == generation)
    }

    /// Whether there is anything to report about the module.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known
    }

    /// The noted pins of a version that is being unloaded or is quarantined.
    pub(crate) fn noted_pins(&self, generation: u64) -> Vec<Pin> {
        match (&self.old, self.quarantined(generation)) {
            (_, Some(version)) => version.pins.clone(),
            (Some(Old { info, drain_state: DrainState::Unloading { pins, .. }, .. }), _)
                if info.id.generation == generation =>
            {
                pins.clone()
            }
            _ => Vec::new(),
        }
    }

    /// When the old version must be quarantined, because its unload takes too long.
    pub(crate) fn overdue_at(&self) -> Option<Instant> {
        self.old.as_ref()?.overdue_at()
    }

    /// The trial of the current version, if it has one.
    pub(crate) fn trial(&self) -> Option<&OnTrial> {
        self.trial.as_ref()
    }

    /// Whether the version of this generation is on trial. Then it is current.
    pub(crate) fn is_on_trial(&self, generation: u64) -> bool {
        self.trial.is_some_and(|trial| trial.generation == generation)
    }

    pub(crate) fn is_sticky(&self) -> bool {
        self.is_sticky
    }

    /// The generation that is starting.
    pub(crate) fn starting(&self) -> Option<u64> {
        self.starting
    }

    /// The metadata of a version that will become current together with the rest of its set.
    pub(crate) fn next_metadata(&self) -> Option<&Arc<Metadata>> {
        self.next_metadata.as_ref()
    }
}
