//! The way of an old version out: drained, its threads ended, its thread-locals destroyed, unmapped, proven gone.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use segue_core::{ThreadId, Vacate, Which};
use segue_loader::{Mapped, Retained};

use crate::{
    Event, Pin, PinKind, VersionId,
    journey::micros,
    module::{Module, Phase, Quarantined},
    runtime::Inner,
    version::{About, Version},
};

/// How long an old version that nobody is inside may keep the place of old, while threads of its own run or something
/// holds on to it. Then it is quarantined: a new version can come, and it is still taken out when it can be.
const QUARANTINE_AFTER: Duration = Duration::from_secs(10);

/// How often is looked whether the threads of a version have ended, for the list of pins to be true.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// An old version that was left by its last caller.
struct Drained {
    version: Arc<Version>,
    visitors: Vec<ThreadId>,
    drain: Duration,
}

impl Inner {
    /// Takes the old version of this generation out, or stops when it is current again. Runs on a journey's thread.
    pub(crate) fn retire(&self, module: &Arc<Module>, generation: u64) {
        let Some(Drained { version, visitors, drain }) = wait_until_drained(module, generation) else {
            return;
        };
        let begun = Instant::now();
        let about = version.about.clone();
        tracing::debug!(module = %module.name, generation, "drained");
        if !version.image.is_left_clean() {
            self.residents.detach(&visitors, &version);
        }
        let version = only_owner(module, &about, begun, version);
        let (mapped, ended) = version.image.unload();
        if let Err(fault) = ended {
            tracing::error!(
                module = %module.name, version = about.id.version, generation, "the module's Drop {fault}"
            );
        }
        wait_for_threads(module, &about, begun, &mapped);
        // What `Drop` and the module's start have left on this thread.
        mapped.detach_thread();
        match mapped.unmap() {
            Ok(unmapped) => {
                forget(module, generation);
                if unmapped.destructors_dropped > 0 {
                    tracing::info!(
                        module = %module.name, generation, destructors = unmapped.destructors_dropped,
                        "thread-locals of threads that were not at hand were dropped without running"
                    );
                }
                let purge_us = micros(begun.elapsed());
                tracing::info!(
                    module = %module.name, version = about.id.version, generation, purge_us, "purged"
                );
                let (module, old) = (module.name.to_string(), about.id.clone());
                self.events.push(Event::Purged { module, old, drain_us: micros(drain), purge_us });
            }
            Err(retained) => {
                quarantine(module, generation, retained_pins(&retained));
                self.tell_retained(module, &about.id, retained);
            }
        }
    }

    /// Takes the current version out without another in its place: for the end of the runtime. False where it, or the one
    /// before it, is not gone at the deadline.
    pub(crate) fn withdraw(self: &Arc<Self>, module: &Arc<Module>, deadline: Instant) -> bool {
        // The load that goes on, if any, sees that the runtime is closing, or is done when its turn is.
        let Some(_turn) = module.turn.try_lock_until(deadline) else { return false };
        if module.wait_for(Some(deadline), |book| book.old.is_none()).is_none() {
            return false;
        }
        let (inner, module_of_thread) = (self.clone(), module.clone());
        let begun = self.journeys.begin(format!("purge {}", module.name), move || {
            if let Some(id) = withdraw_current(&module_of_thread) {
                inner.retire(&module_of_thread, id.generation);
            }
        });
        begun.is_ok()
            && module.wait_for(Some(deadline), |book| book.current.is_none() && book.old.is_none()).is_some()
    }
}

