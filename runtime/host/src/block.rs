//! Files that are not loaded, however they come: those of versions that have ended the process.

use segue_loader::Digest;

use crate::command::Command;
use crate::{BlockedFile, Error, Event, Runtime, Unblocked, ledger::Change};

impl Runtime {
    /// The files that are blocked.
    ///
    /// # Errors
    ///
    /// Where the ledger cannot be read.
    pub fn blocked(&self) -> Result<Vec<BlockedFile>, Error> {
        let blocked = self.shared.events.look_up(|ledger| ledger.blocked())?;
        let told = blocked.into_iter().map(|block| BlockedFile {
            module: block.module,
            version: block.version,
            digest: block.digest,
            why: block.why,
        });
        Ok(told.collect())
    }

    /// A file may be loaded again. Where it was not blocked nothing is done, and the answer says so.
    ///
    /// # Errors
    ///
    /// Where the ledger cannot be read or written.
    pub fn unblock(&self, digest: &Digest) -> Result<Unblocked, Error> {
        let command = Command::Unblock { digest: *digest };
        self.once(&command, || {
            let events = &self.shared.events;
            let block = events.look_up(|ledger| ledger.block_of(digest))?;
            let answer = Unblocked { digest: *digest, unblocked: block.is_some() };
            if let Some(block) = block {
                let event =
                    Event::Unblocked { module: block.module, version: block.version, digest: *digest };
                let mut changes = vec![Change::Unblocked { digest: *digest }];
                changes.extend(self.asked.answered(&command, &answer));
                events.commit(&self.asked.by, vec![(event, changes)], || {})?;
            }
            Ok(answer)
        })
    }
}
