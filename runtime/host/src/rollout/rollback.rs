//! Going back: old becomes current again, by one store; or, when it has left memory, the file of the version before is loaded again.

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

/// Goes back; where a generation is given, only if that one is current, and on trial.
pub(crate) fn run(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    only: Option<u64>,
    context: &RequestContext,
) -> Result<RolledBack, Error> {
    if shared.is_shutting_down() {
        return Err(Error::ShuttingDown);
    }
    match switch_back(shared, module, only, context) {
        Err(Error::NothingToRollBack { .. }) => load_before(shared, module, only, context),
        switched => switched,
    }
}

fn switch_back(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    only: Option<u64>,
    context: &RequestContext,
) -> Result<RolledBack, Error> {
    let (of_task, module, context) = (shared.clone(), module.clone(), context.clone());
    shared.tasks.spawn_and_wait(format!("rollback {}", module.name), move |answer| {
        let rolled_back = switch(&of_task, &module, only, &context);
        let displaced = rolled_back.as_ref().ok().map(|rolled_back| rolled_back.old.generation);
        if let Ok(RolledBack { module, current, old, .. }) = &rolled_back {
            tracing::info!(module, current = %current, old = %old, "rolled back");
        }
        // Fails where nobody waits for it any more.
        let _ = answer.send(rolled_back);
        if let Some(generation) = displaced {
            retire::run(&of_task, &module, generation);
        }
    })
}

fn switch(
    shared: &Shared,
    module: &Arc<Module>,
    only: Option<u64>,
    context: &RequestContext,
) -> Result<RolledBack, Error> {
    let nothing = || Error::NothingToRollBack { module: module.name.to_string() };
    let mut state = module.state();
    let (current, old) = in_memory(&state, only).ok_or_else(nothing)?;
    // Who came while it was old was not checked against it.
    if let Some(version) = module.cell.occupant(Role::Old) {
        let checked = module.callers.check(|expected| version.image.check_interface(expected));
        checked.map_err(|source| {
            let error = module.interface_mismatch(&old.id.version, Some(Step::Rollback), source);
            load::record_refused(shared, &context.actor, old.source.clone(), &error, Vec::new());
            error
        })?;
    }
    let begun = Instant::now();
    let rolled_back = state.roll_back(&module.cell, &shared.publish_lock, || {
        record(shared, &current, &old, micros(begun.elapsed()), context)
    });
    drop(state);
    module.notify_waiters();
    rolled_back.ok_or_else(nothing)
}

/// Records that old became current, with the state locked, so that events are told in the order in which things happened.
fn record(
    shared: &Shared,
    current: &VersionInfo,
    old: &VersionInfo,
    took_us: u64,
    context: &RequestContext,
) -> RolledBack {
    // Where a purge had asked its calls to come to their end: that purge is off.
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
    changes.extend(context.answered(&Command::Rollback { module: rolled_back.module.clone() }, &rolled_back));
    let recorded = shared.events.record(&context.actor, event, changes, Durability::Synced);
    rolled_back.recorded = recorded == Recorded::Yes;
    rolled_back
}

/// Loads the version again that was confirmed before the current one.
fn load_before(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    only: Option<u64>,
    context: &RequestContext,
) -> Result<RolledBack, Error> {
    let nothing = || Error::NothingToRollBack { module: module.name.to_string() };
    let current = module.state().current().cloned().ok_or_else(nothing)?;
    if only.is_some_and(|only| only != current.id.generation) {
        return Err(nothing());
    }
    let before =
        shared.events.read_ledger(|ledger| ledger.confirmed_before(&module.name, &current.digest))?;
    let before = before.ok_or_else(nothing)?;
    let source = Source::Stored(before.digest);
    let loaded = load_stored(shared, &source, current.id.generation, only, context);
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
    left: u64,
    only: Option<u64>,
    context: &RequestContext,
) -> Result<Vec<Loaded>, Error> {
    let request = load::read(shared, source)?;
    let module = request.inspected.metadata().name.clone();
    let kind = LoadKind::Rollback(RollbackFrom { generation: left, is_on_trial: only.is_some() });
    let plan = LoadPlan {
        // Where there is an old version it is on its way out, as it could not be gone back to.
        policy: Policy::Wait,
        command: Some(Command::Rollback { module }),
        ..LoadPlan::new(kind, context.clone(), Instant::now()).with_timeout(LoadOptions::default().deadline)
    };
    load::run_and_wait(shared, vec![request], plan)
}

/// What is current, and what can become current again by one store.
fn in_memory(state: &ModuleState, only: Option<u64>) -> Option<(Arc<VersionInfo>, Arc<VersionInfo>)> {
    let (current, old) = state.rollback_pair()?;
    let is_meant = only.is_none_or(|only| only == current.id.generation && state.is_on_trial(only));
    is_meant.then(|| (current.clone(), old.clone()))
}
