//! The load of versions: stage, read, map, check, `on_load`, record, publish. One file is a set of one; of a set either every member
//! becomes current, or none.
//!
//! `plan` is how a load is to go, `room` how it waits for its turn and for the old version, `start` the part in which code of the new version runs,
//! `commit` the part that cannot fail, and `followup` what goes on after it was answered.

pub(crate) mod admission;
mod followup;
mod plan;
mod publish;
pub(crate) mod set;
mod start;

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use crate::{
    api::{Actor, Error, ErrorObject, Event, LoadOutcome, LoadTimings, Loaded, Phase, Source, Step},
    intake,
    module::Module,
    shared::Shared,
    store::ledger::{Durability, LedgerChange},
};
use followup::Threads;
pub(crate) use plan::{AfterPublish, LoadKind, LoadPlan, RollbackFrom};
use publish::Ready;
use set::{LoadInput, Member, all, one_or_set};

/// Loads files as one: either all are current afterwards, or none is that was not.
pub(crate) fn run(shared: &Arc<Shared>, sources: &[Source], plan: LoadPlan) -> Result<Vec<Loaded>, Error> {
    let by = plan.context.actor.clone();
    let requests = all(sources.iter().map(|source| read(shared, source)));
    let loaded = requests.and_then(|requests| begin(shared, requests, plan));
    if let Err(error) = &loaded {
        let names: Vec<String> = sources.iter().map(Source::to_string).collect();
        record_refused(shared, &by, names.join(", "), error, Vec::new());
    }
    loaded
}

pub(crate) fn record_refused(
    shared: &Shared,
    by: &Actor,
    source: String,
    error: &Error,
    changes: Vec<LedgerChange>,
) {
    if let Error::Set { errors } = error {
        // Each is part of its own module's story.
        return errors
            .iter()
            .for_each(|error| record_refused(shared, by, source.clone(), error, changes.clone()));
    }
    let (step, hint) = (error.step(), error.hint());
    tracing::warn!(source, code = %error.code(), step = step.map(tracing::field::display), hint, "refused: {error}");
    let event = match error {
        Error::Superseded { module, .. } => Event::Superseded { module: module.clone(), source },
        error => Event::Refused { source, error: ErrorObject::from(error) },
    };
    shared.events.record(by, event, changes, Durability::Buffered);
}

/// Begins the journey of a load, and waits for its answer.
pub(crate) fn begin(
    shared: &Arc<Shared>,
    requests: Vec<LoadInput>,
    plan: LoadPlan,
) -> Result<Vec<Loaded>, Error> {
    let names: Vec<&str> = requests.iter().map(|it| it.candidate.metadata().name.as_str()).collect();
    let name = format!("load {}", names.join(" "));
    let of_task = shared.clone();
    shared.tasks.spawn_and_wait(name, move |answer| {
        // Sending fails where nobody waits for it any more.
        run_load(&of_task, requests, &plan, |loaded| drop(answer.send(loaded)));
    })
}

/// Reads what is to be loaded.
pub(crate) fn read(shared: &Shared, source: &Source) -> Result<LoadInput, Error> {
    let path = match source {
        Source::File(path) => path.clone(),
        Source::Stored(digest) => shared.state_dir.image(digest),
    };
    let mut took = LoadTimings::default();
    let mut candidate = intake::read(&path, &mut took)?;
    if let Source::Stored(digest) = source {
        if candidate.digest() != *digest {
            return Err(Error::StoreDamaged { path, digest: *digest });
        }
        // Its libraries are not in the store.
        let origin = match candidate.uses_origin() {
            true => shared.events.read_ledger(|ledger| ledger.origin(digest))?,
            false => None,
        };
        candidate = candidate.with_file(origin.map(PathBuf::from));
    }
    Ok(LoadInput { candidate, source: source.to_string(), took })
}

/// The journey of versions: they are made current, whoever asked is told, and what they displaced is taken out.
pub(crate) fn run_load(
    shared: &Arc<Shared>,
    requests: Vec<LoadInput>,
    plan: &LoadPlan,
    answer: impl FnOnce(Result<Vec<Loaded>, Error>),
) {
    let members = requests.into_iter().map(|request| {
        let module = shared.get_or_insert_module(&request.candidate.metadata().name);
        Member { module, request }
    });
    let members: Vec<Member> = members.collect();
    let modules: Vec<Arc<Module>> = members.iter().map(|member| member.module.clone()).collect();
    // They exist before anything has changed, so that nothing can fail afterwards for want of a thread.
    let threads = |at| if at == 0 { Threads::TheJourneys } else { Threads::ItsOwn };
    let followups = all(modules
        .iter()
        .enumerate()
        .map(|(at, module)| followup::followup(shared, module, threads(at), plan)));
    let loaded = followups.and_then(|followups| Ok((make_current(shared, members, plan)?, followups)));
    match loaded {
        Err(error) => answer(Err(error)),
        Ok((loaded, followups)) => {
            let moved: Vec<_> =
                loaded.iter().map(|it| (it.outcome, it.generation, it.replaced.clone())).collect();
            answer(Ok(loaded));
            // Last the one that has this thread.
            for (followup, (outcome, generation, replaced)) in followups.into_iter().zip(moved).rev() {
                if outcome == LoadOutcome::Loaded {
                    followup.start(generation, replaced.map(|id| id.generation));
                }
            }
        }
    }
}

