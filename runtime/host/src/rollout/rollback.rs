//! Rolls back: makes the old version current again with one atomic store. If it has been unloaded, the file
//! of the version before the current one is loaded again.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use segue_core::Role;

use crate::{
    api::{
        Command, Error, Event, LoadOptions, Loaded, Policy, RequestContext, RollbackSource, RolledBack,
        Source, Step,
    },
    clock::micros,
    load::{self, LoadKind, LoadPlan, RollbackFrom},
    module::{Module, state::ModuleState, version::VersionInfo},
    purge::retire,
    shared::Shared,
    store::{
        event_log::Recorded,
        ledger::{Durability, LedgerChange},
    },
};

/// Rolls back. If `trial_of` is a generation, only if that version is current and on trial.
pub(crate) fn run(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    trial_of: Option<u64>,
    context: &RequestContext,
    command: &Command,
) -> Result<RolledBack, Error> {
    if shared.is_shutting_down() {
        return Err(Error::ShuttingDown);
    }
    match roll_back_in_memory(shared, module, trial_of, context, command) {
        Err(Error::NothingToRollBack { .. }) => load_previous(shared, module, trial_of, context, command),
        result => result,
    }
}

/// Rolls back on a task, which then purges the version that was current.
fn roll_back_in_memory(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    trial_of: Option<u64>,
    context: &RequestContext,
    command: &Command,
) -> Result<RolledBack, Error> {
    let (task_shared, module) = (shared.clone(), module.clone());
    let (context, command) = (context.clone(), command.clone());
    shared.tasks.spawn_and_wait(format!("rollback {}", module.name), move |answer| {
        let rolled_back = swap(&task_shared, &module, trial_of, &context, &command);
        let displaced = rolled_back.as_ref().ok().map(|rolled_back| rolled_back.old.generation);
        if let Ok(RolledBack { module, current, old, .. }) = &rolled_back {
            tracing::info!(module, current = %current, old = %old, "rolled back");
        }
        // Fails if the caller no longer waits.
        let _ = answer.send(rolled_back);
        if let Some(generation) = displaced {
            retire::run(&task_shared, &module, generation);
        }
    })
}

/// Swaps old and current, and records it.
fn swap(
    shared: &Shared,
    module: &Arc<Module>,
    trial_of: Option<u64>,
    context: &RequestContext,
    command: &Command,
) -> Result<RolledBack, Error> {
    let mut state = module.state();
    let (current, old) = rollback_pair(&state, trial_of).ok_or_else(|| nothing_to_roll_back(module))?;
    // Callers that were admitted while it was old were not checked against it.
    if let Some(version) = module.cell.occupant(Role::Old) {
        let checked = module.callers.check(|expected| version.image.check_interface(expected));
        checked.map_err(|source| {
            let error = module.interface_mismatch(&old.id.version, Some(Step::Rollback), source);
            load::record_refused(shared, &context.actor, old.source.clone(), &error, Vec::new());
            error
        })?;
    }
    let started = Instant::now();
    let rolled_back = state.roll_back(&module.cell, &shared.publish_lock, || {
        record(shared, &current, &old, micros(started.elapsed()), context, command)
    });
    drop(state);
    module.notify_waiters();
    rolled_back.ok_or_else(|| nothing_to_roll_back(module))
}

/// Records that `old` is current again. The state is locked meanwhile, so events are in the order in which
/// things happened.
fn record(
    shared: &Shared,
    current: &VersionInfo,
    old: &VersionInfo,
    took_us: u64,
    context: &RequestContext,
    command: &Command,
) -> RolledBack {
    // Cancels a purge of it that has asked its calls to end.
    old.is_cancelled.store(false, Ordering::Relaxed);
    *old.purge_requested_by.lock() = None;
    let mut rolled_back = RolledBack {
        module: old.module.to_string(),
        current: old.id.clone(),
        old: current.id.clone(),
        from: RollbackSource::Memory,
        recorded: true,
        took_us,
    };
    let (name, digest, version) = (rolled_back.module.clone(), old.digest, old.id.version.clone());
    let event =
        Event::RolledBack { module: name.clone(), current: old.id.clone(), old: current.id.clone(), digest };
    let mut changes = vec![LedgerChange::Confirmed { module: name, digest, version }];
    changes.extend(context.answered(command, &rolled_back));
    let recorded = shared.events.record(&context.actor, event, changes, Durability::Synced);
    rolled_back.recorded = recorded == Recorded::Yes;
    rolled_back
}

/// Loads the version again that was confirmed before the current one.
fn load_previous(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    trial_of: Option<u64>,
    context: &RequestContext,
    command: &Command,
) -> Result<RolledBack, Error> {
    let nothing = || nothing_to_roll_back(module);
    let current = module.state().current().cloned().ok_or_else(nothing)?;
    if trial_of.is_some_and(|generation| generation != current.id.generation) {
        return Err(nothing());
    }
    let previous =
        shared.events.read_ledger(|ledger| ledger.confirmed_before(&module.name, &current.digest))?;
    let source = Source::Stored(previous.ok_or_else(nothing)?.digest);
    let from = RollbackFrom { generation: current.id.generation, is_on_trial: trial_of.is_some() };
    let loaded = load_stored(shared, &source, from, context, command);
    if let Err(error) = &loaded
        && !matches!(error, Error::NothingToRollBack { .. })
    {
        load::record_refused(shared, &context.actor, source.to_string(), error, Vec::new());
    }
    loaded?.first().and_then(Loaded::as_rollback).ok_or_else(nothing)
}

fn load_stored(
    shared: &Arc<Shared>,
    source: &Source,
    from: RollbackFrom,
    context: &RequestContext,
    command: &Command,
) -> Result<Vec<Loaded>, Error> {
    let file = load::read(shared, source)?;
    let kind = LoadKind::Rollback(from);
    let plan = LoadPlan {
        // If there is an old version, it is being unloaded: otherwise the rollback would have used it.
        policy: Policy::Wait,
        command: Some(command.clone()),
        ..LoadPlan::new(kind, context.clone(), Instant::now()).with_timeout(LoadOptions::default().deadline)
    };
    load::run_and_wait(shared, vec![file], plan)
}

/// The current version, and the old version that one atomic store can make current.
fn rollback_pair(state: &ModuleState, trial_of: Option<u64>) -> Option<(Arc<VersionInfo>, Arc<VersionInfo>)> {
    let (current, old) = state.rollback_pair()?;
    let is_requested = trial_of
        .is_none_or(|generation| generation == current.id.generation && state.is_on_trial(generation));
    is_requested.then(|| (current.clone(), old.clone()))
}

fn nothing_to_roll_back(module: &Module) -> Error {
    Error::NothingToRollBack { module: module.name.to_string() }
}
