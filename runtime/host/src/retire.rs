//! The way of an old version out: drained, its threads ended, its thread-locals destroyed, unmapped, proven gone.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use segue_core::{ThreadId, Vacate, Which};
use segue_loader::{Mapped, Retained};

use crate::{
    Error, Pin, PinKind, VersionId,
    book::Phase,
    journey::micros,
    module::Module,
    runtime::Inner,
    version::{About, Version},
};

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
        // Noted before, since it may wait for one of those threads, and for ever.
        let mut pins = thread_pins(&version.image);
        pins.push(Pin { kind: PinKind::Handle, detail: "the module's Drop, which runs".to_owned() });
        pin(module, &about, pins);
        let (mapped, ended) = version.image.unload();
        if let Err(fault) = ended {
            tracing::error!(
                module = %module.name, version = about.id.version, generation, "the module's Drop {fault}"
            );
        }
        if self.leave(module, &about, mapped) {
            let purge = begun.elapsed();
            tracing::info!(
                module = %module.name, version = about.id.version, generation, purge_us = micros(purge), "purged"
            );
            module.forget(&about.id, drain, purge);
        }
    }

    /// The last part of every version's way out, on a journey's thread: whether it has left memory.
    pub(crate) fn leave(&self, module: &Module, about: &Arc<About>, mapped: Mapped) -> bool {
        // What `Drop` and the module's start have left on this thread. Before the threads: a destructor may start one.
        mapped.detach_thread();
        wait_for_threads(module, about, &mapped);
        self.unmap(module, about, mapped)
    }

    /// Unmaps a version that nothing runs in any more, or puts it into quarantine for good.
    pub(crate) fn unmap(&self, module: &Module, about: &Arc<About>, mapped: Mapped) -> bool {
        match mapped.unmap() {
            Ok(unmapped) => {
                if unmapped.destructors_dropped > 0 {
                    tracing::info!(
                        module = %module.name, generation = about.id.generation,
                        destructors = unmapped.destructors_dropped,
                        "thread-locals of threads that were not at hand were dropped without running"
                    );
                }
                true
            }
            Err(retained) => {
                module.quarantine(about, retained_pins(&retained));
                false
            }
        }
    }

    /// Begins to take the current version out without another in its place: for the end of the runtime. It goes on for as
    /// long as it takes, and no module waits for another.
    pub(crate) fn withdraw(self: &Arc<Self>, module: &Arc<Module>) -> Result<(), Error> {
        let (inner, module) = (self.clone(), module.clone());
        self.journeys.begin(format!("purge {}", module.name), move || {
            // The load that goes on, if any, sees that the runtime is closing, or is done when its turn is.
            let _turn = module.turn.lock();
            drop(module.wait_for(None, |book| book.old.is_none()));
            if let Some(id) = withdraw_current(&module) {
                inner.retire(&module, id.generation);
            }
        })
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
            module.cell.watch(Which::Old);
            let visitors = module.cell.visitors(Which::Old);
            let calls = module.cell.count(Which::Old).map_or(0, |count| count.calls);
            match module.cell.vacate(Which::Old) {
                Vacate::Vacant(version) => {
                    old.phase = Phase::Leaving { since: Instant::now(), calls, pins: Vec::new() };
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
            pin(module, about, vec![Pin { kind: PinKind::Handle, detail }]);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until no thread that the module started is left.
fn wait_for_threads(module: &Module, about: &About, mapped: &Mapped) {
    loop {
        pin(module, about, thread_pins(mapped));
        if mapped.wait_for_threads(Instant::now() + LOOK_EVERY) {
            return;
        }
    }
}

pub(crate) fn thread_pins(mapped: &Mapped) -> Vec<Pin> {
    let tell = |thread: segue_loader::ModuleThread| Pin {
        kind: PinKind::Thread,
        detail: format!(
            "thread {} that the module started {} s ago",
            thread.tid,
            thread.since.elapsed().as_secs()
        ),
    };
    mapped.threads().into_iter().map(tell).collect()
}

/// Notes what keeps a version that is leaving.
fn pin(module: &Module, about: &About, pins: Vec<Pin>) {
    module.book().note_pins(about.id.generation, pins);
}

pub(crate) fn retained_pins(retained: &Retained) -> Vec<Pin> {
    retained.reasons.iter().map(|reason| Pin { kind: PinKind::Flag, detail: reason.clone() }).collect()
}

fn withdraw_current(module: &Module) -> Option<VersionId> {
    let mut book = module.book();
    module.cell.withdraw().ok()?;
    let about = book.current.take()?;
    let id = about.id.clone();
    book.old = Some(crate::book::Old { about, since: Instant::now(), phase: Phase::Draining });
    drop(book);
    module.tell_change();
    Some(id)
}
