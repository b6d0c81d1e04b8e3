//! Admission: a load waits for the module's lock and for the old version, and is refused if it may not run.

use std::{path::PathBuf, time::Instant};

use segue_core::Role;

use crate::{
    api::{Error, OldState, Phase, Policy, Step},
    inspect::{kept, pins},
    load::{plan::LoadPlan, set::Member},
    module::{
        Module,
        load_lock::LoadLock,
        versions::{DrainState, Old},
    },
    purge,
    shared::Shared,
};

/// Refuses a load that can be refused without waiting.
pub(super) fn check_now(shared: &Shared, member: &Member, plan: &LoadPlan) -> Result<(), Error> {
    match plan.policy {
        Policy::Refuse => ensure_no_old_for(shared, member),
        Policy::Wait | Policy::Supersede => Ok(()),
    }
}

/// Waits for the module's load lock.
pub(super) fn lock_for_load<'a>(module: &'a Module, plan: &LoadPlan) -> Result<LoadLock<'a>, Error> {
    LoadLock::acquire(module, plan.deadline, plan.timeout)
}

/// Waits, as the policy says, until there is no old version. Gives up if a newer file supersedes this one or
/// the runtime shuts down.
pub(super) fn wait_for_admission(shared: &Shared, member: &Member, plan: &LoadPlan) -> Result<(), Error> {
    if member.report_if_unchanged(plan).is_some() {
        return Ok(());
    }
    let (module, file) = (&member.module, &member.file);
    let is_superseded =
        || plan.drop_in_number.is_some_and(|number| *module.last_drop_in_number.lock() > number);
    let must_give_up = || shared.is_shutting_down() || is_superseded();
    let gave_up = || match shared.is_shutting_down() {
        true => Error::ShuttingDown,
        false => Error::Superseded { path: PathBuf::from(&file.source), module: module.name.to_string() },
    };
    if must_give_up() {
        return Err(gave_up());
    }
    match plan.policy {
        Policy::Refuse => ensure_no_old_for(shared, member)?,
        Policy::Wait => {
            let state = module.wait_for(plan.deadline, |state| state.old().is_none() || must_give_up());
            let state = state.ok_or_else(|| Error::Deadline {
                module: Some(module.name.to_string()),
                what: format!("the old version of {} to be unloaded", module.name),
                after: plan.timeout,
            })?;
            if state.old().is_some() || shared.is_shutting_down() {
                drop(state);
                return Err(gave_up());
            }
        }
        Policy::Supersede => {
            let timeout = plan
                .deadline
                .map_or(plan.timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
            purge::run(shared, module, timeout, &plan.context.actor);
            // A rollback during the purge may have made another version old.
            ensure_no_old(shared, module)?;
        }
    }
    // Their code may run forever, so a load does not wait for them.
    let (quarantined, limit) = (module.state().busy_quarantined_count(), shared.limits.quarantine_max);
    if quarantined >= limit {
        return Err(Error::QuarantineFull { module: module.name.to_string(), quarantined, limit });
    }
    kept::check_limit(shared, module)
}

/// Refuses a load that is no longer needed, of a sticky module, of a blocked file, or of a file that does not
/// match the interface of a caller. None of the file's code has run yet.
pub(super) fn check_loadable(
    shared: &Shared,
    Member { module, file }: &Member,
    plan: &LoadPlan,
) -> Result<(), Error> {
    let (metadata, digest) = (file.inspected.metadata(), file.inspected.digest());
    {
        let state = module.state();
        plan.check_still_needed(module, &state)?;
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

/// Refuses a third version, except the file that is current: it may have become current since the first
/// check.
fn ensure_no_old_for(shared: &Shared, member: &Member) -> Result<(), Error> {
    ensure_no_old(shared, &member.module).or_else(|refused| member.is_current().then_some(()).ok_or(refused))
}

/// Refuses a third version: fails if there is an old one. The error names the calls inside, so no state may
/// be locked.
pub(crate) fn ensure_no_old(shared: &Shared, module: &Module) -> Result<(), Error> {
    let (info, since, state) = match module.state().old() {
        None => return Ok(()),
        Some(Old { info, since, drain_state }) => {
            let state = match drain_state {
                DrainState::Draining => OldState::Draining,
                DrainState::Warm => OldState::Warm,
                DrainState::Unloading { .. } => OldState::Unloading,
            };
            (info.clone(), since.elapsed(), state)
        }
    };
    let (version, generation) = (info.id.version.clone(), info.id.generation);
    let pins = pins::of_version(shared, module, generation);
    let (module, inside) = (module.name.to_string(), module.inside(Role::Old));
    Err(Error::NotPurged { module, version, generation, inside, since, state, pins })
}
