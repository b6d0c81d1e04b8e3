//! Makes a module sticky, so that loads do not replace it, or no longer sticky.

use crate::{
    api::{Command, Error, Event, RequestContext, Stickiness},
    module::Module,
    shared::Shared,
    store::ledger::LedgerChange,
};

/// The setting to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sticky {
    /// Loads must not replace the module.
    On,
    /// Loads may replace the module.
    Off,
}

/// Makes a module sticky or not, and records it. Records nothing if that changes nothing.
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
