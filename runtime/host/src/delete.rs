//! Erlang's delete: a module without a current version.

use std::{sync::Arc, time::Instant};

use crate::{
    Deleted, Error, Event, Runtime,
    book::{Old, Phase},
    journey::micros,
    ledger::Change,
    module::Module,
    runtime::Inner,
};

impl Runtime {
    /// Makes the current version of a module old, without another in its place: new calls answer that there is none, and calls
    /// inside finish there. A restart does not bring it back; a load does. Where there is no current version nothing is done, and the
    /// answer says so.
    ///
    /// # Errors
    ///
    /// Where there is no such module; where it has an old version still; where it is sticky; and where the ledger cannot be written.
    pub fn delete(&self, name: &str) -> Result<Deleted, Error> {
        self.once(&format!("delete {name}"), || {
            let module = self.inner.module(name)?;
            let (inner, asked) = (self.inner.clone(), self.asked.clone());
            self.inner.journeys.ask(format!("delete {name}"), move |answer| {
                let deleted = inner.delete(&module, &asked);
                let displaced = deleted.as_ref().ok().and_then(|deleted| deleted.old.clone());
                // Fails where nobody waits for it any more.
                let _ = answer.send(deleted);
                if let Some(old) = displaced {
                    inner.retire(&module, old.generation);
                }
            })
        })
    }
}

impl Inner {
    fn delete(&self, module: &Arc<Module>, asked: &crate::Asked) -> Result<Deleted, Error> {
        let begun = Instant::now();
        // After a load that goes on, and before the next.
        let _turn = module.turn.lock();
        if self.is_closing() {
            return Err(Error::ShuttingDown);
        }
        let mut answer = Deleted { module: module.name.to_string(), deleted: false, old: None, took_us: 0 };
        if module.book().current.is_none() {
            return Ok(answer);
        }
        // With the turn ours, no other version becomes old.
        self.has_room(module)?;
        let mut book = module.book();
        let Some(current) = book.current.clone() else { return Ok(answer) };
        if book.is_sticky {
            return Err(Error::Sticky { module: answer.module });
        }
        answer.deleted = true;
        answer.old = Some(current.id.clone());
        let event = Event::Deleted { module: answer.module.clone(), old: current.id.clone() };
        let mut changes = vec![Change::Absent { module: answer.module.clone() }];
        changes.extend(asked.answered(&format!("delete {}", answer.module), &answer));
        self.events.commit(&asked.by, vec![(event, changes)], || {
            // Nobody takes a snapshot meanwhile.
            let _changing = self.changing.write();
            // There is a current version, no old one, and no candidate, since the turn is ours.
            if module.cell.withdraw().is_ok() {
                book.current = None;
                book.trial = None;
                book.old = Some(Old { about: current, since: Instant::now(), phase: Phase::Draining });
            }
        })?;
        drop(book);
        module.tell_change();
        answer.took_us = micros(begun.elapsed());
        Ok(answer)
    }
}
