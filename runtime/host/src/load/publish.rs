//! The last step of a load: one transaction of the ledger records the versions, then one atomic store per
//! module makes them current. After the transaction nothing can fail.

use std::{sync::Arc, time::Instant};

use parking_lot::MutexGuard;

use crate::{
    api::{Error, Loaded, Phase},
    clock::{lap, micros},
    load::{discard, entries, plan::LoadPlan, ready::ReadyVersion, set::collect},
    module::state::ModuleState,
    purge::detach,
    shared::Shared,
    store::event_log::Events,
};

/// Makes all versions current, or stops and unmaps them all. Returns the reports in the order given.
pub(super) fn run(
    shared: &Arc<Shared>,
    mut ready: Vec<ReadyVersion>,
    set: &[String],
    plan: &LoadPlan,
) -> Result<Vec<Loaded>, Error> {
    let given_order: Vec<Arc<str>> = ready.iter().map(|member| member.module.name.clone()).collect();
    // In the order of the names, as the load locks: `commit` locks the states one after the other.
    ready.sort_by(|a, b| a.module.name.cmp(&b.module.name));
    let stored = collect(ready.iter().map(|member| store(shared, member)));
    match stored.and_then(|_| commit(shared, &ready, set, plan)) {
        Ok((mut loaded, checked)) => {
            for ReadyVersion { module, version, .. } in &ready {
                let (id, report) = (&version.info.id, loaded.iter().find(|it| *it.module == *module.name));
                let took_us = report.map(|it| it.took_us.total);
                tracing::info!(module = %module.name, version = id.version, generation = id.generation, took_us, "current");
                detach::request_wake_in(shared, module);
                module.notify_waiters();
                shared.observer.reached(&module.name, id.generation, Phase::Published);
            }
            // They are current even if the check failed: nothing is undone.
            checked?;
            loaded.sort_by_key(|it| given_order.iter().position(|name| **name == *it.module));
            Ok(loaded)
        }
        Err(error) => {
            ready.into_iter().for_each(|member| discard::stop_and_unmap(shared, member));
            Err(error)
        }
    }
}

/// Records and publishes the versions. Returns the reports, and whether calls enter the versions.
fn commit(
    shared: &Shared,
    ready: &[ReadyVersion],
    set: &[String],
    plan: &LoadPlan,
) -> Result<(Vec<Loaded>, Result<(), Error>), Error> {
    let mut states: Vec<MutexGuard<'_, ModuleState>> =
        ready.iter().map(|member| member.module.state()).collect();
    collect(ready.iter().zip(&states).map(|(member, state)| plan.check_still_needed(&member.module, state)))?;
    collect(ready.iter().map(ReadyVersion::check_new_callers))?;
    collect(ready.iter().map(ReadyVersion::check_own_handler))?;
    // Fails only because of a bug: this load holds the load locks, and there is no old version. A reservation
    // that is dropped is returned.
    let publications = collect(ready.iter().map(|member| member.reserve(plan)))?;
    let mut loaded: Vec<Loaded> =
        ready.iter().zip(&states).map(|(member, state)| member.report(state, plan)).collect();
    let entries = entries::of_load(ready, &loaded, set, plan);
    let events: &Events = &shared.events;
    events.commit(&plan.context.actor, entries, || {
        for ReadyVersion { module, version, .. } in ready {
            shared.observer.reached(&module.name, version.info.id.generation, Phase::Recorded);
        }
        let mut clock = Instant::now();
        // No snapshot is taken while this is locked.
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
    let checked = ready.iter().try_for_each(ReadyVersion::check_is_current);
    Ok((loaded, checked))
}

/// Writes the file to the store, so a restart can load what was acknowledged.
fn store(
    shared: &Shared,
    ReadyVersion { module, version, inspected, .. }: &ReadyVersion,
) -> Result<(), Error> {
    shared.state_dir.put(&version.info.digest, inspected.bytes())?;
    shared.observer.reached(&module.name, version.info.id.generation, Phase::Stored);
    Ok(())
}
