//! Having threads of the host destroy what a version that leaves has left on them.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, unbounded};
use segue_core::{Hail, ThreadId, Vacate};

use crate::{
    api::{Pin, PinKind},
    inspect::pins::describe_thread,
    module::{Module, version::Version},
    shared::Shared,
    threads::registered::CleanupTask,
};

/// How often is looked who has passed, or ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Has the threads that have been inside a version destroy what they have left in it: residents on their errand, others
/// when they pass or end. It waits for each as long as is sensible; what is left after that is dropped with the image.
///
/// Nobody can enter the version any more, and it is still in its place in the cell, so that a thread that ends meanwhile
/// departs from it.
pub(crate) fn run(shared: &Shared, module: &Module, generation: u64) {
    let place = || module.state().place(generation);
    let Some((which, version)) = place().and_then(|which| Some((which, module.cell.occupant(which)?))) else {
        return;
    };
    if version.image.needs_no_detach() {
        return;
    }
    let visitors = module.cell.visitors(which);
    let others = shared.registered.unregistered(&visitors);
    let begun = Instant::now();
    let met = post_cleanup(shared, &others, &version);
    shared.registered.clean_up(&visitors, &version);
    if !others.is_empty() {
        let mut awaited: HashSet<ThreadId> = others.into_iter().collect();
        while !awaited.is_empty() && begun.elapsed() < shared.limits.cleanup_timeout {
            met.try_iter().for_each(|thread| {
                awaited.remove(&thread);
            });
            // A thread that has ended has departed, and is struck from the list.
            let visitors = place().map(|which| module.cell.visitors(which)).unwrap_or_default();
            awaited.retain(|thread| visitors.contains(thread));
            if awaited.is_empty() || version.image.needs_no_detach() {
                break;
            }
            module.state().note_pins(
                generation,
                awaited.iter().map(|thread| unregistered_pin(*thread, &version)).collect(),
            );
            if let Ok(thread) = met.recv_timeout(LOOK_EVERY) {
                awaited.remove(&thread);
            }
        }
        withdraw_cleanup(shared, generation);
    }
}

/// Puts errands in the way of threads that are no residents.
fn post_cleanup(shared: &Shared, others: &[ThreadId], version: &Arc<Version>) -> Receiver<ThreadId> {
    let (done, met) = unbounded();
    for thread in others {
        shared.unregistered.post(*thread, CleanupTask::new(version, *thread, done.clone()));
    }
    if !others.is_empty() {
        hail(shared, Hail::Raised);
    }
    met
}

fn withdraw_cleanup(shared: &Shared, generation: u64) {
    shared.unregistered.cancel(generation);
    if !shared.unregistered.has_tasks() {
        hail(shared, Hail::Lowered);
        // Somebody may have begun to wait in between.
        if shared.unregistered.has_tasks() {
            hail(shared, Hail::Raised);
        }
    }
}

fn hail(shared: &Shared, hail: Hail) {
    let modules: Vec<Arc<Module>> = shared.modules.read().values().cloned().collect();
    modules.iter().for_each(|module| module.cell.hail(hail));
}

/// A version has become current: whoever is awaited is to be met there too.
pub(crate) fn hail_in(shared: &Shared, module: &Module) {
    if shared.unregistered.has_tasks() {
        module.cell.hail(Hail::Raised);
    }
}

fn unregistered_pin(thread: ThreadId, version: &Version) -> Pin {
    Pin {
        kind: if version.image.audit().destructors > 0 { PinKind::Tls } else { PinKind::Key },
        detail: format!("what {} may have left in it", describe_thread(None, Some(thread))),
        waits_for: "that thread to make another call or to end; then what it left is destroyed".to_owned(),
    }
}

/// Of the version in this place nobody is inside: takes it out of the cell. None where it is not there.
pub(crate) fn vacate_cell(module: &Module, generation: u64) -> Option<Arc<Version>> {
    loop {
        let seen = module.wake_counter().count();
        {
            let mut state = module.state();
            match state.vacate(&module.cell, generation)? {
                Vacate::Vacant(version) => return Some(version),
                Vacate::Nothing => return None,
                // A thread that ends is saying goodbye.
                Vacate::Busy { .. } => {}
            }
        }
        module.wake_counter().wait_past(seen);
    }
}