/// Waits until nobody is inside the old version of this generation, and takes it out of the cell. None where it is not old
/// any more.
fn wait_until_drained(module: &Module, generation: u64) -> Option<Drained> {
    loop {
        let rung = module.bell().count();
        {
            let mut book = module.book();
            let old = book.old.as_mut().filter(|old| old.about.id.generation == generation)?;
            // First the flag, then the look: whoever leaves in between rings the bell, whose count is older than both.
            module.cell.watch_old();
            let visitors = module.cell.visitors(Which::Old);
            let calls = module.cell.count(Which::Old).map_or(0, |count| count.calls);
            match module.cell.vacate_old() {
                Vacate::Vacant(version) => {
                    old.phase = Phase::Leaving { calls, pins: Vec::new() };
                    return Some(Drained { version, visitors, drain: old.since.elapsed() });
                }
                Vacate::Busy { .. } => {}
                Vacate::Nothing => return None,
            }
        }
        module.bell().wait_past(rung);
    }
}

/// Waits until nobody else holds on to the version. Others do so for moments: an errand, a thread that ends.
fn only_owner(module: &Module, about: &About, begun: Instant, mut version: Arc<Version>) -> Version {
    loop {
        version = match Arc::try_unwrap(version) {
            Ok(version) => return version,
            Err(shared) => shared,
        };
        if begun.elapsed() > LOOK_EVERY {
            let holders = Arc::strong_count(&version) - 1;
            let detail = format!("{holders} threads of the host are about to destroy its thread-locals");
            pin(module, about, begun, vec![Pin { kind: PinKind::Handle, detail }]);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until no thread that the module started is left.
fn wait_for_threads(module: &Module, about: &About, begun: Instant, mapped: &Mapped) {
    while !mapped.wait_for_threads(Instant::now() + LOOK_EVERY) {
        let tell = |thread: segue_loader::ModuleThread| Pin {
            kind: PinKind::Thread,
            detail: format!(
                "thread {} that the module started {} s ago",
                thread.tid,
                thread.since.elapsed().as_secs()
            ),
        };
        pin(module, about, begun, mapped.threads().into_iter().map(tell).collect());
    }
}

/// Notes what keeps a version that is leaving; after a while, in quarantine.
fn pin(module: &Module, about: &About, begun: Instant, pins: Vec<Pin>) {
    let generation = about.id.generation;
    if begun.elapsed() > QUARANTINE_AFTER {
        quarantine(module, generation, pins);
        return;
    }
    if let Some(old) = module.book().old.as_mut().filter(|old| old.about.id.generation == generation)
        && let Phase::Leaving { pins: noted, .. } = &mut old.phase
    {
        *noted = pins;
    }
}

/// Puts a version in quarantine, or notes what keeps it there now.
fn quarantine(module: &Module, generation: u64, pins: Vec<Pin>) {
    let mut book = module.book();
    if let Some(old) = book.old.take_if(|old| old.about.id.generation == generation) {
        let calls = match old.phase {
            Phase::Leaving { calls, .. } => calls,
            Phase::Draining => 0,
        };
        tracing::warn!(module = %module.name, generation, ?pins, "quarantined");
        book.quarantined.push(Quarantined { about: old.about, calls, pins });
    } else if let Some(version) = book.quarantined.iter_mut().find(|v| v.about.id.generation == generation) {
        version.pins = pins;
    }
    drop(book);
    module.tell_change();
}

/// A version has left memory.
fn forget(module: &Module, generation: u64) {
    let mut book = module.book();
    book.old.take_if(|old| old.about.id.generation == generation);
    book.quarantined.retain(|version| version.about.id.generation != generation);
    drop(book);
    module.tell_change();
}

pub(crate) fn retained_pins(retained: &Retained) -> Vec<Pin> {
    retained.reasons.iter().map(|reason| Pin { kind: PinKind::Flag, detail: reason.clone() }).collect()
}

fn withdraw_current(module: &Module) -> Option<VersionId> {
    let mut book = module.book();
    module.cell.withdraw().ok()?;
    let about = book.current.take()?;
    let id = about.id.clone();
    book.old = Some(crate::module::Old { about, since: Instant::now(), phase: Phase::Draining });
    drop(book);
    module.tell_change();
    Some(id)
}
