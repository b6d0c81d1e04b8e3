//! Sticky modules, which are not replaced.

use crate::command::Command;
use crate::{Error, Event, Runtime, Stickiness, ledger::Change};

impl Runtime {
    /// From now on the module is not replaced, and not deleted: a load of it is refused as sticky, over restarts too. (What is old
    /// can still be gone back to.)
    ///
    /// # Errors
    ///
    /// Where there is no such module, and where the ledger cannot be written.
    pub fn stick(&self, name: &str) -> Result<Stickiness, Error> {
        let module = name.to_owned();
        self.set_sticky(name, Event::Stuck { module: module.clone() }, &Command::Stick { module })
    }

    /// The module may be replaced again, also where its file asks not to be.
    ///
    /// # Errors
    ///
    /// Where there is no such module, and where the ledger cannot be written.
    pub fn unstick(&self, name: &str) -> Result<Stickiness, Error> {
        let module = name.to_owned();
        self.set_sticky(name, Event::Unstuck { module: module.clone() }, &Command::Unstick { module })
    }

    fn set_sticky(&self, name: &str, event: Event, command: &Command) -> Result<Stickiness, Error> {
        self.once(command, || {
            let module = self.shared.module(name)?;
            let is_sticky = matches!(event, Event::Stuck { .. });
            let mut state = module.state();
            let changed = state.is_sticky() != is_sticky;
            let answer = Stickiness { module: name.to_owned(), sticky: is_sticky, changed };
            if changed {
                let mut changes = vec![Change::Sticky { module: name.to_owned(), is_sticky }];
                changes.extend(self.asked.answered(command, &answer));
                self.shared
                    .events
                    .commit(&self.asked.by, vec![(event.clone(), changes)], || state.set_sticky(is_sticky))?;
            }
            Ok(answer)
        })
    }
}
