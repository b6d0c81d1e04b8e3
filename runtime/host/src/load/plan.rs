//! The plan of a load: its policy, its limits, who requested it and what follows it.

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

/// The plan of a load.
pub(crate) struct LoadPlan {
    pub(crate) policy: Policy,
    /// Without a deadline, the load waits until a newer one supersedes it.
    pub(crate) deadline: Option<Instant>,
    /// The time from the start to the deadline, for errors.
    pub(crate) timeout: Duration,
    /// The number of a file from the modules directory. The load gives up if there is a higher number.
    pub(crate) drop_in_number: Option<u64>,
    pub(crate) started: Instant,
    pub(crate) trial: Option<Trial>,
    /// What follows the publish, if anything.
    pub(crate) after_publish: Option<AfterPublish>,
    pub(crate) context: RequestContext,
    pub(crate) kind: LoadKind,
    /// The command that requested it; `None` if the runtime did.
    pub(crate) command: Option<Command>,
}

/// Work that follows the publish of a version, on a thread of its own. A load knows nothing more about it.
#[derive(Clone, Copy)]
pub(crate) struct AfterPublish {
    /// The first word of the thread's name. The module's name follows.
    pub(crate) name: &'static str,
    /// Gets the generation that became current.
    pub(crate) run: fn(&Arc<Shared>, &Arc<Module>, u64),
}

/// The purpose of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadKind {
    /// A new version.
    Load,
    /// A rollback to a version that has been unloaded.
    Rollback(RollbackFrom),
    /// A restart: the version was current when the last runtime ended.
    Restore,
}

/// The version that a rollback replaces. If another version has become current, there is nothing to roll
/// back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RollbackFrom {
    pub(crate) generation: u64,
    /// Whether the version must also still be on trial.
    pub(crate) is_on_trial: bool,
}

// === impl LoadPlan ===

impl LoadPlan {
    /// A load that is refused if there is an old version. It has no deadline, no trial and no command.
    pub(crate) fn new(kind: LoadKind, context: RequestContext, started: Instant) -> Self {
        LoadPlan {
            policy: Policy::Refuse,
            deadline: None,
            timeout: Duration::ZERO,
            drop_in_number: None,
            started,
            trial: None,
            after_publish: None,
            context,
            kind,
            command: None,
        }
    }

    /// Sets policy, deadline and trial. If there is a trial, `after_publish` follows the publish.
    pub(crate) fn with_options(self, options: &LoadOptions, after_publish: AfterPublish) -> Self {
        LoadPlan {
            policy: options.policy,
            trial: options.trial,
            after_publish: options.trial.map(|_| after_publish),
            ..self.with_timeout(options.deadline)
        }
    }

    /// Sets the deadline, counted from the start of the load.
    pub(crate) fn with_timeout(self, timeout: Duration) -> Self {
        LoadPlan { deadline: self.started.checked_add(timeout), timeout, ..self }
    }

    /// The ledger change for a file from the modules directory; `None` for any other load.
    pub(super) fn drop_in_change(&self, digest: Digest) -> Option<LedgerChange> {
        match &self.context.actor {
            Actor::File { path } => Some(LedgerChange::DropIn { path: path.clone(), digest }),
            _ => None,
        }
    }

    /// Refuses a rollback if the version that it replaces is no longer current, or no longer on trial.
    pub(super) fn check_still_needed(&self, module: &Module, state: &ModuleState) -> Result<(), Error> {
        let LoadKind::Rollback(from) = self.kind else { return Ok(()) };
        if state.is_current(from.generation) && (!from.is_on_trial || state.is_on_trial(from.generation)) {
            return Ok(());
        }
        Err(Error::NothingToRollBack { module: module.name.to_string() })
    }
}
