//! What goes on after a load was answered: the version that was displaced leaves memory, and what else follows.

use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};

use super::plan::{AfterPublish, LoadPlan};
use crate::{api::Error, module::Module, purge::retire, shared::Shared};

/// Sees one member of a load through, after it was answered.
pub(super) struct Followup {
    shared: Arc<Shared>,
    module: Arc<Module>,
    /// The thread that takes out what was displaced; none where it is the journey's own.
    retiring: Option<Sender<u64>>,
    /// The thread of what follows, if anything does.
    following: Option<Sender<u64>>,
}

/// Whether a member has the journey's own thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    TheJourneys,
    ItsOwn,
}

/// Starts the threads that a member will need, which end where it does not.
pub(super) fn followup(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    threads: Threads,
    plan: &LoadPlan,
) -> Result<Followup, Error> {
    let retiring = match threads {
        Threads::TheJourneys => None,
        Threads::ItsOwn => Some(waiting(shared, module, "purge", retire::run)?),
    };
    let following = match plan.after_publish {
        None => None,
        Some(AfterPublish { name, run }) => Some(waiting(shared, module, name, run)?),
    };
    Ok(Followup { shared: shared.clone(), module: module.clone(), retiring, following })
}

fn waiting(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    what: &str,
    act: fn(&Arc<Shared>, &Arc<Module>, u64),
) -> Result<Sender<u64>, Error> {
    let (send, generation) = bounded(1);
    let (of_task, of_thread) = (shared.clone(), module.clone());
    shared.tasks.spawn(format!("{what} {}", module.name), move || {
        // Disconnected where there is nothing to do.
        if let Ok(generation) = generation.recv() {
            act(&of_task, &of_thread, generation);
        }
    })?;
    Ok(send)
}

// === impl Escort ===

impl Followup {
    /// The version of this generation is current, and displaced that one. Returns at once where it has threads of its own.
    pub(super) fn start(self, generation: u64, displaced: Option<u64>) {
        if let Some(following) = &self.following {
            // Its thread is there, and has room for one.
            let _ = following.send(generation);
        }
        match (displaced, &self.retiring) {
            (None, _) => {}
            (Some(displaced), None) => retire::run(&self.shared, &self.module, displaced),
            (Some(displaced), Some(retiring)) => {
                // As above.
                let _ = retiring.send(displaced);
            }
        }
    }
}
