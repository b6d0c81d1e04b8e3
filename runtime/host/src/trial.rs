//! Trials: a version that is current, and that a restart does not return to until somebody has confirmed it.

use std::{sync::Arc, time::Instant};

use crate::{
    Asked, By, Confirmed, Error, Event, Runtime, TrialEnd, journey::micros, ledger::Change, module::Module,
    runtime::Inner,
};

impl Runtime {
    /// Ends the trial of a module's current version: a restart returns to it from now on, and the version before it is kept no
    /// longer than calls are inside. Where there is no trial nothing is done, and the answer says so.
    ///
    /// # Errors
    ///
    /// Where there is no such module, or it has no current version, and where the ledger cannot be written.
    pub fn confirm(&self, name: &str) -> Result<Confirmed, Error> {
        self.once(&format!("confirm {name}"), || {
            let module = self.inner.module(name)?;
            self.inner.confirm(&module, None, &self.asked)
        })
    }
}

impl Inner {
    /// Confirms the current version; where a generation is given, only if it is that one.
    pub(crate) fn confirm(
        &self,
        module: &Module,
        only: Option<u64>,
        asked: &Asked,
    ) -> Result<Confirmed, Error> {
        let begun = Instant::now();
        let mut book = module.book();
        let Some(about) = book.current.clone() else {
            return Err(Error::NoCurrent { name: module.name.to_string() });
        };
        let is_on_trial = book.trial.is_some() && only.is_none_or(|only| only == about.id.generation);
        let mut answer = Confirmed {
            module: module.name.to_string(),
            confirmed: is_on_trial,
            current: about.id.clone(),
            took_us: 0,
        };
        if !is_on_trial {
            return Ok(answer);
        }
        let (name, digest) = (module.name.to_string(), about.digest);
        let event = Event::Confirmed { module: name.clone(), current: about.id.clone(), digest };
        let mut changes = vec![Change::Confirmed { module: name, digest, version: about.id.version.clone() }];
        changes.extend(asked.answered(&format!("confirm {}", answer.module), &answer));
        self.events.commit(&asked.by, vec![(event, changes)], || book.trial = None)?;
        drop(book);
        // Old need not be kept any more.
        module.tell_change();
        tracing::info!(module = %module.name, current = %about.id, "confirmed");
        answer.took_us = micros(begun.elapsed());
        Ok(answer)
    }

    /// Waits for the end of a trial, however it ends, and at its time ends it as was asked. Runs on a thread of its own.
    pub(crate) fn watch_trial(self: &Arc<Self>, module: &Arc<Module>, generation: u64) {
        let until = match &module.book().trial {
            Some(trial) if trial.generation == generation => trial.until,
            _ => return,
        };
        let has_ended = module.wait_for(until, |book| {
            self.is_closing() || book.trial.as_ref().is_none_or(|trial| trial.generation != generation)
        });
        if has_ended.is_some() {
            return;
        }
        let at_end = match &module.book().trial {
            Some(trial) if trial.generation == generation => trial.at_end,
            _ => return,
        };
        let asked = Asked { by: By::runtime("the end of its trial"), key: None };
        let ended = match at_end {
            TrialEnd::Confirm => self.confirm(module, Some(generation), &asked).map(drop),
            TrialEnd::RollBack => match self.roll_back(module, Some(generation), &asked) {
                Err(Error::NothingToRollBack { .. }) => {
                    if let Some(current) = module.book().current.as_ref().map(|about| about.id.clone()) {
                        let module = module.name.to_string();
                        self.events.push(&asked.by, Event::TrialOver { module, current });
                    }
                    Ok(())
                }
                ended => ended.map(drop),
            },
        };
        if let Err(error) = ended {
            tracing::error!(module = %module.name, generation, "its trial could not be ended: {error}");
        }
    }
}
