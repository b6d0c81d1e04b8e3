//! The end of a runtime: nothing new is taken, and every version leaves memory.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use crate::{Asked, Event, module::Module, retire, shared::Shared};

/// Without a deadline it waits for ever.
pub(crate) fn run(shared: &Arc<Shared>, deadline: Option<Instant>, asked: &Asked) -> bool {
    shared.is_closing.store(true, Ordering::Relaxed);
    let modules: Vec<Arc<Module>> = shared.modules.read().values().cloned().collect();
    let mut all = true;
    for module in modules {
        // A load that waits for its old version gives up.
        module.tell_change();
        all &= retire::withdraw(shared, &module).is_ok();
    }
    all &= shared.journeys.wait(deadline);
    // Otherwise there is more to come.
    if all {
        shared.events.push(&asked.by, Event::Stopped { pid: std::process::id() });
        shared.events.close();
    }
    all
}
