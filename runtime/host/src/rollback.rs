//! Going back: old becomes current again, by one store.

use std::{sync::Arc, time::Instant};

use crate::{
    Error, Event, RolledBack, Runtime,
    journey::micros,
    module::{Module, Old, Phase},
};

impl Runtime {
    /// Makes the old version current again, and the current one old. It needs no file and takes no time worth naming: the
    /// old version is still in memory. What was current finishes its calls and then leaves memory.
    ///
    /// # Errors
    ///
    /// Where there is no such module, and where there is no old version, or nobody is inside it any more, so that it is
    /// already leaving. To go back then, load its file again.
    pub fn rollback(&self, name: &str) -> Result<RolledBack, Error> {
        let module = self.inner.module(name)?;
        if self.inner.is_closing() {
            return Err(Error::ShuttingDown);
        }
        let inner = self.inner.clone();
        self.inner.journeys.ask(format!("rollback {name}"), move |answer| {
            let rolled_back = switch(&module);
            let displaced = rolled_back.as_ref().ok().map(|rolled_back| rolled_back.old.generation);
            if let Ok(RolledBack { module, current, old, .. }) = &rolled_back {
                tracing::info!(module, current = %current, old = %old, "rolled back");
                let (module, current, old) = (module.clone(), current.clone(), old.clone());
                inner.events.push(Event::RolledBack { module, current, old });
            }
            // Fails where nobody waits for it any more.
            let _ = answer.send(rolled_back);
            if let Some(generation) = displaced {
                inner.retire(&module, generation);
            }
        })
    }
}

fn switch(module: &Arc<Module>) -> Result<RolledBack, Error> {
    let nothing = || Error::NothingToRollBack { module: module.name.to_string() };
    let mut book = module.book();
    if !matches!(book.old, Some(Old { phase: Phase::Draining, .. })) {
        return Err(nothing());
    }
    let begun = Instant::now();
    module.cell.rollback().map_err(|_| nothing())?;
    let took_us = micros(begun.elapsed());
    let (Some(was_old), Some(was_current)) = (book.old.take(), book.current.take()) else {
        return Err(nothing());
    };
    let rolled_back = RolledBack {
        module: module.name.to_string(),
        current: was_old.about.id.clone(),
        old: was_current.id.clone(),
        took_us,
    };
    book.current = Some(was_old.about);
    book.old = Some(Old { about: was_current, since: begun, phase: Phase::Draining });
    drop(book);
    module.tell_change();
    Ok(rolled_back)
}
