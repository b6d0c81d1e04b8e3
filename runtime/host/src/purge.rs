//! Asking for the old version to be gone. It goes by itself when nobody is inside; these two tell whether, and wait.

use std::time::{Duration, Instant};

use segue_core::Which;

use crate::{
    Error, Pin, Purged, Runtime,
    book::{Book, Phase},
    journey::micros,
    module::Module,
};

/// How long a soft purge waits for an old version that nobody is inside to be out of memory.
const SOFT_PATIENCE: Duration = Duration::from_secs(10);

impl Runtime {
    /// Erlang's soft purge: the old version is gone, or somebody is inside and nothing was done about it.
    ///
    /// # Errors
    ///
    /// Where there is no such module.
    pub fn soft_purge(&self, name: &str) -> Result<Purged, Error> {
        let module = self.inner.module(name)?;
        let begun = Instant::now();
        // Somebody inside: that is the answer. Nobody: it is on its way out.
        let is_draining = |book: &Book| {
            book.old
                .as_ref()
                .is_some_and(|old| matches!(old.phase, Phase::Draining) && module.inside(Which::Old) > 0)
        };
        self.purged_when(&module, begun, SOFT_PATIENCE, is_draining)
    }

    /// Waits until the old version is gone, at most so long. Where the deadline passes it lingers, the answer says who is
    /// inside, and it still goes as soon as it can.
    ///
    /// # Errors
    ///
    /// Where there is no such module. A deadline that passes is no error: the answer says
    /// [`purged: false`](Purged::purged).
    pub fn purge(&self, name: &str, deadline: Duration) -> Result<Purged, Error> {
        let module = self.inner.module(name)?;
        self.purged_when(&module, Instant::now(), deadline, |_| false)
    }

    /// Waits until the version that is old now is gone, or this is so of the book, or time is up.
    fn purged_when(
        &self,
        module: &Module,
        begun: Instant,
        patience: Duration,
        enough: impl Fn(&Book) -> bool,
    ) -> Result<Purged, Error> {
        let mut report = Purged {
            module: module.name.to_string(),
            purged: false,
            unmapped: false,
            took_us: 0,
            lingering: 0,
            pins: Vec::new(),
        };
        let Some(generation) = module.book().old.as_ref().map(|old| old.about.id.generation) else {
            return Ok(report);
        };
        let is_old = |book: &Book| book.old.as_ref().is_some_and(|old| old.about.id.generation == generation);
        let deadline = begun.checked_add(patience);
        let waited = module.wait_for(deadline, |book| !is_old(book) || enough(book));
        drop(waited);

        let book = module.book();
        report.took_us = micros(begun.elapsed());
        let quarantined = book.quarantined.iter().find(|version| version.about.id.generation == generation);
        let is_current = book.current.as_ref().is_some_and(|about| about.id.generation == generation);
        match (&book.old, quarantined) {
            (Some(old), _) if old.about.id.generation == generation => {
                report.lingering = module.inside(Which::Old);
                report.pins = match &old.phase {
                    Phase::Draining => module.call_pins(&old.about, &self.inner.residents),
                    Phase::Leaving { pins, .. } => pins.clone(),
                };
            }
            (_, Some(version)) => report.pins = Vec::<Pin>::clone(&version.pins),
            // It was rolled back to meanwhile: it is current, and nothing was purged.
            _ if is_current => {}
            _ => {
                report.purged = true;
                report.unmapped = true;
            }
        }
        Ok(report)
    }
}
