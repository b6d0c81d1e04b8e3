//! The threads of a version that leaves: they are waited for, and those that wait for ever are ended.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use segue_loader::Mapped;

use crate::{
    inspect::obstacle_pins,
    module::{Module, version::VersionInfo},
    shared::Shared,
};

/// How often is looked, for the list of pins to be true.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often is looked while threads are ending.
const LOOK_SOON: Duration = Duration::from_millis(5);

/// How long the runtime waits for them when it ends itself.
const PATIENCE_AT_END: Duration = Duration::from_millis(200);

/// Waits until no thread that the module started is left. After a while, threads that do nothing but wait
/// are ended.
pub(crate) fn wait_for_threads(shared: &Shared, module: &Module, info: &VersionInfo, mapped: &Mapped) {
    let begun = Instant::now();
    let mut look = LOOK_SOON;
    loop {
        module.state().note_pins(info.id.generation, obstacle_pins::of_threads(mapped));
        if mapped.wait_for_threads(Instant::now() + look) {
            return;
        }
        let is_ending = end_threads(shared, info, mapped, begun);
        look = if is_ending { LOOK_SOON } else { LOOK_EVERY.min(patience(shared)).max(LOOK_SOON) };
    }
}

/// Ends the threads of a version whose value has gone, if that was long ago and all of them wait; whether
/// they are about to end. To be called again while it says so.
pub(crate) fn end_threads(shared: &Shared, info: &VersionInfo, mapped: &Mapped, gone: Instant) -> bool {
    if gone.elapsed() < patience(shared) {
        return false;
    }
    let names: Vec<String> = mapped.threads().into_iter().map(|thread| thread.name).collect();
    let count = mapped.end_idle_threads();
    // The later calls only wake them.
    if count > 0 && info.threads_ended.fetch_max(count, Ordering::Relaxed) == 0 {
        tracing::warn!(
            module = %info.module, version = info.id.version, generation = info.id.generation,
            threads = names.join(", "),
            "ended {count} idle threads that the module had left; end threads in the `Drop` of the module's value"
        );
    }
    count > 0
}

fn patience(shared: &Shared) -> Duration {
    if shared.is_shutting_down() {
        shared.limits.idle_thread_timeout.min(PATIENCE_AT_END)
    } else {
        shared.limits.idle_thread_timeout
    }
}
