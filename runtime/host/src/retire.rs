//! The way of an old version out: drained, its threads ended, its thread-locals destroyed, unmapped, proven gone.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use segue_core::Which;
use segue_loader::{Kept, Mapped, Obstacle, Unmapped};

use crate::{
    Error, Pin, PinKind,
    book::{Old, Phase},
    detach::take_out_of_cell,
    journey::micros,
    module::Module,
    phase::Phase as Reached,
    pins::{kept_pins, thread_pins},
    runtime::Inner,
    version::{About, Version},
};

/// How often is looked whether what keeps a version has gone.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Inner {
    /// Takes the old version of this generation out, or stops when it is current again. Runs on a journey's thread.
    pub(crate) fn retire(self: &Arc<Self>, module: &Arc<Module>, generation: u64) {
        let Some(drain) = self.wait_until_empty(module, generation) else { return };
        let begun = Instant::now();
        tracing::debug!(module = %module.name, generation, "drained");
        let reached = |phase| self.observer.reached(&module.name, generation, phase);
        reached(Reached::Drained);
        self.detach_threads(module, generation);
        reached(Reached::Detached);
        let Some(version) = take_out_of_cell(module, generation) else { return };
        reached(Reached::Vacated);
        let about = version.about.clone();
        let version = only_owner(module, &about, begun, version);
        // Noted before, since it may wait for one of those threads, and for ever.
        let mut pins = thread_pins(&version.image);
        pins.push(Pin {
            kind: PinKind::Handle,
            detail: "the module's Drop, which runs".to_owned(),
            waits_for: "it to return".to_owned(),
        });
        pin(module, &about, pins);
        let (mapped, ended) = version.image.unload();
        if let Err(fault) = ended {
            tracing::error!(
                module = %module.name, version = about.id.version, generation, "the module's Drop {fault}"
            );
        }
        // What `Drop` and the module's start have left on this thread. Before the threads: a destructor may start one.
        mapped.detach_thread();
        self.wait_for_threads(module, &about, &mapped);
        reached(Reached::Ended);
        self.leave(module, &about, mapped.unmap(), drain, begun);
    }

    /// The last part of every version's way out, on a journey's thread: it goes on until the version has left memory, or the
    /// runtime ends and only a signal or the dynamic linker keeps it.
    pub(crate) fn leave(
        &self,
        module: &Module,
        about: &Arc<About>,
        mut left: Result<Unmapped, Kept>,
        drain: Duration,
        begun: Instant,
    ) {
        loop {
            let kept = match left {
                Ok(unmapped) => {
                    let purge = unmapped.at.saturating_duration_since(begun);
                    return self.tell_gone(module, about, unmapped, drain, purge);
                }
                Err(kept) => kept,
            };
            // It does not keep the place of old: what keeps it may do so for ever.
            let is_new = module.quarantine(about, kept_pins(&kept));
            if is_new {
                self.warn_of_last(module);
            }
            if let Some(outside) = kept_for_library(&kept).and_then(Mapped::outside) {
                // Set once; a later one is the same.
                let _ = about.outside.set(outside);
            }
            // Dropped, it stays in memory, and nothing needs to look at it again.
            if is_for_good(&kept) || self.is_closing() && !has_thread(&kept) {
                return;
            }
            thread::sleep(LOOK_EVERY);
            left = match kept {
                Kept::Obstructed(mapped, _) => {
                    self.end_idle_threads(about, &mapped, begun);
                    mapped.unmap()
                }
                Kept::Retained(retained) => retained.sweep().map_err(Kept::Retained),
            };
        }
    }

    fn tell_gone(
        &self,
        module: &Module,
        about: &About,
        unmapped: Unmapped,
        drain: Duration,
        purge: Duration,
    ) {
        let Unmapped { destructors_dropped, leaked_bytes, left_open, .. } = &unmapped;
        tracing::info!(
            module = %module.name, version = about.id.version, generation = about.id.generation,
            purge_us = micros(purge), leaked_bytes, destructors_dropped,
            left_open = %left_open, "purged"
        );
        self.observer.reached(&module.name, about.id.generation, Reached::Unmapped);
        module.forget(about, drain, purge, unmapped);
    }

    /// Begins to take the current version out without another in its place: for the end of the runtime. It goes on for as
    /// long as it takes, and no module waits for another.
    pub(crate) fn withdraw(self: &Arc<Self>, module: &Arc<Module>) -> Result<(), Error> {
        let (inner, module) = (self.clone(), module.clone());
        self.journeys.begin(format!("purge {}", module.name), move || {
            // The load that goes on, if any, sees that the runtime is closing, or is done when its turn is.
            let _turn = module.turn.lock();
            drop(module.wait_for(None, |book| book.old.is_none()));
            if let Some(generation) = withdraw_current(&module) {
                inner.retire(&module, generation);
            }
        })
    }

    /// Waits until nobody is inside a version that is old or in quarantine, and it is not kept for a rollback any more, and has it
    /// leave: from then on it cannot be gone back to. How long that took; none where it is current again.
    fn wait_until_empty(&self, module: &Module, generation: u64) -> Option<Duration> {
        let begun = Instant::now();
        loop {
            let rung = module.bell().count();
            {
                let mut book = module.book();
                let place = book.place(generation)?;
                // First the flag, then the look: whoever leaves in between rings the bell, whose count is older than both.
                module.cell.watch(place);
                let count = module.cell.count(place)?;
                if count.inside == 0 {
                    let is_kept = book.keeps_warm(generation) && !self.is_closing();
                    match book.old.as_mut().filter(|_| place == Which::Old) {
                        // Whoever ends the trial rings the bell.
                        Some(old) if is_kept => old.phase = Phase::Warm,
                        Some(old) => {
                            let (since, calls) = (Instant::now(), count.calls);
                            old.phase = Phase::Leaving { since, calls, pins: Vec::new() };
                            return Some(old.since.elapsed());
                        }
                        None => return Some(begun.elapsed()),
                    }
                }
            }
            module.bell().wait_past(rung);
        }
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
            let waits_for = "them to have done so".to_owned();
            pin(module, about, vec![Pin { kind: PinKind::Tls, detail, waits_for }]);
        }
        thread::sleep(Duration::from_micros(200));
    }
}

fn has_thread(kept: &Kept) -> bool {
    let is_thread = |obstacle: &Obstacle| {
        matches!(obstacle, Obstacle::Thread(_) | Obstacle::NewThread | Obstacle::Outside(_))
    };
    matches!(kept, Kept::Obstructed(_, obstacles) if obstacles.iter().any(is_thread))
}

/// Whether nothing can end what keeps it.
fn is_for_good(kept: &Kept) -> bool {
    !has_thread(kept) && kept_for_library(kept).is_some()
}

/// The image, if a library outside of it keeps it.
fn kept_for_library(kept: &Kept) -> Option<&Mapped> {
    let is_library = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Libraries(_));
    match kept {
        Kept::Obstructed(mapped, obstacles) => obstacles.iter().any(is_library).then_some(mapped),
        Kept::Retained(_) => None,
    }
}

/// Notes what keeps a version that is leaving.
fn pin(module: &Module, about: &About, pins: Vec<Pin>) {
    module.book().note_pins(about.id.generation, pins);
}

fn withdraw_current(module: &Module) -> Option<u64> {
    let mut book = module.book();
    module.cell.withdraw().ok()?;
    let about = book.current.take()?;
    let generation = about.id.generation;
    book.old = Some(Old { about, since: Instant::now(), phase: Phase::Draining });
    drop(book);
    module.tell_change();
    Some(generation)
}
