//! Plain data about a module's versions that are not current, and about the trial of the current one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use segue_core::Quarantine;
use segue_loader::Unmapped;

use crate::{
    api::{Pin, PinKind, TrialEnd},
    module::version::VersionInfo,
};

/// How long the unload of an old version may take, while its `Drop` or its threads run or something keeps it.
/// After that it is quarantined: a new version can be loaded, and the runtime continues to unload the old
/// one.
const QUARANTINE_AFTER: Duration = Duration::from_secs(10);

/// The trial of the current version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnTrial {
    /// The version that is on trial.
    pub(crate) generation: u64,
    /// The generation that it displaced, while that version is kept for a rollback.
    pub(crate) keeps: Option<u64>,
    pub(crate) at_end: TrialEnd,
    /// When it ends; `None` if never.
    pub(crate) until: Option<Instant>,
}

/// The old version.
pub(crate) struct Old {
    pub(crate) info: Arc<VersionInfo>,
    pub(crate) since: Instant,
    pub(crate) drain_state: DrainState,
}

/// How far the old version has drained.
pub(crate) enum DrainState {
    /// Calls may be inside. A rollback can make it current.
    Draining,
    /// No call is inside, and it is kept for a rollback.
    Warm,
    /// No call is inside, and the runtime has been unloading it since then. `pins` is what keeps it.
    Unloading { since: Instant, calls: u64, pins: Vec<Pin> },
}

/// A version that stays in memory and is never entered again.
pub(crate) struct Quarantined {
    pub(crate) info: Arc<VersionInfo>,
    pub(crate) since: Instant,
    /// Its place in the cell; `None` after it has left the cell, when no call can be inside.
    pub(crate) place: Option<Quarantine>,
    pub(crate) calls: u64,
    pub(crate) pins: Vec<Pin>,
}

/// A version that was unloaded.
pub(crate) struct PurgedVersion {
    pub(crate) generation: u64,
    pub(crate) unmapped: Unmapped,
}

// === impl Old ===

impl Old {
    pub(crate) fn draining(info: Arc<VersionInfo>) -> Self {
        Old { info, since: Instant::now(), drain_state: DrainState::Draining }
    }

    pub(crate) fn has_generation(&self, generation: u64) -> bool {
        self.info.id.generation == generation
    }

    /// When it must be quarantined, because its unload takes too long.
    pub(crate) fn overdue_at(&self) -> Option<Instant> {
        match self.drain_state {
            DrainState::Unloading { since, .. } => Some(since + QUARANTINE_AFTER),
            DrainState::Draining | DrainState::Warm => None,
        }
    }
}

// === impl Quarantined ===

impl Quarantined {
    pub(crate) fn has_generation(&self, generation: u64) -> bool {
        self.info.id.generation == generation
    }

    /// Whether its code runs on a thread of the host, and so also occupies that thread.
    pub(crate) fn is_busy(&self) -> bool {
        self.place.is_some() || self.pins.iter().any(|pin| pin.kind == PinKind::Handle)
    }
}
