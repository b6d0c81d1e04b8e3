//! The state of one module's versions: which is current, which is old, and which are quarantined.
//!
//! This is a state machine. The module's cell stores current, old and quarantine too, so each step changes
//! both, with the state locked: [`publish`](Publication::publish), [`roll_back`](ModuleState::roll_back),
//! [`withdraw`](ModuleState::withdraw), [`quarantine`](ModuleState::quarantine),
//! [`vacate`](ModuleState::vacate) and [`record_purged`](ModuleState::record_purged). Nothing else changes
//! either.
//!
//! A step that the ledger records takes the write as a closure, because the order differs. A load and a
//! delete are written first, so a restart never misses what was acknowledged. A rollback happens first, so a
//! full disk cannot prevent it.

mod queries;
mod steps;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use parking_lot::RwLock;
use segue_core::{Occupant, Reservation};
use segue_loader::Metadata;

use crate::{
    api::Trial,
    module::{
        version::VersionInfo,
        versions::{Old, OnTrial, PurgedVersion, Quarantined},
    },
};

/// Locked for writing while versions become current, or stop being current, for the time of the atomic
/// stores. A reader sees all modules as they are at one moment.
pub(crate) type PublishLock = RwLock<()>;

/// The state of a module's versions.
#[derive(Default)]
pub(crate) struct ModuleState {
    current: Option<Arc<VersionInfo>>,
    old: Option<Old>,
    quarantined: Vec<Quarantined>,
    last_purged: Option<PurgedVersion>,
    /// Whether there is anything to report: a version was current, or stays in memory though it never was
    /// current.
    is_known: bool,
    trial: Option<OnTrial>,
    is_sticky: bool,
    /// The generation that is starting, if any.
    starting: Option<u64>,
    /// The metadata of a version that will become current together with the rest of its set. The set's
    /// members may already call it.
    next_metadata: Option<Arc<Metadata>>,
}

/// What happens to an old version that no call is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// It is kept for a rollback.
    Warm,
    /// It is unloaded. It was draining for this long.
    Unloading(Duration),
}

/// Whether an old version that no call is inside may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// If the version that displaced it is on trial.
    ForRollback,
    /// Never: the runtime shuts down.
    Never,
}

/// A version that is about to become current.
pub(crate) struct Publication<'a, O: Occupant> {
    pub(crate) reservation: Reservation<'a, O>,
    pub(crate) info: Arc<VersionInfo>,
    pub(crate) trial: Option<Trial>,
    /// Whether the module becomes sticky, if it had no current version.
    pub(crate) is_sticky: bool,
}
