//! The work that follows a publish: the displaced version is unloaded, and `LoadPlan::after_publish` runs.

use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};

use crate::{
    api::Error,
    load::plan::{AfterPublish, LoadPlan},
    module::Module,
    purge::retire,
    shared::Shared,
};

/// The threads that do the work for one member of a set. They are started before anything changes. If it is
/// dropped without [`start`](Followup::start), they end.
pub(super) struct Followup {
    shared: Arc<Shared>,
    module: Arc<Module>,
    /// The thread that unloads the displaced version; `None` if the thread that calls `start` does.
    purge_thread: Option<Sender<u64>>,
    /// The thread of `LoadPlan::after_publish`, if there is one.
    after_publish_thread: Option<Sender<u64>>,
}

/// The thread that unloads the displaced version of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PurgeThread {
    /// The thread that calls [`Followup::start`].
    Caller,
    /// A new thread.
    Own,
}

// === impl Followup ===

impl Followup {
    /// Starts the threads that a member needs.
    pub(super) fn prepare(
        shared: &Arc<Shared>,
        module: &Arc<Module>,
        purge_thread: PurgeThread,
        plan: &LoadPlan,
    ) -> Result<Self, Error> {
        let purge_thread = match purge_thread {
            PurgeThread::Caller => None,
            PurgeThread::Own => Some(spawn_waiting(shared, module, "purge", retire::run)?),
        };
        let after_publish_thread = match plan.after_publish {
            None => None,
            Some(AfterPublish { name, run }) => Some(spawn_waiting(shared, module, name, run)?),
        };
        Ok(Followup { shared: shared.clone(), module: module.clone(), purge_thread, after_publish_thread })
    }

    /// Starts the work: the version of this generation is current, and has displaced another one. Returns at
    /// once, unless the calling thread unloads the displaced version.
    pub(super) fn start(self, generation: u64, displaced: Option<u64>) {
        // Neither send can fail or block: the thread waits for one value, and the channel has room for one.
        if let Some(after_publish_thread) = &self.after_publish_thread {
            let _ = after_publish_thread.send(generation);
        }
        match (displaced, &self.purge_thread) {
            (None, _) => {}
            (Some(displaced), None) => retire::run(&self.shared, &self.module, displaced),
            (Some(displaced), Some(purge_thread)) => {
                let _ = purge_thread.send(displaced);
            }
        }
    }
}

/// Starts a thread that waits for a generation and then runs `work` with it.
fn spawn_waiting(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    name: &str,
    work: fn(&Arc<Shared>, &Arc<Module>, u64),
) -> Result<Sender<u64>, Error> {
    let (sender, receiver) = bounded(1);
    let (shared_of_task, module_of_task) = (shared.clone(), module.clone());
    shared.tasks.spawn(format!("{name} {}", module.name), move || {
        // Disconnected if there is nothing to do.
        if let Ok(generation) = receiver.recv() {
            work(&shared_of_task, &module_of_task, generation);
        }
    })?;
    Ok(sender)
}
