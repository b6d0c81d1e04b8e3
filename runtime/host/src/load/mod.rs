//! The load of versions: stage, read, map, check, `on_load`, record, publish. One file is a set of one; of a set either every member
//! becomes current, or none.
//!
//! `terms` is how a load is to go, `room` how it waits for its turn and for the old version, `start` the part in which code of the new version runs,
//! `commit` the part that cannot fail, and `escort` what goes on after it was answered.

pub(crate) mod admission;
mod followup;
mod plan;
mod publish;
pub(crate) mod set;
mod start;

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use crate::{
    api::{By, Error, ErrorObject, Event, LoadOutcome, Loaded, Phase, Source, Step, Took},
    intake,
    module::Module,
    shared::Shared,
    store::ledger::{Change, Durability},
};
use followup::Threads;
pub(crate) use plan::{AfterPublish, Left, Purpose, Terms};
use publish::Ready;
use set::{Member, Request, all, one_or_set};

/// Loads files as one: either all are current afterwards, or none is that was not.
pub(crate) fn run(shared: &Arc<Shared>, sources: &[Source], plan: Terms) -> Result<Vec<Loaded>, Error> {
    let by = plan.asked.by.clone();
    let requests = all(sources.iter().map(|source| read(shared, source)));
    let loaded = requests.and_then(|requests| begin(shared, requests, plan));
    if let Err(error) = &loaded {
        let names: Vec<String> = sources.iter().map(Source::to_string).collect();
        tell_refused(shared, &by, names.join(", "), error, Vec::new());
    }
    loaded
}

pub(crate) fn tell_refused(shared: &Shared, by: &By, source: String, error: &Error, changes: Vec<Change>) {
    if let Error::Set { errors } = error {
        // Each is part of its own module's story.
        return errors
            .iter()
            .for_each(|error| tell_refused(shared, by, source.clone(), error, changes.clone()));
    }
    let (step, hint) = (error.step(), error.hint());
    tracing::warn!(source, code = %error.code(), step = step.map(tracing::field::display), hint, "refused: {error}");
    let event = match error {
        Error::Superseded { module, .. } => Event::Superseded { module: module.clone(), source },
        error => Event::Refused { source, error: ErrorObject::from(error) },
    };
    shared.events.tell(by, event, changes, Durability::InSystem);
}

/// Begins the journey of a load, and waits for its answer.
pub(crate) fn begin(
    shared: &Arc<Shared>,
    requests: Vec<Request>,
    terms: Terms,
) -> Result<Vec<Loaded>, Error> {
    let names: Vec<&str> = requests.iter().map(|it| it.candidate.metadata().name.as_str()).collect();
    let name = format!("load {}", names.join(" "));
    let of_task = shared.clone();
    shared.journeys.ask(name, move |answer| {
        // Sending fails where nobody waits for it any more.
        travel(&of_task, requests, &terms, |loaded| drop(answer.send(loaded)));
    })
}

/// Reads what is to be loaded.
pub(crate) fn read(shared: &Shared, source: &Source) -> Result<Request, Error> {
    let path = match source {
        Source::File(path) => path.clone(),
        Source::Stored(digest) => shared.state.image(digest),
    };
    let mut took = Took::default();
    let mut candidate = intake::read(&path, &mut took)?;
    if let Source::Stored(digest) = source {
        if candidate.digest() != *digest {
            return Err(Error::StoreDamaged { path, digest: *digest });
        }
        // Its libraries are not in the store.
        let origin = match candidate.uses_origin() {
            true => shared.events.look_up(|ledger| ledger.origin(digest))?,
            false => None,
        };
        candidate = candidate.came_from(origin.map(PathBuf::from));
    }
    Ok(Request { candidate, source: source.to_string(), took })
}

/// The journey of versions: they are made current, whoever asked is told, and what they displaced is taken out.
pub(crate) fn travel(
    shared: &Arc<Shared>,
    requests: Vec<Request>,
    terms: &Terms,
    answer: impl FnOnce(Result<Vec<Loaded>, Error>),
) {
    let members = requests.into_iter().map(|request| {
        let module = shared.module_to_be(&request.candidate.metadata().name);
        Member { module, request }
    });
    let members: Vec<Member> = members.collect();
    let modules: Vec<Arc<Module>> = members.iter().map(|member| member.module.clone()).collect();
    // They exist before anything has changed, so that nothing can fail afterwards for want of a thread.
    let threads = |at| if at == 0 { Threads::TheJourneys } else { Threads::ItsOwn };
    let escorts = all(modules
        .iter()
        .enumerate()
        .map(|(at, module)| followup::escort(shared, module, threads(at), terms)));
    let loaded = escorts.and_then(|escorts| Ok((make_current(shared, members, terms)?, escorts)));
    match loaded {
        Err(error) => answer(Err(error)),
        Ok((loaded, escorts)) => {
            let moved: Vec<_> =
                loaded.iter().map(|it| (it.outcome, it.generation, it.replaced.clone())).collect();
            answer(Ok(loaded));
            // Last the one that has this thread.
            for (escort, (outcome, generation, replaced)) in escorts.into_iter().zip(moved).rev() {
                if outcome == LoadOutcome::Loaded {
                    escort.depart(generation, replaced.map(|id| id.generation));
                }
            }
        }
    }
}

