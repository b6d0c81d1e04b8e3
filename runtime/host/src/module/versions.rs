//! The versions of a module that are not current, and the trial of the one that is: plain data.

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

/// How long an old version that nobody is inside may keep the place of old, while its `Drop` or its threads run or
/// something holds it. Then it is quarantined: a new version can come, and the runtime goes on removing it.
const QUARANTINE_AFTER: Duration = Duration::from_secs(10);

/// The trial of the current version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnTrial {
    /// The version that is on trial.
    pub(crate) generation: u64,
    /// The version that it displaced, while that is kept for a rollback.
    pub(crate) keeps: Option<u64>,
    pub(crate) at_end: TrialEnd,
    /// When it ends.
    pub(crate) until: Option<Instant>,
}

/// The old version.
pub(crate) struct Old {
    pub(crate) info: Arc<VersionInfo>,
    pub(crate) since: Instant,
    pub(crate) phase: OldPhase,
}

/// How far the old version is.
pub(crate) enum OldPhase {
    /// Calls may be inside, and it can be rolled back to.
    Draining,
    /// Nobody is inside, and it is kept for a rollback.
    Warm,
    /// Nobody is inside, and it is being taken down, for so long. What keeps it, if something does.
    Leaving { since: Instant, calls: u64, pins: Vec<Pin> },
}

/// A version that stays in memory though nobody will enter it again.
pub(crate) struct Quarantined {
    pub(crate) info: Arc<VersionInfo>,
    pub(crate) since: Instant,
    /// Its place in the cell; none if nobody can be inside any more.
    pub(crate) place: Option<Quarantine>,
    pub(crate) calls: u64,
    pub(crate) pins: Vec<Pin>,
}

/// A version that has left memory.
pub(crate) struct PurgedVersion {
    pub(crate) generation: u64,
    pub(crate) unmapped: Unmapped,
}

// === impl Old ===

impl Old {
    pub(crate) fn draining(info: Arc<VersionInfo>) -> Self {
        Old { info, since: Instant::now(), phase: OldPhase::Draining }
    }

    pub(crate) fn has_generation(&self, generation: u64) -> bool {
        self.info.id.generation == generation
    }

    /// When it will have been leaving for too long.
    pub(crate) fn overdue_at(&self) -> Option<Instant> {
        match self.phase {
            OldPhase::Leaving { since, .. } => Some(since + QUARANTINE_AFTER),
            OldPhase::Draining | OldPhase::Warm => None,
        }
    }
}

// === impl Quarantined ===

impl Quarantined {
    pub(crate) fn has_generation(&self, generation: u64) -> bool {
        self.info.id.generation == generation
    }

    /// Whether code in it runs on a thread of the host, and so holds that thread too.
    pub(crate) fn is_busy(&self) -> bool {
        self.place.is_some() || self.pins.iter().any(|pin| pin.kind == PinKind::Handle)
    }
}
