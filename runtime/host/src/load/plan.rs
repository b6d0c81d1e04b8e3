//! How a load is to go.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use segue_loader::Digest;

use crate::{
    api::{Actor, Command, Error, LoadOptions, Policy, RequestContext, Trial},
    module::{Module, state::ModuleState},
    shared::Shared,
    store::ledger::LedgerChange,
};

/// How a load is to go.
pub(crate) struct LoadPlan {
    pub(crate) policy: Policy,
    /// Without one, it waits until it is overtaken.
    pub(crate) deadline: Option<Instant>,
    pub(crate) after: Duration,
    /// The number of a drop-in, which gives way to one with a higher number.
    pub(crate) drop_in: Option<u64>,
    pub(crate) started: Instant,
    pub(crate) trial: Option<Trial>,
    /// What follows when the version is current; none if nothing does.
    pub(crate) after_publish: Option<AfterPublish>,
    pub(crate) context: RequestContext,
    pub(crate) kind: LoadKind,
    /// The command that asks for it; none if it is the runtime's own.
    pub(crate) command: Option<Command>,
}

/// What follows when a version is current, on a thread of its own. A load knows nothing else of it.
#[derive(Clone, Copy)]
pub(crate) struct AfterPublish {
    /// What its thread is called, before the module's name.
    pub(crate) name: &'static str,
    /// Gets the generation that is current.
    pub(crate) run: fn(&Arc<Shared>, &Arc<Module>, u64),
}

/// What a load is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadKind {
    /// Something new.
    Load,
    /// Going back to a version that has left memory.
    Rollback(RollbackFrom),
    /// Having again what was there before the runtime ended.
    Restore,
}

/// What a rollback is to leave behind: it is off where something else has become current meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RollbackFrom {
    pub(crate) generation: u64,
    /// Whether it is also off where the trial of that version is over.
    pub(crate) is_on_trial: bool,
}

// === impl Terms ===

impl LoadPlan {
    /// Those of a load that is refused where there is an old version, and has no deadline, no trial, and no command that is kept.
    pub(crate) fn of(kind: LoadKind, context: RequestContext, started: Instant) -> Self {
        LoadPlan {
            policy: Policy::Refuse,
            deadline: None,
            after: Duration::ZERO,
            drop_in: None,
            started,
            trial: None,
            after_publish: None,
            context,
            kind,
            command: None,
        }
    }

    /// That of a load with these options. `after_publish` follows if it is on trial.
    pub(crate) fn with_options(self, options: &LoadOptions, after_publish: AfterPublish) -> Self {
        LoadPlan {
            policy: options.policy,
            trial: options.trial,
            after_publish: options.trial.map(|_| after_publish),
            ..self.within(options.deadline)
        }
    }

    /// The same, with a deadline.
    pub(crate) fn within(self, patience: Duration) -> Self {
        LoadPlan { deadline: self.started.checked_add(patience), after: patience, ..self }
    }

    /// What the ledger notes of a file of the modules directory that was taken; none where it came otherwise.
    pub(super) fn taken(&self, digest: Digest) -> Option<LedgerChange> {
        match &self.context.actor {
            Actor::File { path } => Some(LedgerChange::DropIn { path: path.clone(), digest }),
            _ => None,
        }
    }

    /// Whether there is still a reason for it, as the state has it now.
    pub(super) fn check_wanted(&self, module: &Module, state: &ModuleState) -> Result<(), Error> {
        let LoadKind::Rollback(left) = self.kind else { return Ok(()) };
        if state.is_current(left.generation) && (!left.is_on_trial || state.is_on_trial(left.generation)) {
            return Ok(());
        }
        Err(Error::NothingToRollBack { module: module.name.to_string() })
    }
}
