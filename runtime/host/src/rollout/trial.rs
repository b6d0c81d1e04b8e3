//! Trials: a version that is current, and that a restart does not return to until somebody has confirmed it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    api::{Actor, Cause, Command, Confirmed, Error, Event, RequestContext, TrialEnd},
    clock::micros,
    load::AfterPublish,
    module::Module,
    rollout::rollback,
    shared::Shared,
    store::ledger::LedgerChange,
};

/// What follows when a version on trial is current.
pub(crate) const WATCH: AfterPublish = AfterPublish { name: "trial", run: watch };

/// Who ends a trial whose time is over.
const END: &str = "the end of its trial";

/// How long after a trial that could not be ended, since the disk was full, say, that is tried again: twice as long each time.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// The longest that this becomes.
const PAUSE_MOST: Duration = Duration::from_secs(3600);

/// Confirms the current version; where a generation is given, only if it is that one.
pub(crate) fn confirm(
    shared: &Shared,
    module: &Module,
    only: Option<u64>,
    context: &RequestContext,
) -> Result<Confirmed, Error> {
    let begun = Instant::now();
    let mut state = module.state();
    let Some(info) = state.current().cloned() else {
        return Err(Error::NoCurrent { name: module.name.to_string() });
    };
    let is_on_trial = state.trial().is_some() && only.is_none_or(|only| only == info.id.generation);
    let mut answer = Confirmed {
        module: module.name.to_string(),
        confirmed: is_on_trial,
        current: info.id.clone(),
        took_us: 0,
    };
    if !is_on_trial {
        return Ok(answer);
    }
    let (name, digest) = (module.name.to_string(), info.digest);
    let event = Event::Confirmed { module: name.clone(), current: info.id.clone(), digest };
    let mut changes =
        vec![LedgerChange::Confirmed { module: name, digest, version: info.id.version.clone() }];
    changes.extend(context.answered(&Command::Confirm { module: answer.module.clone() }, &answer));
    shared.events.commit(&context.actor, vec![(event, changes)], || state.confirm())?;
    drop(state);
    // Old need not be kept any more.
    module.notify_waiters();
    tracing::info!(module = %module.name, current = %info.id, "confirmed");
    answer.took_us = micros(begun.elapsed());
    Ok(answer)
}

/// Waits for the end of a trial, however it ends, and at its time ends it as was asked. Runs on a thread of its own.
fn watch(shared: &Arc<Shared>, module: &Arc<Module>, generation: u64) {
    let (mut due, at_end) = match module.state().trial() {
        Some(trial) if trial.generation == generation => (trial.until, trial.at_end),
        _ => return,
    };
    let mut pause = PAUSE_FIRST;
    loop {
        let has_ended =
            module.wait_for(due, |state| shared.is_shutting_down() || !state.is_on_trial(generation));
        if has_ended.is_some() {
            return;
        }
        let Err(error) = end_trial(shared, module, generation, at_end) else { return };
        tracing::error!(module = %module.name, generation, "its trial could not be ended: {error}");
        // The file of the version before is not run over and over.
        if error.cause() == Cause::File {
            return record_trial_over(shared, module, generation);
        }
        due = Instant::now().checked_add(pause);
        pause = (2 * pause).min(PAUSE_MOST);
    }
}

/// Its time is over. Where it is not on trial any more, nothing is done.
fn end_trial(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    generation: u64,
    at_end: TrialEnd,
) -> Result<(), Error> {
    let context = RequestContext { actor: Actor::runtime(END), key: None };
    match at_end {
        TrialEnd::Confirm => confirm(shared, module, Some(generation), &context).map(drop),
        TrialEnd::RollBack => match rollback::run(shared, module, Some(generation), &context) {
            Err(Error::NothingToRollBack { .. }) => {
                record_trial_over(shared, module, generation);
                Ok(())
            }
            ended => ended.map(drop),
        },
    }
}

/// Tells that it stays, unconfirmed: it cannot be gone back.
fn record_trial_over(shared: &Shared, module: &Module, generation: u64) {
    let state = module.state();
    // Where it is not on trial any more, somebody was faster.
    if let Some(info) = state.current().filter(|_| state.is_on_trial(generation)) {
        let (module, current) = (module.name.to_string(), info.id.clone());
        shared.events.record_event(&Actor::runtime(END), Event::TrialOver { module, current });
    }
}
