//! The order of a load's steps: wait for admission, check, map, start, publish, follow up. One file is a set
//! of one.

use std::{collections::HashSet, sync::Arc};

use crate::{
    api::{Error, Event, LoadOutcome, Loaded},
    load::{
        admission, discard,
        followup::{Followup, PurgeThread},
        map,
        plan::LoadPlan,
        publish,
        ready::ReadyVersion,
        set::{CandidateFile, Member, collect, combine_errors},
        start,
    },
    module::Module,
    shared::Shared,
    store::ledger::Durability,
};

/// Runs a load on the calling thread, which must be a task's. Calls `answer` when the versions are current or
/// the load has failed, and then unloads the versions that were displaced.
pub(crate) fn run_load(
    shared: &Arc<Shared>,
    files: Vec<CandidateFile>,
    plan: &LoadPlan,
    answer: impl FnOnce(Result<Vec<Loaded>, Error>),
) {
    let members = files.into_iter().map(|file| {
        let module = shared.get_or_insert_module(&file.inspected.metadata().name);
        Member { module, file }
    });
    let members: Vec<Member> = members.collect();
    let modules: Vec<Arc<Module>> = members.iter().map(|member| member.module.clone()).collect();
    // Before anything changes: a step after the publish cannot then fail for lack of a thread.
    let purge_thread = |index| if index == 0 { PurgeThread::Caller } else { PurgeThread::Own };
    let followups = collect(
        modules
            .iter()
            .enumerate()
            .map(|(index, module)| Followup::prepare(shared, module, purge_thread(index), plan)),
    );
    let loaded = followups.and_then(|followups| Ok((make_current(shared, members, plan)?, followups)));
    match loaded {
        Err(error) => answer(Err(error)),
        Ok((loaded, followups)) => {
            let published: Vec<_> =
                loaded.iter().map(|it| (it.outcome, it.generation, it.replaced.clone())).collect();
            answer(Ok(loaded));
            // In reverse: the first one occupies this thread until its version is unloaded.
            for (followup, (outcome, generation, replaced)) in followups.into_iter().zip(published).rev() {
                if outcome == LoadOutcome::Loaded {
                    followup.start(generation, replaced.map(|id| id.generation));
                }
            }
        }
    }
}

/// Makes all members current, or none. Returns one report for each member, in the order of the members.
fn make_current(shared: &Arc<Shared>, members: Vec<Member>, plan: &LoadPlan) -> Result<Vec<Loaded>, Error> {
    let mut seen = HashSet::new();
    if let Some(duplicate) = members.iter().find(|member| !seen.insert(member.module.name.clone())) {
        return Err(Error::Duplicate { module: duplicate.module.name.to_string() });
    }
    // Before the load lock: a load that waits for an old version may hold it, and this one need not wait.
    let unchanged: Option<Vec<Loaded>> =
        members.iter().map(|member| member.report_if_unchanged(plan)).collect();
    if let Some(unchanged) = unchanged {
        members.iter().for_each(|member| record_unchanged(shared, member, plan));
        return Ok(unchanged);
    }
    let changed = members.iter().filter(|member| member.report_if_unchanged(plan).is_none());
    collect(changed.map(|member| admission::check_now(shared, member, plan)))?;

    // In the order of the names, so two sets cannot deadlock.
    let mut modules: Vec<Arc<Module>> = members.iter().map(|member| member.module.clone()).collect();
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    let _locks = collect(modules.iter().map(|module| admission::lock_for_load(module, plan)))?;
    collect(members.iter().map(|member| admission::wait_for_admission(shared, member, plan)))?;

    let names: Vec<String> = members.iter().map(|member| member.module.name.to_string()).collect();
    let mut reports: Vec<Option<Loaded>> = Vec::new();
    let mut changed = Vec::new();
    for member in members {
        // During the wait, another load or a rollback may have made the same file current.
        let unchanged = member.report_if_unchanged(plan);
        match &unchanged {
            Some(_) => record_unchanged(shared, &member, plan),
            None => changed.push(member),
        }
        reports.push(unchanged);
    }
    collect(changed.iter().map(|member| admission::check_loadable(shared, member, plan)))?;
    let mut loaded = match changed.is_empty() {
        true => Vec::new(),
        false => start_and_publish(shared, changed, &names, plan)?,
    }
    .into_iter();
    Ok(reports.into_iter().map_while(|report| report.or_else(|| loaded.next())).collect())
}

fn start_and_publish(
    shared: &Arc<Shared>,
    members: Vec<Member>,
    set: &[String],
    plan: &LoadPlan,
) -> Result<Vec<Loaded>, Error> {
    let modules: Vec<Arc<Module>> = members.iter().map(|member| member.module.clone()).collect();
    let is_set = set.len() > 1;
    if is_set {
        members.iter().for_each(Member::announce);
    }
    let ready = start_all(shared, members, plan);
    let published = ready.and_then(|ready| publish::run(shared, ready, set, plan));
    if is_set {
        modules.iter().for_each(|module| module.state().set_next_metadata(None));
    }
    published
}

/// Maps all members, then starts them in the order given. If one fails, all are discarded.
fn start_all(
    shared: &Arc<Shared>,
    members: Vec<Member>,
    plan: &LoadPlan,
) -> Result<Vec<ReadyVersion>, Error> {
    let (mut mapped, mut errors) = (Vec::new(), Vec::new());
    for member in members {
        match map::run(shared, member) {
            Ok(member) => mapped.push(member),
            Err(error) => errors.push(error),
        }
    }
    let mut ready: Vec<ReadyVersion> = Vec::new();
    // If one cannot be mapped, none is started: `on_load` may have effects outside the process.
    let may_start = errors.is_empty();
    for member in mapped {
        match may_start {
            true => {
                // Started members become current together with this one, so its `on_load` must not wait for
                // them.
                let _edge = shared
                    .wait_graph
                    .add_set(ready.iter().map(|it| it.module.name.clone()), &member.module.name);
                match start::run(shared, member, plan) {
                    Ok(member) => ready.push(member),
                    Err(error) => errors.push(error),
                }
            }
            false => discard::unmap(shared, &member.module, &member.info, member.mapped),
        }
    }
    if !errors.is_empty() {
        ready.into_iter().for_each(|member| discard::stop_and_unmap(shared, member));
        return Err(combine_errors(errors));
    }
    Ok(ready)
}

fn record_unchanged(shared: &Shared, Member { module, file }: &Member, plan: &LoadPlan) {
    let Some(current) = module.state().current().cloned() else { return };
    let (current, source) = (current.id.clone(), file.source.clone());
    let event = Event::Unchanged { module: module.name.to_string(), current, source };
    // Recorded although nothing changed: after a restart the file is not a new one.
    let changes = plan.drop_in_change(file.inspected.digest()).into_iter().collect();
    shared.events.record(&plan.context.actor, event, changes, Durability::Buffered);
}
