//! Records a load that was refused.

use crate::{
    api::{Actor, Error, ErrorObject, Event},
    shared::Shared,
    store::ledger::{Durability, LedgerChange},
};

/// Logs and records that a load was refused. The error of a set is recorded once for each member that it
/// names, because each belongs to the history of another module.
pub(crate) fn record_refused(
    shared: &Shared,
    actor: &Actor,
    source: String,
    error: &Error,
    changes: Vec<LedgerChange>,
) {
    if let Error::Set { errors } = error {
        return errors
            .iter()
            .for_each(|error| record_refused(shared, actor, source.clone(), error, changes.clone()));
    }
    let (step, hint) = (error.step(), error.hint());
    tracing::warn!(source, code = %error.code(), step = step.map(tracing::field::display), hint, "refused: {error}");
    let event = match error {
        Error::Superseded { module, .. } => Event::Superseded { module: module.clone(), source },
        error => Event::Refused { source, error: ErrorObject::from(error) },
    };
    shared.events.record(actor, event, changes, Durability::Buffered);
}
