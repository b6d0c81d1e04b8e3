//! Shuts a runtime down: it accepts no more commands, and unloads every version.

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

/// Shuts the runtime down; see [`Runtime::shutdown`](crate::Runtime::shutdown).
pub(crate) fn run(shared: &Arc<Shared>, timeout: Duration, context: &RequestContext) -> Result<(), Error> {
    let deadline = Instant::now().checked_add(timeout);
    shared.is_shutting_down.store(true, Ordering::Relaxed);
    let modules: Vec<Arc<Module>> = shared.modules.read().values().cloned().collect();
    let mut is_complete = true;
    for module in modules {
        // A load that waits for the old version gives up.
        module.notify_waiters();
        is_complete &= retire::withdraw(shared, &module).is_ok();
    }
    is_complete &= shared.tasks.wait(deadline);
    if !is_complete {
        let what = "all calls and the threads of all modules to end".to_owned();
        return Err(Error::Deadline { module: None, what, after: timeout });
    }
    shared.events.record_event(&context.actor, Event::Stopped { pid: std::process::id() });
    shared.events.close();
    Ok(())
}
