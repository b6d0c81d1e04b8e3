//! Going back: old becomes current again, by one store.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use segue_core::Which;

use crate::{
    Error, Event, Events, RolledBack, Runtime, Step,
    book::{Old, Phase},
    journey::micros,
    module::Module,
};

impl Runtime {
    /// Makes the old version current again, and the current one old. It needs no file and takes no time worth naming: the
    /// old version is still in memory. What was current finishes its calls and then leaves memory.
    ///
    /// # Errors
    ///
    /// Where there is no such module, and where there is no old version, or nobody is inside it any more, so that it is
    /// already leaving. To go back then, load its file again. And where somebody has a typed handle that the old version does
    /// not fit.
    pub fn rollback(&self, name: &str) -> Result<RolledBack, Error> {
        let module = self.inner.module(name)?;
        if self.inner.is_closing() {
            return Err(Error::ShuttingDown);
        }
        let inner = self.inner.clone();
        self.inner.journeys.ask(format!("rollback {name}"), move |answer| {
            let rolled_back = switch(&module, &inner.events);
            let displaced = rolled_back.as_ref().ok().map(|rolled_back| rolled_back.old.generation);
            if let Ok(RolledBack { module, current, old, .. }) = &rolled_back {
                tracing::info!(module, current = %current, old = %old, "rolled back");
            }
            // Fails where nobody waits for it any more.
            let _ = answer.send(rolled_back);
            if let Some(generation) = displaced {
                inner.retire(&module, generation);
            }
        })
    }
}

fn switch(module: &Arc<Module>, events: &Events) -> Result<RolledBack, Error> {
    let nothing = || Error::NothingToRollBack { module: module.name.to_string() };
    let mut book = module.book();
    let (current, old) = match (&book.current, &book.old) {
        (Some(current), Some(Old { about, phase: Phase::Draining, .. })) => (current.clone(), about.clone()),
        _ => return Err(nothing()),
    };
    // Who came while it was old was not checked against it.
    if let Some(version) = module.cell.occupant(Which::Old) {
        let checked = module.callers.check(|expected| version.image.check_interface(expected));
        checked.map_err(|source| module.does_not_fit(&old.id.version, Some(Step::Rollback), source))?;
    }
    let begun = Instant::now();
    module.cell.rollback().map_err(|_| nothing())?;
    let took_us = micros(begun.elapsed());
    // Where a purge had asked its calls to come to their end: that purge is off.
    old.is_cancelled.store(false, Ordering::Relaxed);
    let rolled_back = RolledBack {
        module: module.name.to_string(),
        current: old.id.clone(),
        old: current.id.clone(),
        took_us,
    };
    book.current = Some(old);
    book.old = Some(Old { about: current, since: begun, phase: Phase::Draining });
    // With the book locked, so that events are told in the order in which things happened.
    events.push(Event::RolledBack {
        module: rolled_back.module.clone(),
        current: rolled_back.current.clone(),
        old: rolled_back.old.clone(),
    });
    drop(book);
    module.tell_change();
    Ok(rolled_back)
}
