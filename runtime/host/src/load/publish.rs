//! The part of a load that cannot fail once it has begun: the ledger notes it, and then one store a module makes it so.

use std::{sync::Arc, time::Instant};

use parking_lot::MutexGuard;
use segue_loader::Inspected;

use super::{
    plan::{LoadKind, LoadPlan},
    set::all,
    start,
};
use crate::{
    api::{Command, Error, Event, LoadOutcome, LoadTimings, Loaded, Phase, Step, Warning},
    clock::{lap, micros},
    module::{
        Module,
        starting::Starting,
        state::{ModuleState, Publication},
        version::Version,
    },
    purge::detach,
    shared::Shared,
    store::ledger::LedgerChange,
};

/// A version that has started, and that nobody can call yet.
pub(super) struct Ready {
    pub(super) module: Arc<Module>,
    pub(super) version: Arc<Version>,
    pub(super) candidate: Inspected,
    /// How many callers had been admitted when it was last checked against all.
    pub(super) admitted: u64,
    /// Whether the module is not to be replaced from then on, where none is current.
    pub(super) is_sticky: bool,
    /// What its load noticed.
    pub(super) warnings: Vec<Warning>,
    pub(super) took: LoadTimings,
    /// Whoever waits for the first version waits until this one is current.
    pub(super) starting: Starting,
}

/// Makes all of them current, by one transaction of the ledger and one store each; or takes all out again.
pub(super) fn run(
    shared: &Arc<Shared>,
    mut ready: Vec<Ready>,
    set: &[String],
    plan: &LoadPlan,
) -> Result<Vec<Loaded>, Error> {
    let asked_for: Vec<Arc<str>> = ready.iter().map(|member| member.module.name.clone()).collect();
    // In the order of their names, as the turns: the states are locked one after the other.
    ready.sort_by(|a, b| a.module.name.cmp(&b.module.name));
    let stored = all(ready.iter().map(|member| store(shared, member)));
    match stored.and_then(|_| commit(shared, &ready, set, plan)) {
        Ok((mut loaded, answers)) => {
            for Ready { module, version, .. } in &ready {
                let (id, took_us) = (&version.info.id, loaded.iter().find(|it| *it.module == *module.name));
                let took_us = took_us.map(|it| it.took_us.total);
                tracing::info!(module = %module.name, version = id.version, generation = id.generation, took_us, "current");
                detach::hail_in(shared, module);
                module.notify_waiters();
                shared.observer.reached(&module.name, id.generation, Phase::Published);
            }
            // They are current whatever it says: nothing is undone for it.
            answers?;
            loaded.sort_by_key(|it| asked_for.iter().position(|name| **name == *it.module));
            Ok(loaded)
        }
        Err(error) => {
            ready.into_iter().for_each(|member| start::abort(shared, member));
            Err(error)
        }
    }
}

/// With what was loaded, whether callers get it.
fn commit(
    shared: &Shared,
    ready: &[Ready],
    set: &[String],
    plan: &LoadPlan,
) -> Result<(Vec<Loaded>, Result<(), Error>), Error> {
    let mut states: Vec<MutexGuard<'_, ModuleState>> =
        ready.iter().map(|member| member.module.state()).collect();
    all(ready.iter().zip(&states).map(|(member, state)| plan.check_wanted(&member.module, state)))?;
    all(ready.iter().map(Ready::fits_who_came))?;
    all(ready.iter().map(Ready::answers_itself))?;
    // Unless somebody has come whom they do not fit, only a bug makes this fail: the turns are ours, and there is no old
    // version. A seat that is dropped is given back.
    let publications = all(ready.iter().map(|member| member.reserve(plan)))?;
    let mut loaded: Vec<Loaded> =
        ready.iter().zip(&states).map(|(member, state)| member.report(state, plan)).collect();
    let entries = entries(ready, &loaded, set, plan);
    shared.events.commit(&plan.context.actor, entries, || {
        for Ready { module, version, .. } in ready {
            shared.observer.reached(&module.name, version.info.id.generation, Phase::Recorded);
        }
        let mut clock = Instant::now();
        // Nobody takes a snapshot meanwhile.
        let publish_lock = shared.publish_lock.write();
        for ((publication, state), loaded) in publications.into_iter().zip(&mut states).zip(&mut loaded) {
            publication.publish(state, &publish_lock);
            loaded.took_us.publish = Some(lap(&mut clock));
        }
        drop(publish_lock);
        for loaded in &mut loaded {
            loaded.took_us.total = micros(plan.started.elapsed());
        }
    })?;
    let answers = ready.iter().try_for_each(Ready::answers_the_public);
    Ok((loaded, answers))
}

/// Puts the file into the store: a restart needs what is acknowledged.
fn store(shared: &Shared, Ready { module, version, candidate, .. }: &Ready) -> Result<(), Error> {
    shared.state_dir.put(&version.info.digest, candidate.bytes())?;
    shared.observer.reached(&module.name, version.info.id.generation, Phase::Stored);
    Ok(())
}

