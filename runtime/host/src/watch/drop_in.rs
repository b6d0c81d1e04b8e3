//! A file of the modules directory, and the task that loads it.

use std::{path::Path, sync::Arc, time::Instant};

use crossbeam_channel::{Receiver, bounded};
use segue_loader::{Digest, Inspected};

use crate::{
    api::{Actor, Cause, Error, LoadTimings, Policy, RequestContext},
    intake,
    load::{self, CandidateFile, LoadKind, LoadPlan},
    module::{Module, starting::PendingLoad},
    recovery::restore,
    shared::Shared,
    store::ledger::{LedgerChange, ToRestore},
};

/// Why a start in safe mode does not load a file.
const SKIPPED: &str =
    "it was in the modules directory when the two previous starts were killed, and may be the cause";

/// When a file of the modules directory was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was there when the runtime started. In safe mode new files are skipped.
    Start { safe_mode: bool },
    /// It was put there, or changed, while the runtime ran.
    Watch,
}

/// A file of the modules directory that was read.
pub(super) struct DropIn {
    inspected: Inspected,
    source: String,
    started: Instant,
    took: LoadTimings,
}

// === impl DropIn ===

impl DropIn {
    /// Reads a file and its metadata, without running any of it.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let started = Instant::now();
        let mut took = LoadTimings::default();
        let inspected = intake::read(path, &mut took)?;
        Ok(DropIn { inspected, source: path.display().to_string(), started, took })
    }

    pub(super) fn digest(&self) -> Digest {
        self.inspected.digest()
    }

    fn module(&self) -> &str {
        &self.inspected.metadata().name
    }

    /// The ledger change that notes the file as loaded or refused. After a restart the same bytes are not
    /// new.
    fn processed(&self) -> LedgerChange {
        LedgerChange::DropIn { path: self.source.clone(), digest: self.digest() }
    }

    /// Starts the task that loads the file when `gate` is disconnected. The load waits until the old version
    /// is unloaded, and gives up if a newer file of the module arrives. The receiver gets a message when it
    /// is done.
    pub(super) fn start(self, shared: &Arc<Shared>, gate: Receiver<()>) -> Result<Receiver<()>, Error> {
        let processed = self.processed();
        let module = shared.get_or_insert_module(self.module());
        let number = next_number(&module);
        let DropIn { inspected, source, started, took } = self;
        let actor = Actor::File { path: source.clone() };
        let context = RequestContext { actor: actor.clone(), key: None };
        let plan = LoadPlan {
            policy: Policy::Wait,
            drop_in_number: Some(number),
            ..LoadPlan::new(LoadKind::Load, context, started)
        };
        let file = CandidateFile { inspected, source: source.clone(), took };
        let (sender, done) = bounded(1);
        let task_shared = shared.clone();
        let pending = PendingLoad::begin(&module);
        shared.tasks.spawn(format!("load {}", module.name), move || {
            // Disconnected when the gate opens.
            let _ = gate.recv();
            load::run_load(&task_shared, vec![file], &plan, |loaded| {
                drop(pending);
                if let Err(error) = loaded {
                    // If another attempt may succeed, a restart tries the same bytes again.
                    let changes = Vec::from_iter((error.cause() == Cause::File).then_some(processed));
                    load::record_refused(&task_shared, &actor, source, &error, changes);
                }
                // Fails if the receiver was dropped. Only the start of the runtime waits.
                let _ = sender.send(());
            });
        })?;
        Ok(done)
    }
}

/// Whether a file must be loaded. Files that the runtime finds while it runs always are.
///
/// A start skips a file with the bytes that were last loaded or refused from it. The ledger then knows which
/// version is current, and the file may be older. It does not skip the file if the store has lost the
/// version. In safe mode it also skips new files, and records that.
pub(super) fn is_due(shared: &Shared, file: &DropIn, origin: Origin) -> Result<bool, Error> {
    let Origin::Start { safe_mode } = origin else { return Ok(true) };
    let digest = file.digest();
    let is_new = shared.events.read_ledger(|ledger| ledger.drop_in(&file.source))? != Some(digest);
    if !is_new {
        return restore::could_not_restore(shared, file.module(), &digest);
    }
    if safe_mode {
        let (module, version) = (file.module().to_owned(), file.inspected.metadata().version.clone());
        let skipped = ToRestore { module, digest, version };
        restore::record_not_restored(shared, skipped, SKIPPED, vec![file.processed()]);
    }
    Ok(!safe_mode)
}

/// The number of a new file of the module. Older loads that wait for their old version give up.
fn next_number(module: &Module) -> u64 {
    let number = {
        let mut last = module.last_drop_in_number.lock();
        *last += 1;
        *last
    };
    module.notify_waiters();
    number
}
