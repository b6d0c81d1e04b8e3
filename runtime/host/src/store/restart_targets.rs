//! What a restart returns to, in memory. A status reads it without the lock of the event log, which a commit
//! holds while it waits for the disk.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use crate::{
    api::{Error, RestartTarget},
    store::ledger::{Block, Ledger, LedgerChange},
};

/// A copy of the ledger's restart targets, by module. It is updated after each write of the ledger.
pub(crate) struct RestartTargets(RwLock<BTreeMap<String, RestartTarget>>);

impl RestartTargets {
    pub(crate) fn read(ledger: &Ledger) -> Result<Self, Error> {
        Ok(RestartTargets(RwLock::new(ledger.restart_targets()?)))
    }

    /// What a restart returns to for a module; `None` if it restores no version.
    pub(crate) fn of(&self, module: &str) -> Option<RestartTarget> {
        self.0.read().get(module).cloned()
    }

    /// Follows changes that were written to the ledger. If it cannot be read, the copy stays as it was.
    pub(crate) fn update<'a>(&self, ledger: &Ledger, changes: impl Iterator<Item = &'a LedgerChange>) {
        for change in changes {
            let updated = match change {
                LedgerChange::Confirmed { module, .. }
                | LedgerChange::Deleted { module }
                | LedgerChange::Blocked(Block { module, .. }) => self.update_module(ledger, module),
                LedgerChange::Unblocked { .. } => self.update_all(ledger),
                _ => Ok(()),
            };
            if let Err(error) = updated {
                tracing::error!("cannot read from the ledger what a restart returns to: {error}");
            }
        }
    }

    fn update_module(&self, ledger: &Ledger, module: &str) -> Result<(), Error> {
        let target = ledger.restart_target(module)?;
        let mut targets = self.0.write();
        match target {
            Some(target) => targets.insert(module.to_owned(), target),
            None => targets.remove(module),
        };
        Ok(())
    }

    fn update_all(&self, ledger: &Ledger) -> Result<(), Error> {
        let targets = ledger.restart_targets()?;
        *self.0.write() = targets;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use segue_loader::Digest;

    use super::*;
    use crate::{
        api::{Actor, Event},
        store::event_log::Events,
    };

    #[test]
    fn the_copy_equals_the_ledger_after_each_change() {
        let events = Events::new(Ledger::in_memory().unwrap()).unwrap();
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let confirmed = |digest, version: &str| LedgerChange::Confirmed {
            module: "shop".to_owned(),
            digest,
            version: version.to_owned(),
        };
        let block =
            Block { digest: two, module: "shop".to_owned(), version: "2".to_owned(), why: String::new() };
        let changes = [
            (confirmed(one, "1"), Some("1")),
            (confirmed(two, "2"), Some("2")),
            (LedgerChange::Blocked(block), Some("1")),
            (LedgerChange::Unblocked { digest: two }, Some("2")),
            (LedgerChange::Deleted { module: "shop".to_owned() }, None),
        ];
        for (change, expected) in changes {
            let event = Event::StickyCleared { module: "shop".to_owned() };
            // Reading it inside a commit would hang if it took the lock of the event log.
            let read = || drop(events.restart_target("shop"));
            events.commit(&Actor::Embedder, vec![(event, vec![change])], read).unwrap();
            let target = events.restart_target("shop");
            assert_eq!(target.as_ref().map(|target| target.version.as_str()), expected);
            let of_ledger = events.read_ledger(|ledger| ledger.restart_targets()).unwrap();
            assert_eq!(of_ledger.get("shop"), target.as_ref());
        }
    }
}