/// What the ledger is told.
fn entries(
    ready: &[Ready],
    loaded: &[Loaded],
    set: &[String],
    plan: &LoadPlan,
) -> Vec<(Event, Vec<LedgerChange>)> {
    let mut entries: Vec<_> = ready.iter().zip(loaded).map(|it| entry(it.0, it.1, set, plan)).collect();
    let answered = match &plan.command {
        Some(command @ Command::Rollback { .. }) => {
            let rolled_back = loaded.first().and_then(Loaded::as_rollback);
            rolled_back.and_then(|rolled_back| plan.context.answered(command, &rolled_back))
        }
        Some(command) => plan.context.answered(command, &loaded),
        None => None,
    };
    if let Some((_, changes)) = entries.first_mut() {
        changes.extend(answered);
    }
    entries
}

/// One event, with what it changes.
fn entry(
    Ready { version, candidate, .. }: &Ready,
    loaded: &Loaded,
    set: &[String],
    plan: &LoadPlan,
) -> (Event, Vec<LedgerChange>) {
    let info = &version.info;
    let (module, digest, version) = (info.module.to_string(), info.digest, info.id.version.clone());
    let mut changes = vec![LedgerChange::Generation(info.id.generation)];
    changes.extend(match (plan.kind, plan.trial) {
        (LoadKind::Restore, _) => None,
        (_, Some(_)) => Some(LedgerChange::OnTrial { module: module.clone(), digest, version }),
        (_, None) => Some(LedgerChange::Confirmed { module: module.clone(), digest, version }),
    });
    changes.extend(plan.taken(digest));
    let origin = candidate.file().filter(|_| candidate.uses_origin()).and_then(|file| file.to_str());
    changes.extend(origin.map(|file| LedgerChange::Origin { digest, file: file.to_owned() }));
    let current = info.id.clone();
    let event = match (plan.kind, &loaded.replaced) {
        (LoadKind::Rollback(_), Some(old)) => Event::RolledBack { module, current, old: old.clone(), digest },
        _ => Event::Loaded {
            with: set.iter().filter(|name| **name != module).cloned().collect(),
            module,
            current,
            replaced: loaded.replaced.clone(),
            digest,
            source: info.source.clone(),
            trial_ms: plan.trial.map(|trial| trial.length.as_millis().try_into().unwrap_or(u64::MAX)),
            took_us: loaded.took_us.total,
            warnings: loaded.warnings.clone(),
        },
    };
    (event, changes)
}

// === impl Ready ===

impl Ready {
    /// Whether it fits those who came since it was checked against all.
    fn fits_who_came(&self) -> Result<(), Error> {
        let Ready { module, version, .. } = self;
        if module.callers.admitted() == self.admitted {
            return Ok(());
        }
        let checked = module.callers.check(|expected| version.image.check_interface(expected));
        checked.map_err(|source| {
            module.interface_mismatch(&version.info.id.version, Some(Step::Publish), source)
        })
    }

    fn reserve(&self, plan: &LoadPlan) -> Result<Publication<'_, Version>, Error> {
        let seat = self.module.cell.reserve(self.version.clone());
        let seat =
            seat.map_err(|refused| Error::Internal { what: format!("{}: {refused}", self.module.name) })?;
        let info = self.version.info.clone();
        Ok(Publication { seat, info, trial: plan.trial, is_sticky: self.is_sticky })
    }

    /// What is to be answered, as far as it is known before the publish.
    fn report(&self, state: &ModuleState, plan: &LoadPlan) -> Loaded {
        let info = &self.version.info;
        Loaded {
            module: info.module.to_string(),
            version: info.id.version.clone(),
            generation: info.id.generation,
            digest: info.digest,
            replaced: state.current().map(|info| info.id.clone()),
            outcome: LoadOutcome::Loaded,
            warnings: self.warnings.clone(),
            took_us: LoadTimings { total: micros(plan.started.elapsed()), ..self.took.clone() },
        }
    }

    /// Whether what callers will meet is its own code.
    fn answers_itself(&self) -> Result<(), Error> {
        if self.version.image.has_own_handler() {
            return Ok(());
        }
        let (module, id) = (&self.module.name, &self.version.info.id);
        Err(Error::Internal { what: format!("{module} {id} would answer by the code of another image") })
    }

    /// Whether whoever calls now gets this version: the acknowledgement is not to lie. Its state is locked, so nothing has changed
    /// it since.
    fn answers_the_public(&self) -> Result<(), Error> {
        if self.module.cell.meets(&self.version) {
            return Ok(());
        }
        let (module, id) = (&self.module.name, &self.version.info.id);
        Err(Error::Internal { what: format!("{module} {id} was published, and callers do not get it") })
    }
}
