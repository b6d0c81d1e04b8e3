//! Trials. A version on trial is current, but a restart returns to it only after it was confirmed.

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

/// Follows the publish of a version on trial.
pub(crate) const WATCH: AfterPublish = AfterPublish { name: "trial", run: watch };

/// The actor's reason in events of a trial whose time is over.
const TRIAL_END: &str = "the end of its trial";

/// The pause before the end of a trial is tried again, for example because the disk was full. It doubles each
/// time.
const RETRY_PAUSE_FIRST: Duration = Duration::from_secs(1);

/// The longest pause.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(3600);

/// Confirms the current version. If `trial_of` is a generation, only if that version is current.
pub(crate) fn confirm(
    shared: &Shared,
    module: &Module,
    trial_of: Option<u64>,
    context: &RequestContext,
    command: &Command,
) -> Result<Confirmed, Error> {
    let started = Instant::now();
    let mut state = module.state();
    let Some(info) = state.current().cloned() else {
        return Err(Error::NoCurrent { name: module.name.to_string() });
    };
    let is_on_trial =
        state.trial().is_some() && trial_of.is_none_or(|generation| generation == info.id.generation);
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
    changes.extend(context.answered(command, &answer));
    shared.events.commit(&context.actor, vec![(event, changes)], || state.confirm())?;
    drop(state);
    // The old version is no longer kept, so its purge continues.
    module.notify_waiters();
    tracing::info!(module = %module.name, current = %info.id, "confirmed");
    answer.took_us = micros(started.elapsed());
    Ok(answer)
}

/// Waits until the trial of a version is over. At its end, rolls back or confirms, as the trial says. Runs on
/// a thread of its own.
fn watch(shared: &Arc<Shared>, module: &Arc<Module>, generation: u64) {
    let (mut due, at_end) = match module.state().trial() {
        Some(trial) if trial.generation == generation => (trial.until, trial.at_end),
        _ => return,
    };
    let mut pause = RETRY_PAUSE_FIRST;
    loop {
        let is_over =
            module.wait_for(due, |state| shared.is_shutting_down() || !state.is_on_trial(generation));
        if is_over.is_some() {
            return;
        }
        let Err(error) = end_trial(shared, module, generation, at_end) else { return };
        tracing::error!(module = %module.name, generation, "cannot end the trial: {error}");
        // A file that cannot be loaded is not tried again.
        if error.cause() == Cause::File {
            return record_trial_over(shared, module, generation);
        }
        due = Instant::now().checked_add(pause);
        pause = (2 * pause).min(RETRY_PAUSE_MAX);
    }
}

/// Ends the trial of a version. Does nothing if the version is not on trial.
fn end_trial(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    generation: u64,
    at_end: TrialEnd,
) -> Result<(), Error> {
    let context = RequestContext { actor: Actor::runtime(TRIAL_END), key: None };
    let name = module.name.to_string();
    match at_end {
        TrialEnd::Confirm => {
            let command = Command::Confirm { module: name };
            confirm(shared, module, Some(generation), &context, &command).map(drop)
        }
        TrialEnd::RollBack => {
            let command = Command::Rollback { module: name };
            match rollback::run(shared, module, Some(generation), &context, &command) {
                Err(Error::NothingToRollBack { .. }) => {
                    record_trial_over(shared, module, generation);
                    Ok(())
                }
                result => result.map(drop),
            }
        }
    }
}

/// Records that the version stays current, unconfirmed, because it could not be rolled back.
fn record_trial_over(shared: &Shared, module: &Module, generation: u64) {
    let state = module.state();
    // If it is not on trial, a command has ended the trial meanwhile.
    if let Some(info) = state.current().filter(|_| state.is_on_trial(generation)) {
        let (module, current) = (module.name.to_string(), info.id.clone());
        shared.events.record_event(&Actor::runtime(TRIAL_END), Event::TrialOver { module, current });
    }
}
