//! Sticky modules, which are not replaced.

use crate::{
    api::{Command, Error, Event, RequestContext, Stickiness},
    module::Module,
    shared::Shared,
    store::ledger::LedgerChange,
};

/// Whether a module may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sticky {
    /// It may not.
    On,
    /// It may.
    Off,
}

/// Makes a module sticky or not, and records it. If it is so already, nothing is recorded.
pub(crate) fn set(
    shared: &Shared,
    module: &Module,
    sticky: Sticky,
    context: &RequestContext,
    command: &Command,
) -> Result<Stickiness, Error> {
    let (name, is_sticky) = (module.name.to_string(), sticky == Sticky::On);
    let mut state = module.state();
    let changed = state.is_sticky() != is_sticky;
    let answer = Stickiness { module: name.clone(), sticky: is_sticky, changed };
    if changed {
        let event = match sticky {
            Sticky::On => Event::MadeSticky { module: name.clone() },
            Sticky::Off => Event::StickyCleared { module: name.clone() },
        };
        let mut changes = vec![LedgerChange::Sticky { module: name, is_sticky }];
        changes.extend(context.answered(command, &answer));
        shared.events.commit(&context.actor, vec![(event, changes)], || state.set_sticky(is_sticky))?;
    }
    Ok(answer)
}
