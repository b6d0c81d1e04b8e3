//! Restores, when a runtime starts, the versions that were last confirmed.

use std::{sync::Arc, time::Instant};

use crossbeam_channel::bounded;
use segue_loader::Digest;

use crate::{
    api::{Actor, Error, Event, RequestContext, Source},
    load::{self, LoadKind, LoadPlan},
    module::starting::PendingLoad,
    shared::Shared,
    store::ledger::{Durability, LedgerChange, ToRestore},
};

/// The actor's reason in events of a restart.
const RESTART: &str = "a restart";

/// Loads the version of each module that a restart returns to. A version that cannot be loaded is recorded as
/// refused, and is not an error.
pub(crate) fn run(shared: &Arc<Shared>) -> Result<(), Error> {
    let runtime = env!("CARGO_PKG_VERSION").to_owned();
    shared.events.record_event(&Actor::Embedder, Event::Started { pid: std::process::id(), runtime });
    for trial in shared.events.read_ledger(|ledger| ledger.trials())? {
        let changes = vec![LedgerChange::TrialEnded { module: trial.module.clone() }];
        record_not_restored(shared, trial, "it was on trial and was not confirmed", changes);
    }
    // All at once. All are pending before the first one starts, so the `on_load` of each may call any other.
    let to_restore = shared.events.read_ledger(|ledger| ledger.to_restore())?;
    let pending: Vec<_> = to_restore
        .into_iter()
        .map(|version| (PendingLoad::begin(&shared.get_or_insert_module(&version.module)), version))
        .collect();
    let (sender, all_done) = bounded::<()>(0);
    for (pending, version) in pending {
        let (task_shared, sender) = (shared.clone(), sender.clone());
        shared.tasks.spawn(format!("restore {}", version.module), move || {
            restore_one(&task_shared, &Source::Stored(version.digest));
            drop((pending, sender));
        })?;
    }
    drop(sender);
    // Disconnected when the last task has dropped its sender.
    let _ = all_done.recv();
    Ok(())
}

fn restore_one(shared: &Arc<Shared>, source: &Source) {
    let started = Instant::now();
    let actor = Actor::runtime(RESTART);
    let context = RequestContext { actor: actor.clone(), key: None };
    let plan = LoadPlan::new(LoadKind::Restore, context, started).with_timeout(shared.limits.on_load_timeout);
    let restored = load::read(shared, source).and_then(|file| load::run_and_wait(shared, vec![file], plan));
    if let Err(error) = restored {
        load::record_refused(shared, &actor, source.to_string(), &error, Vec::new());
    }
}

/// Whether a restart returns to this version and could not restore it, for example because the store has lost
/// it.
pub(crate) fn could_not_restore(shared: &Shared, name: &str, digest: &Digest) -> Result<bool, Error> {
    let has_current =
        shared.modules.read().get(name).is_some_and(|module| module.state().current().is_some());
    if has_current {
        return Ok(false);
    }
    let to_restore = shared.events.read_ledger(|ledger| ledger.to_restore())?;
    Ok(to_restore.iter().any(|version| version.module == name && version.digest == *digest))
}

/// Records that a start does not restore a version, with the ledger changes that follow.
pub(crate) fn record_not_restored(
    shared: &Shared,
    version: ToRestore,
    why: &str,
    changes: Vec<LedgerChange>,
) {
    let ToRestore { module, digest, version } = version;
    tracing::warn!(module, version, %digest, "not restored: {why}");
    let event = Event::NotRestored { module, version, digest, why: why.to_owned() };
    shared.events.record(&Actor::runtime(RESTART), event, changes, Durability::Buffered);
}
