//! Blocked files: the files of versions that have crashed the process. No load accepts them, from any source.

use segue_loader::Digest;

use crate::{
    api::{BlockedFile, Command, Error, Event, RequestContext, Unblocked},
    shared::Shared,
    store::ledger::LedgerChange,
};

/// Lists the blocked files.
pub(crate) fn list(shared: &Shared) -> Result<Vec<BlockedFile>, Error> {
    let blocked = shared.events.read_ledger(|ledger| ledger.blocked())?;
    let files = blocked.into_iter().map(|block| BlockedFile {
        module: block.module,
        version: block.version,
        digest: block.digest,
        why: block.why,
    });
    Ok(files.collect())
}

/// Allows a file to be loaded again, and records it. If it was not blocked, nothing is recorded.
pub(crate) fn unblock(
    shared: &Shared,
    digest: &Digest,
    context: &RequestContext,
    command: &Command,
) -> Result<Unblocked, Error> {
    let block = shared.events.read_ledger(|ledger| ledger.block_of(digest))?;
    let answer = Unblocked { digest: *digest, unblocked: block.is_some() };
    if let Some(block) = block {
        let event = Event::Unblocked { module: block.module, version: block.version, digest: *digest };
        let mut changes = vec![LedgerChange::Unblocked { digest: *digest }];
        changes.extend(context.answered(command, &answer));
        shared.events.commit(&context.actor, vec![(event, changes)], || {})?;
    }
    Ok(answer)
}
