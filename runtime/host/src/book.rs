//! What is known of a module's versions, beside what its cell counts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use segue_core::{Quarantine, Which};
use segue_loader::{Metadata, Unmapped};

use crate::{Pin, PinKind, TrialEnd, version::About};

/// How long an old version that nobody is inside may keep the place of old, while its `Drop` or threads of its own run or
/// something holds on to it. Then it is quarantined: a new version can come, and it is still taken out when it can be.
const QUARANTINE_AFTER: Duration = Duration::from_secs(10);

/// Who is current and who is old, as the cell has it, with what is to be told of them. Every change of the cell's
/// occupants is made with the book locked, so that the two agree.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) current: Option<Arc<About>>,
    pub(crate) old: Option<Old>,
    pub(crate) quarantined: Vec<Quarantined>,
    /// What left memory last, and what it had left then.
    pub(crate) gone: Option<Gone>,
    /// Whether there is anything to tell: a version was current, or stays in memory though it never was.
    pub(crate) is_known: bool,
    /// The trial that goes on, if any: of the version that is current.
    pub(crate) trial: Option<OnTrial>,
    /// Whether the module refuses to be replaced.
    pub(crate) is_sticky: bool,
    /// The generation whose start goes on, if any.
    pub(crate) starting: Option<u64>,
    /// What the candidate says of itself that is to be current together with others: these may already call it as it will be.
    pub(crate) offered: Option<Arc<Metadata>>,
}

/// The trial of a version that is current.
pub(crate) struct OnTrial {
    /// The version that is on trial.
    pub(crate) generation: u64,
    /// The version that it displaced, while that is kept for a rollback.
    pub(crate) keeps: Option<u64>,
    pub(crate) at_end: TrialEnd,
    /// When it ends.
    pub(crate) until: Option<Instant>,
}

/// The version that is old.
pub(crate) struct Old {
    pub(crate) about: Arc<About>,
    pub(crate) since: Instant,
    pub(crate) phase: Phase,
}

/// How far the old version is.
pub(crate) enum Phase {
    /// Calls may be inside, and it can be rolled back to.
    Draining,
    /// Nobody is inside, and it is kept for a rollback.
    Warm,
    /// Nobody is inside, and it is being taken down, for so long. What keeps it, where something does.
    Leaving { since: Instant, calls: u64, pins: Vec<Pin> },
}

/// A version that stays in memory though nobody will enter it again.
pub(crate) struct Quarantined {
    pub(crate) about: Arc<About>,
    pub(crate) since: Instant,
    /// Its place in the cell; none where nobody can be inside any more.
    pub(crate) place: Option<Quarantine>,
    pub(crate) calls: u64,
    pub(crate) pins: Vec<Pin>,
}

/// A version that has left memory.
pub(crate) struct Gone {
    pub(crate) generation: u64,
    pub(crate) unmapped: Unmapped,
}

// === impl Book ===

impl Book {
    /// Where in the cell a version is that nobody can enter any more: old or in quarantine.
    pub(crate) fn place(&self, generation: u64) -> Option<Which> {
        if self.old.as_ref().is_some_and(|old| old.about.id.generation == generation) {
            return Some(Which::Old);
        }
        self.quarantined(generation)?.place.map(Which::Quarantined)
    }

    /// A version in quarantine has been taken out of the cell.
    pub(crate) fn left_cell(&mut self, generation: u64) {
        if let Some(version) = self.quarantined.iter_mut().find(|v| v.about.id.generation == generation) {
            version.place = None;
        }
    }

    pub(crate) fn quarantined(&self, generation: u64) -> Option<&Quarantined> {
        self.quarantined.iter().find(|version| version.about.id.generation == generation)
    }

    /// How many versions are in quarantine in which code runs for the host: calls, `on_load`, `Drop`.
    pub(crate) fn busy_quarantined(&self) -> usize {
        self.quarantined.iter().filter(|version| version.is_busy()).count()
    }

    /// The versions that stay in memory though nobody is inside, the last one last.
    pub(crate) fn kept(&self) -> impl DoubleEndedIterator<Item = &Arc<About>> {
        self.quarantined.iter().filter(|version| !version.is_busy()).map(|version| &version.about)
    }

    /// Notes what keeps a version that is leaving, or is in quarantine.
    pub(crate) fn note_pins(&mut self, generation: u64, now: Vec<Pin>) {
        if let Some(old) = self.old.as_mut().filter(|old| old.about.id.generation == generation) {
            if let Phase::Leaving { pins, .. } = &mut old.phase {
                *pins = now;
            }
        } else if let Some(version) =
            self.quarantined.iter_mut().find(|v| v.about.id.generation == generation)
        {
            version.pins = now;
        }
    }

    /// What was noted of a version that leaves, by whoever takes it out.
    pub(crate) fn noted_pins(&self, generation: u64) -> Vec<Pin> {
        match (&self.old, self.quarantined(generation)) {
            (_, Some(version)) => version.pins.clone(),
            (Some(old), _) if old.about.id.generation == generation => match &old.phase {
                Phase::Leaving { pins, .. } => pins.clone(),
                Phase::Draining | Phase::Warm => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// When the old version will have been leaving for too long.
    pub(crate) fn overdue_at(&self) -> Option<Instant> {
        match self.old.as_ref()?.phase {
            Phase::Leaving { since, .. } => Some(since + QUARANTINE_AFTER),
            Phase::Draining | Phase::Warm => None,
        }
    }

    /// Whether a version is kept though nobody is inside it, since the one that displaced it is on trial.
    pub(crate) fn keeps_warm(&self, generation: u64) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.keeps == Some(generation))
    }

    /// Whether the version of this generation is on trial; then it is current.
    pub(crate) fn is_on_trial(&self, generation: u64) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.generation == generation)
    }

    /// Keeps the old version no longer than anybody is inside it. The trial, if one goes on, goes on without it.
    pub(crate) fn let_old_go(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.keeps = None;
        }
    }
}

// === impl Quarantined ===

impl Quarantined {
    /// Whether code in it runs on a thread of the host, and so holds that thread too.
    fn is_busy(&self) -> bool {
        self.place.is_some() || self.pins.iter().any(|pin| pin.kind == PinKind::Handle)
    }
}
