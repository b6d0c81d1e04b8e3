//! The end of a runtime: nothing new is taken, and every version leaves memory.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use crate::{
    api::{Asked, Error, Event},
    module::Module,
    purge::retire,
    shared::Shared,
};

/// Ends the runtime; see [`Runtime::shutdown`](crate::Runtime::shutdown).
pub(crate) fn run(shared: &Arc<Shared>, patience: Duration, asked: &Asked) -> Result<(), Error> {
    let deadline = Instant::now().checked_add(patience);
    shared.is_closing.store(true, Ordering::Relaxed);
    let modules: Vec<Arc<Module>> = shared.modules.read().values().cloned().collect();
    let mut all = true;
    for module in modules {
        // A load that waits for its old version gives up.
        module.tell_change();
        all &= retire::withdraw(shared, &module).is_ok();
    }
    all &= shared.journeys.wait(deadline);
    if !all {
        let what = "the end of all calls and of the modules' threads".to_owned();
        return Err(Error::Deadline { module: None, what, after: patience });
    }
    shared.events.push(&asked.by, Event::Stopped { pid: std::process::id() });
    shared.events.close();
    Ok(())
}