fn make_current(shared: &Arc<Shared>, members: Vec<Member>, plan: &LoadPlan) -> Result<Vec<Loaded>, Error> {
    let mut seen = HashSet::new();
    if let Some(twice) = members.iter().find(|member| !seen.insert(member.module.name.clone())) {
        return Err(Error::Duplicate { module: twice.module.name.to_string() });
    }
    // Before the turn: it may be held by one that waits for the old version, and this one is not to wait.
    let unchanged: Option<Vec<Loaded>> = members.iter().map(|member| member.unchanged(plan)).collect();
    if let Some(unchanged) = unchanged {
        members.iter().for_each(|member| record_unchanged(shared, member, plan));
        return Ok(unchanged);
    }
    let changed = members.iter().filter(|member| member.unchanged(plan).is_none());
    all(changed.map(|member| admission::check_now(shared, member, plan)))?;

    // In the order of their names, so that two sets do not wait for each other.
    let mut modules: Vec<Arc<Module>> = members.iter().map(|member| member.module.clone()).collect();
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    let _locks = all(modules.iter().map(|module| plan.lock_for_load(module)))?;
    all(members.iter().map(|member| admission::wait_for_admission(shared, member, plan)))?;

    let names: Vec<String> = members.iter().map(|member| member.module.name.to_string()).collect();
    let mut places: Vec<Option<Loaded>> = Vec::new();
    let mut fresh = Vec::new();
    for member in members {
        // While it waited, another load or a rollback may have made the same file current.
        let unchanged = member.unchanged(plan);
        match &unchanged {
            Some(_) => record_unchanged(shared, &member, plan),
            None => fresh.push(member),
        }
        places.push(unchanged);
    }
    all(fresh.iter().map(|member| check_loadable(shared, member, plan)))?;
    let mut loaded = match fresh.is_empty() {
        true => Vec::new(),
        false => start_and_publish(shared, fresh, &names, plan)?,
    }
    .into_iter();
    Ok(places.into_iter().map_while(|place| place.or_else(|| loaded.next())).collect())
}

fn start_and_publish(
    shared: &Arc<Shared>,
    members: Vec<Member>,
    set: &[String],
    plan: &LoadPlan,
) -> Result<Vec<Loaded>, Error> {
    let modules: Vec<Arc<Module>> = members.iter().map(|member| member.module.clone()).collect();
    let offers_each_other = set.len() > 1;
    if offers_each_other {
        members.iter().for_each(Member::offer);
    }
    let ready = start_all(shared, members, plan);
    let published = ready.and_then(|ready| publish::run(shared, ready, set, plan));
    if offers_each_other {
        modules.iter().for_each(|module| module.state().set_next_metadata(None));
    }
    published
}

/// Has each of them start, in the order given. Where one does not, all are taken out again.
fn start_all(shared: &Arc<Shared>, members: Vec<Member>, plan: &LoadPlan) -> Result<Vec<Ready>, Error> {
    let (mut mapped, mut errors) = (Vec::new(), Vec::new());
    for member in members {
        match start::map(shared, member) {
            Ok(member) => mapped.push(member),
            Err(error) => errors.push(error),
        }
    }
    let mut ready: Vec<Ready> = Vec::new();
    // Nothing is started of a set that will not be: its start may do things that others see.
    let may_start = errors.is_empty();
    for member in mapped {
        match may_start {
            true => {
                // Those that have started are current when this one is: it is not to wait for them.
                let _held = shared
                    .wait_graph
                    .add_set(ready.iter().map(|it| it.module.name.clone()), &member.module.name);
                match start::run(shared, member, plan) {
                    Ok(member) => ready.push(member),
                    Err(error) => errors.push(error),
                }
            }
            false => start::discard(shared, &member.module, &member.info, member.mapped),
        }
    }
    if !errors.is_empty() {
        ready.into_iter().for_each(|member| start::abort(shared, member));
        return Err(one_or_set(errors));
    }
    Ok(ready)
}

/// Refuses what is not wanted any more, sticky, blocked, or does not fit who calls it: before anything of it runs.
fn check_loadable(
    shared: &Shared,
    Member { module, request }: &Member,
    plan: &LoadPlan,
) -> Result<(), Error> {
    let (metadata, digest) = (request.candidate.metadata(), request.candidate.digest());
    {
        let state = module.state();
        plan.check_wanted(module, &state)?;
        if state.is_sticky() && state.current().is_some() {
            return Err(Error::Sticky { module: module.name.to_string() });
        }
    }
    if let Some(block) = shared.events.read_ledger(|ledger| ledger.block_of(&digest))? {
        let (module, version) = (module.name.to_string(), metadata.version.clone());
        return Err(Error::Blocked { module, version, digest, why: block.why });
    }
    module
        .callers
        .check_file(metadata)
        .map_err(|mismatch| module.interface_mismatch(&metadata.version, Some(Step::Read), mismatch))?;
    shared.observer.reached(&module.name, 0, Phase::Admitted);
    Ok(())
}

fn record_unchanged(shared: &Shared, Member { module, request }: &Member, plan: &LoadPlan) {
    let Some(current) = module.state().current().cloned() else { return };
    let (current, source) = (current.id.clone(), request.source.clone());
    let event = Event::Unchanged { module: module.name.to_string(), current, source };
    // Current or not: it was taken, and is nothing new after a restart.
    let taken = plan.taken(request.candidate.digest()).into_iter().collect();
    shared.events.record(&plan.context.actor, event, taken, Durability::Buffered);
}
