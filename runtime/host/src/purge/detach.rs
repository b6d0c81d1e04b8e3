//! The threads of the host destroy what an old version has left on them: thread-locals and values of pthread
//! keys.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, unbounded};
use segue_core::{ThreadId, VacateOutcome, WakeRequest};

use crate::{
    api::{Pin, PinKind},
    module::{Module, version::Version},
    shared::Shared,
    threads::registered::CleanupTask,
};

/// How often to check which threads have run their cleanup task or have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until the threads that have been inside a version have destroyed what it left on them. A registered
/// thread does so in a cleanup task. Any other thread does so when it next leaves a call or ends. The wait
/// for each thread has a limit. What is left after that is dropped with the image.
///
/// No call can enter the version any more. It still has its place in the cell, so a thread that ends
/// meanwhile departs from it.
pub(crate) fn run(shared: &Shared, module: &Module, generation: u64) {
    let place = || module.state().place(generation);
    let Some((which, version)) = place().and_then(|which| Some((which, module.cell.occupant(which)?))) else {
        return;
    };
    if version.image.needs_no_detach() {
        return;
    }
    let visitors = module.cell.visitors(which);
    let unregistered = shared.registered.unregistered(&visitors);
    let started = Instant::now();
    let done = post_cleanup(shared, &unregistered, &version);
    shared.registered.clean_up(&visitors, &version);
    if !unregistered.is_empty() {
        let mut awaited: HashSet<ThreadId> = unregistered.into_iter().collect();
        while !awaited.is_empty() && started.elapsed() < shared.limits.cleanup_timeout {
            done.try_iter().for_each(|thread| {
                awaited.remove(&thread);
            });
            // A thread that has ended has departed, so it is no longer listed.
            let visitors = place().map(|which| module.cell.visitors(which)).unwrap_or_default();
            awaited.retain(|thread| visitors.contains(thread));
            if awaited.is_empty() || version.image.needs_no_detach() {
                break;
            }
            module.state().note_pins(
                generation,
                awaited.iter().map(|thread| unregistered_pin(*thread, &version)).collect(),
            );
            if let Ok(thread) = done.recv_timeout(POLL_INTERVAL) {
                awaited.remove(&thread);
            }
        }
        withdraw_cleanup(shared, generation);
    }
}

/// A version has become current. If cleanup tasks are waiting, threads that leave it must also run theirs.
pub(crate) fn request_wake_in(shared: &Shared, module: &Module) {
    if shared.unregistered.has_tasks() {
        module.cell.request_wake(WakeRequest::On);
    }
}

/// Takes a version that no call is inside out of the cell. `None` if it is not in its place.
pub(crate) fn vacate_cell(module: &Module, generation: u64) -> Option<Arc<Version>> {
    loop {
        let seen = module.wake_counter().count();
        {
            let mut state = module.state();
            match state.vacate(&module.cell, generation)? {
                VacateOutcome::Vacated(version) => return Some(version),
                VacateOutcome::Absent => return None,
                // A thread that ends is departing.
                VacateOutcome::Busy { .. } => {}
            }
        }
        module.wake_counter().wait_past(seen);
    }
}

/// Posts a cleanup task to each unregistered thread. The channel returns the threads that have run it.
fn post_cleanup(shared: &Shared, threads: &[ThreadId], version: &Arc<Version>) -> Receiver<ThreadId> {
    let (sender, done) = unbounded();
    for thread in threads {
        shared.unregistered.post(*thread, CleanupTask::new(version, *thread, sender.clone()));
    }
    if !threads.is_empty() {
        request_wake_in_all(shared, WakeRequest::On);
    }
    done
}

fn withdraw_cleanup(shared: &Shared, generation: u64) {
    shared.unregistered.cancel(generation);
    if !shared.unregistered.has_tasks() {
        request_wake_in_all(shared, WakeRequest::Off);
        // Another purge may have posted tasks in between.
        if shared.unregistered.has_tasks() {
            request_wake_in_all(shared, WakeRequest::On);
        }
    }
}

fn request_wake_in_all(shared: &Shared, request: WakeRequest) {
    let modules: Vec<Arc<Module>> = shared.modules.read().values().cloned().collect();
    modules.iter().for_each(|module| module.cell.request_wake(request));
}

fn unregistered_pin(thread: ThreadId, version: &Version) -> Pin {
    Pin {
        kind: if version.image.audit().destructors > 0 { PinKind::Tls } else { PinKind::Key },
        detail: format!("data that thread #{thread} may have left in it"),
        waits_for: "that thread to make another call or to end, which destroys the data".to_owned(),
    }
}
