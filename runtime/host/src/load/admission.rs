//! How a load waits: for its turn, and for there to be no old version.

use std::{path::PathBuf, time::Instant};

use segue_core::Which;

use super::{plan::LoadPlan, set::Member};
use crate::{
    api::{Error, OldState, Policy},
    inspect::{kept, pins},
    module::{
        Module,
        load_lock::LoadLock,
        versions::{DrainState, Old},
    },
    purge,
    shared::Shared,
};

// === impl Terms ===

impl LoadPlan {
    /// Waits for the module's turn.
    pub(super) fn lock_for_load<'a>(&self, module: &'a Module) -> Result<LoadLock<'a>, Error> {
        LoadLock::acquire(module, self.deadline, self.after)
    }
}

/// Whether a load is refused already, without having waited.
pub(super) fn check_now(shared: &Shared, member: &Member, plan: &LoadPlan) -> Result<(), Error> {
    match plan.policy {
        Policy::Refuse => ensure_no_old_for(shared, member),
        Policy::Wait | Policy::Supersede => Ok(()),
    }
}

/// Refuses a third version. The file that is current is none, also where it has become so since it was looked at.
fn ensure_no_old_for(shared: &Shared, member: &Member) -> Result<(), Error> {
    ensure_no_old(shared, &member.module).or_else(|refused| member.is_current().then_some(()).ok_or(refused))
}

/// Refuses a third version, where there is an old one. No state may be locked: it says who is inside.
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
    let (module, inside) = (module.name.to_string(), module.inside(Which::Old));
    Err(Error::NotPurged { module, version, generation, inside, since, state, pins })
}

/// Waits, as the policy says, until there is no old version; and gives way to a newer drop-in, and to the runtime's end.
pub(super) fn wait_for_admission(shared: &Shared, member: &Member, plan: &LoadPlan) -> Result<(), Error> {
    if member.unchanged(plan).is_some() {
        return Ok(());
    }
    let (module, request) = (&member.module, &member.request);
    let is_overtaken = || plan.drop_in.is_some_and(|number| *module.last_drop_in_number.lock() > number);
    let gives_way = || shared.is_shutting_down() || is_overtaken();
    let gave_way = || match shared.is_shutting_down() {
        true => Error::ShuttingDown,
        false => Error::Superseded { path: PathBuf::from(&request.source), module: module.name.to_string() },
    };
    if gives_way() {
        return Err(gave_way());
    }
    match plan.policy {
        Policy::Refuse => ensure_no_old_for(shared, member)?,
        Policy::Wait => {
            let room = module.wait_for(plan.deadline, |state| state.old().is_none() || gives_way());
            let state = room.ok_or_else(|| Error::Deadline {
                module: Some(module.name.to_string()),
                what: format!("the old version of {} to leave memory", module.name),
                after: plan.after,
            })?;
            if state.old().is_some() || shared.is_shutting_down() {
                drop(state);
                return Err(gave_way());
            }
        }
        Policy::Supersede => {
            let patience = plan
                .deadline
                .map_or(plan.after, |deadline| deadline.saturating_duration_since(Instant::now()));
            purge::run(shared, module, patience, &plan.context.actor);
            // Where it was rolled back to meanwhile, another is old.
            ensure_no_old(shared, module)?;
        }
    }
    // These may never leave, so nobody waits for them.
    let (quarantined, limit) = (module.state().busy_quarantined_count(), shared.limits.quarantine_max);
    if quarantined >= limit {
        return Err(Error::QuarantineFull { module: module.name.to_string(), quarantined, limit });
    }
    kept::check(shared, module)?;
    Ok(())
}
