//! What a runtime begins with: what was confirmed last when the one before it ended, however it ended.

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

/// Loads of each module what a restart returns to. What cannot be loaded is told as refused, and is no error.
pub(crate) fn run(shared: &Arc<Shared>) -> Result<(), Error> {
    let by = Actor::runtime("a restart");
    let runtime = env!("CARGO_PKG_VERSION").to_owned();
    shared.events.record_event(&Actor::Embedder, Event::Started { pid: std::process::id(), runtime });
    for trial in shared.events.read_ledger(|ledger| ledger.trials())? {
        let over = vec![LedgerChange::NoTrial { module: trial.module.clone() }];
        record_not_restored(shared, trial, "it was on trial, and nobody had confirmed it", over);
    }
    // All at once, and all are known to be coming before one of them starts: it may call any other in its start.
    let to_restore = shared.events.read_ledger(|ledger| ledger.to_restore())?;
    let coming: Vec<_> = to_restore
        .into_iter()
        .map(|of| (PendingLoad::begin(&shared.get_or_insert_module(&of.module)), of))
        .collect();
    let (tell, told) = bounded::<()>(0);
    for (coming, of) in coming {
        let (of_task, by, tell) = (shared.clone(), by.clone(), tell.clone());
        shared.tasks.spawn(format!("restore {}", of.module), move || {
            let source = Source::Stored(of.digest);
            if let Err(error) = restore_one(&of_task, &source, &by) {
                load::record_refused(&of_task, &by, source.to_string(), &error, Vec::new());
            }
            drop((coming, tell));
        })?;
    }
    drop(tell);
    // Disconnected when the last has ended.
    let _ = told.recv();
    Ok(())
}

fn restore_one(shared: &Arc<Shared>, source: &Source, by: &Actor) -> Result<(), Error> {
    let started = Instant::now();
    let context = RequestContext { actor: by.clone(), key: None };
    let plan = LoadPlan::new(LoadKind::Restore, context, started).with_timeout(shared.limits.on_load_timeout);
    load::run_and_wait(shared, vec![load::read(shared, source)?], plan).map(drop)
}

/// Whether this is what a restart returns to, and it could not be restored, since the store does not have it any more.
pub(crate) fn is_missed(shared: &Shared, name: &str, digest: &Digest) -> Result<bool, Error> {
    let has_current =
        shared.modules.read().get(name).is_some_and(|module| module.state().current().is_some());
    if has_current {
        return Ok(false);
    }
    let to_restore = shared.events.read_ledger(|ledger| ledger.to_restore())?;
    Ok(to_restore.iter().any(|of| of.module == name && of.digest == *digest))
}

/// Tells of a version that a restart does without, and of what changes with it.
pub(crate) fn record_not_restored(shared: &Shared, of: ToRestore, why: &str, changes: Vec<LedgerChange>) {
    let ToRestore { module, digest, version } = of;
    tracing::warn!(module, version, %digest, "left behind: {why}");
    let by = Actor::runtime("a restart");
    let event = Event::NotRestored { module, version, digest, why: why.to_owned() };
    shared.events.record(&by, event, changes, Durability::Buffered);
}
