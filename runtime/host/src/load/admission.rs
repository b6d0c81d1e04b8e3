//! How a load waits: for its turn, and for there to be no old version.

use std::{path::PathBuf, time::Instant};

use segue_core::Which;

use super::{plan::Terms, set::Member};
use crate::{
    api::{Error, OldState, Policy},
    inspect::{kept, pins},
    module::{
        Module,
        turn::Turn,
        versions::{Old, Phase},
    },
    purge,
    shared::Shared,
};

// === impl Terms ===

impl Terms {
    /// Waits for the module's turn.
    pub(super) fn take_turn<'a>(&self, module: &'a Module) -> Result<Turn<'a>, Error> {
        Turn::take(module, self.deadline, self.after)
    }
}

/// Whether a load is refused already, without having waited.
pub(super) fn is_refused(shared: &Shared, member: &Member, terms: &Terms) -> Result<(), Error> {
    match terms.policy {
        Policy::Refuse => has_room_for(shared, member),
        Policy::Wait | Policy::Supersede => Ok(()),
    }
}

/// Refuses a third version. The file that is current is none, also where it has become so since it was looked at.
fn has_room_for(shared: &Shared, member: &Member) -> Result<(), Error> {
    has_room(shared, &member.module).or_else(|refused| member.is_current().then_some(()).ok_or(refused))
}

/// Refuses a third version, where there is an old one. No state may be locked: it says who is inside.
pub(crate) fn has_room(shared: &Shared, module: &Module) -> Result<(), Error> {
    let (about, since, state) = match module.state().old() {
        None => return Ok(()),
        Some(Old { about, since, phase }) => {
            let state = match phase {
                Phase::Draining => OldState::Draining,
                Phase::Warm => OldState::Warm,
                Phase::Leaving { .. } => OldState::Leaving,
            };
            (about.clone(), since.elapsed(), state)
        }
    };
    let (version, generation) = (about.id.version.clone(), about.id.generation);
    let pins = pins::of_version(shared, module, generation);
    let (module, inside) = (module.name.to_string(), module.inside(Which::Old));
    Err(Error::NotPurged { module, version, generation, inside, since, state, pins })
}

/// Waits, as the policy says, until there is no old version; and gives way to a newer drop-in, and to the runtime's end.
pub(super) fn wait_for_room(shared: &Shared, member: &Member, terms: &Terms) -> Result<(), Error> {
    if member.unchanged(terms).is_some() {
        return Ok(());
    }
    let (module, request) = (&member.module, &member.request);
    let is_overtaken = || terms.drop_in.is_some_and(|number| *module.newest_drop_in.lock() > number);
    let gives_way = || shared.is_closing() || is_overtaken();
    let gave_way = || match shared.is_closing() {
        true => Error::ShuttingDown,
        false => Error::Superseded { path: PathBuf::from(&request.source), module: module.name.to_string() },
    };
    if gives_way() {
        return Err(gave_way());
    }
    match terms.policy {
        Policy::Refuse => has_room_for(shared, member)?,
        Policy::Wait => {
            let room = module.wait_for(terms.deadline, |state| state.old().is_none() || gives_way());
            let state = room.ok_or_else(|| Error::Deadline {
                module: Some(module.name.to_string()),
                what: format!("the old version of {} to leave memory", module.name),
                after: terms.after,
            })?;
            if state.old().is_some() || shared.is_closing() {
                drop(state);
                return Err(gave_way());
            }
        }
        Policy::Supersede => {
            let patience = terms
                .deadline
                .map_or(terms.after, |deadline| deadline.saturating_duration_since(Instant::now()));
            purge::run(shared, module, patience, &terms.asked.by);
            // Where it was rolled back to meanwhile, another is old.
            has_room(shared, module)?;
        }
    }
    // These may never leave, so nobody waits for them.
    let (quarantined, limit) = (module.state().busy_quarantined(), shared.limits.quarantine_max);
    if quarantined >= limit {
        return Err(Error::QuarantineFull { module: module.name.to_string(), quarantined, limit });
    }
    kept::check(shared, module)?;
    Ok(())
}
