//! Deletes a module's current version, as Erlang's `code:delete` does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    api::{Command, Deleted, Error, Event, RequestContext},
    clock::micros,
    load,
    module::{Module, load_lock::LoadLock},
    purge::retire,
    shared::Shared,
    store::ledger::LedgerChange,
};

/// How long a delete waits for a running load.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes the current version old, with no successor. Returns when that has happened. The version is purged
/// afterwards.
pub(crate) fn run(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    context: &RequestContext,
    command: &Command,
) -> Result<Deleted, Error> {
    let (task_shared, module) = (shared.clone(), module.clone());
    let (context, command) = (context.clone(), command.clone());
    shared.tasks.spawn_and_wait(format!("delete {}", module.name), move |answer| {
        let deleted = withdraw(&task_shared, &module, &context, &command);
        let displaced = deleted.as_ref().ok().and_then(|deleted| deleted.old.clone());
        // Fails if the caller no longer waits.
        let _ = answer.send(deleted);
        if let Some(old) = displaced {
            retire::run(&task_shared, &module, old.generation);
        }
    })
}

fn withdraw(
    shared: &Shared,
    module: &Arc<Module>,
    context: &RequestContext,
    command: &Command,
) -> Result<Deleted, Error> {
    let started = Instant::now();
    // Before the load lock: a load of a drop-in may hold it without limit while it waits for the old version.
    if module.state().current().is_some() {
        load::admission::ensure_no_old(shared, module)?;
    }
    // After the running load, and before the next one.
    let _lock = LoadLock::acquire(module, started.checked_add(LOAD_TIMEOUT), LOAD_TIMEOUT)?;
    if shared.is_shutting_down() {
        return Err(Error::ShuttingDown);
    }
    let mut answer = Deleted { module: module.name.to_string(), deleted: false, old: None, took_us: 0 };
    if module.state().current().is_none() {
        return Ok(answer);
    }
    // We hold the load lock, so no other version becomes old.
    load::admission::ensure_no_old(shared, module)?;
    let mut state = module.state();
    let Some(current) = state.current().cloned() else { return Ok(answer) };
    if state.is_sticky() {
        return Err(Error::Sticky { module: answer.module });
    }
    answer.deleted = true;
    answer.old = Some(current.id.clone());
    let event = Event::Deleted { module: answer.module.clone(), old: current.id.clone() };
    let mut changes = vec![LedgerChange::Deleted { module: answer.module.clone() }];
    changes.extend(context.answered(command, &answer));
    // We hold the load lock, so there is a current version, no old one, and no candidate.
    let recorded = state.withdraw(&module.cell, &shared.publish_lock, |apply| {
        shared.events.commit(&context.actor, vec![(event, changes)], apply)
    });
    recorded.transpose()?;
    drop(state);
    module.notify_waiters();
    answer.took_us = micros(started.elapsed());
    Ok(answer)
}
