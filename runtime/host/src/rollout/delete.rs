//! Erlang's delete: a module without a current version.

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

/// How long a delete waits for a load that goes on.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the current version old, without another in its place. Returns when that is so; the version leaves afterwards.
pub(crate) fn run(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    context: &RequestContext,
) -> Result<Deleted, Error> {
    let (of_task, module, context) = (shared.clone(), module.clone(), context.clone());
    shared.tasks.spawn_and_wait(format!("delete {}", module.name), move |answer| {
        let deleted = withdraw(&of_task, &module, &context);
        let displaced = deleted.as_ref().ok().and_then(|deleted| deleted.old.clone());
        // Fails if nobody waits for it any more.
        let _ = answer.send(deleted);
        if let Some(old) = displaced {
            retire::run(&of_task, &module, old.generation);
        }
    })
}

fn withdraw(shared: &Shared, module: &Arc<Module>, context: &RequestContext) -> Result<Deleted, Error> {
    let begun = Instant::now();
    // Before the turn: it may be held by a drop-in that waits for the old version, for as long as that takes.
    if module.state().current().is_some() {
        load::admission::ensure_no_old(shared, module)?;
    }
    // After a load that goes on, and before the next.
    let _lock = LoadLock::acquire(module, begun.checked_add(PATIENCE), PATIENCE)?;
    if shared.is_shutting_down() {
        return Err(Error::ShuttingDown);
    }
    let mut answer = Deleted { module: module.name.to_string(), deleted: false, old: None, took_us: 0 };
    if module.state().current().is_none() {
        return Ok(answer);
    }
    // With the turn ours, no other version becomes old.
    load::admission::ensure_no_old(shared, module)?;
    let mut state = module.state();
    let Some(current) = state.current().cloned() else { return Ok(answer) };
    if state.is_sticky() {
        return Err(Error::Sticky { module: answer.module });
    }
    answer.deleted = true;
    answer.old = Some(current.id.clone());
    let event = Event::Deleted { module: answer.module.clone(), old: current.id.clone() };
    let mut changes = vec![LedgerChange::Absent { module: answer.module.clone() }];
    changes.extend(context.answered(&Command::Delete { module: answer.module.clone() }, &answer));
    // There is a current version, no old one, and no candidate, since the turn is ours.
    let recorded = state.withdraw(&module.cell, &shared.publish_lock, |happen| {
        shared.events.commit(&context.actor, vec![(event, changes)], happen)
    });
    recorded.transpose()?;
    drop(state);
    module.notify_waiters();
    answer.took_us = micros(begun.elapsed());
    Ok(answer)
}