fn make_current(shared: &Arc<Shared>, members: Vec<Member>, terms: &Terms) -> Result<Vec<Loaded>, Error> {
    let mut seen = HashSet::new();
    if let Some(twice) = members.iter().find(|member| !seen.insert(member.module.name.clone())) {
        return Err(Error::Duplicate { module: twice.module.name.to_string() });
    }
    // Before the turn: it may be held by one that waits for the old version, and this one is not to wait.
    let unchanged: Option<Vec<Loaded>> = members.iter().map(|member| member.unchanged(terms)).collect();
    if let Some(unchanged) = unchanged {
        members.iter().for_each(|member| tell_unchanged(shared, member, terms));
        return Ok(unchanged);
    }
    let changed = members.iter().filter(|member| member.unchanged(terms).is_none());
    all(changed.map(|member| admission::is_refused(shared, member, terms)))?;

    // In the order of their names, so that two sets do not wait for each other.
    let mut modules: Vec<Arc<Module>> = members.iter().map(|member| member.module.clone()).collect();
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    let _turns = all(modules.iter().map(|module| terms.take_turn(module)))?;
    all(members.iter().map(|member| admission::wait_for_room(shared, member, terms)))?;

    let names: Vec<String> = members.iter().map(|member| member.module.name.to_string()).collect();
    let mut places: Vec<Option<Loaded>> = Vec::new();
    let mut fresh = Vec::new();
    for member in members {
        // While it waited, another load or a rollback may have made the same file current.
        let unchanged = member.unchanged(terms);
        match &unchanged {
            Some(_) => tell_unchanged(shared, &member, terms),
            None => fresh.push(member),
        }
        places.push(unchanged);
    }
    all(fresh.iter().map(|member| may_be_loaded(shared, member, terms)))?;
    let mut loaded = match fresh.is_empty() {
        true => Vec::new(),
        false => start_and_publish(shared, fresh, &names, terms)?,
    }
    .into_iter();
    Ok(places.into_iter().map_while(|place| place.or_else(|| loaded.next())).collect())
}

fn start_and_publish(
    shared: &Arc<Shared>,
    members: Vec<Member>,
    set: &[String],
    terms: &Terms,
) -> Result<Vec<Loaded>, Error> {
    let modules: Vec<Arc<Module>> = members.iter().map(|member| member.module.clone()).collect();
    let offers_each_other = set.len() > 1;
    if offers_each_other {
        members.iter().for_each(Member::offer);
    }
    let ready = start_all(shared, members, terms);
    let published = ready.and_then(|ready| publish::run(shared, ready, set, terms));
    if offers_each_other {
        modules.iter().for_each(|module| module.state().offer(None));
    }
    published
}

/// Has each of them start, in the order given. Where one does not, all are taken out again.
fn start_all(shared: &Arc<Shared>, members: Vec<Member>, terms: &Terms) -> Result<Vec<Ready>, Error> {
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
                let _held =
                    shared.waits.add_set(ready.iter().map(|it| it.module.name.clone()), &member.module.name);
                match start::run(shared, member, terms) {
                    Ok(member) => ready.push(member),
                    Err(error) => errors.push(error),
                }
            }
            false => start::take_out(shared, &member.module, &member.about, member.mapped),
        }
    }
    if !errors.is_empty() {
        ready.into_iter().for_each(|member| start::undo(shared, member));
        return Err(one_or_set(errors));
    }
    Ok(ready)
}

/// Refuses what is not wanted any more, sticky, blocked, or does not fit who calls it: before anything of it runs.
fn may_be_loaded(shared: &Shared, Member { module, request }: &Member, terms: &Terms) -> Result<(), Error> {
    let (metadata, digest) = (request.candidate.metadata(), request.candidate.digest());
    {
        let state = module.state();
        terms.is_wanted(module, &state)?;
        if state.is_sticky() && state.current().is_some() {
            return Err(Error::Sticky { module: module.name.to_string() });
        }
    }
    if let Some(block) = shared.events.look_up(|ledger| ledger.block_of(&digest))? {
        let (module, version) = (module.name.to_string(), metadata.version.clone());
        return Err(Error::Blocked { module, version, digest, why: block.why });
    }
    module
        .callers
        .check_file(metadata)
        .map_err(|mismatch| module.does_not_fit(&metadata.version, Some(Step::Read), mismatch))?;
    shared.observer.reached(&module.name, 0, Phase::Admitted);
    Ok(())
}

fn tell_unchanged(shared: &Shared, Member { module, request }: &Member, terms: &Terms) {
    let Some(current) = module.state().current().cloned() else { return };
    let (current, source) = (current.id.clone(), request.source.clone());
    let event = Event::Unchanged { module: module.name.to_string(), current, source };
    // Current or not: it was taken, and is nothing new after a restart.
    let taken = terms.taken(request.candidate.digest()).into_iter().collect();
    shared.events.tell(&terms.asked.by, event, taken, Durability::InSystem);
}
