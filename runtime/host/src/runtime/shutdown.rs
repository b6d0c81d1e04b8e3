//! The end of a runtime: nothing new is taken, and every version leaves memory.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use crate::{
    api::{Error, Event, RequestContext},
    module::Module,
    purge::retire,
    shared::Shared,
};

/// Ends the runtime; see [`Runtime::shutdown`](crate::Runtime::shutdown).
pub(crate) fn run(shared: &Arc<Shared>, patience: Duration, context: &RequestContext) -> Result<(), Error> {
    let deadline = Instant::now().checked_add(patience);
    shared.is_shutting_down.store(true, Ordering::Relaxed);
    let modules: Vec<Arc<Module>> = shared.modules.read().values().cloned().collect();
    let mut all = true;
    for module in modules {
        // A load that waits for its old version gives up.
        module.notify_waiters();
        all &= retire::withdraw(shared, &module).is_ok();
    }
    all &= shared.tasks.wait(deadline);
    if !all {
        let what = "the end of all calls and of the modules' threads".to_owned();
        return Err(Error::Deadline { module: None, what, after: patience });
    }
    shared.events.record_event(&context.actor, Event::Stopped { pid: std::process::id() });
    shared.events.close();
    Ok(())
}
