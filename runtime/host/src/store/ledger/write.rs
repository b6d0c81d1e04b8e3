//! Writes to the ledger. Each write is one transaction.

use rusqlite::{Transaction, params};

use super::{
    change::{Block, Entry, LedgerChange},
    database::Ledger,
};

/// Whether a write waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It waits. The data survives a power failure.
    Synced,
    /// It does not wait. The data survives the end of the process, also a crash.
    Buffered,
}

// === impl Ledger ===

impl Ledger {
    /// Writes events and their changes, all or none.
    pub(crate) fn write<'a>(
        &mut self,
        entries: impl IntoIterator<Item = &'a Entry>,
        durability: Durability,
    ) -> rusqlite::Result<()> {
        let synchronous = match durability {
            Durability::Synced => "full",
            Durability::Buffered => "normal",
        };
        self.connection.pragma_update(None, "synchronous", synchronous)?;
        // Dropping it rolls it back.
        let writing = self.connection.transaction()?;
        for entry in entries {
            insert(&writing, entry)?;
        }
        writing.commit()
    }
}

fn insert(writing: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
    let record = &entry.record;
    let seq = record.seq.cast_signed();
    // All keys of an event are strings, so it can always be serialized.
    let text =
        serde_json::to_string(record).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    writing
        .prepare_cached("INSERT INTO events (seq, module, record) VALUES (?1, ?2, ?3)")?
        .execute(params![seq, record.event.module(), text])?;
    entry.changes.iter().try_for_each(|change| apply(writing, change, seq))
}

fn apply(writing: &Transaction<'_>, change: &LedgerChange, seq: i64) -> rusqlite::Result<()> {
    match change {
        LedgerChange::Confirmed { module, digest, version } => {
            end_trial(writing, module)?;
            writing
                .prepare_cached(
                    "INSERT INTO confirmed (module, digest, version, seq) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![module, digest.to_string(), version, seq])?;
        }
        LedgerChange::OnTrial { module, digest, version } => {
            writing
                .prepare_cached(
                    "INSERT OR REPLACE INTO trials (module, digest, version, seq) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![module, digest.to_string(), version, seq])?;
        }
        LedgerChange::TrialEnded { module } => end_trial(writing, module)?,
        LedgerChange::Deleted { module } => {
            end_trial(writing, module)?;
            writing
                .prepare_cached("INSERT INTO confirmed (module, seq) VALUES (?1, ?2)")?
                .execute(params![module, seq])?;
        }
        LedgerChange::Sticky { module, is_sticky } => {
            writing
                .prepare_cached("INSERT OR REPLACE INTO sticky (module, is_sticky) VALUES (?1, ?2)")?
                .execute(params![module, is_sticky])?;
        }
        LedgerChange::Blocked(Block { digest, module, version, why }) => {
            writing
                .prepare_cached(
                    "INSERT OR REPLACE INTO blocked (digest, module, version, why, seq) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![digest.to_string(), module, version, why, seq])?;
        }
        LedgerChange::Unblocked { digest } => {
            writing
                .prepare_cached("DELETE FROM blocked WHERE digest = ?1")?
                .execute(params![digest.to_string()])?;
        }
        LedgerChange::DropIn { path, digest } => {
            writing
                .prepare_cached("INSERT OR REPLACE INTO drop_ins (path, digest) VALUES (?1, ?2)")?
                .execute(params![path, digest.to_string()])?;
        }
        LedgerChange::Origin { digest, file } => {
            writing
                .prepare_cached("INSERT OR REPLACE INTO origins (digest, file) VALUES (?1, ?2)")?
                .execute(params![digest.to_string(), file])?;
        }
        LedgerChange::Answered { key, command, answer } => {
            writing
                .prepare_cached("INSERT INTO answers (key, command, answer, seq) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![key, command, answer, seq])?;
        }
        LedgerChange::Generation(generation) => {
            writing
                .prepare_cached("INSERT OR REPLACE INTO numbers (name, value) VALUES ('generation', ?1)")?
                .execute(params![generation.cast_signed()])?;
        }
    }
    Ok(())
}

fn end_trial(writing: &Transaction<'_>, module: &str) -> rusqlite::Result<()> {
    writing.prepare_cached("DELETE FROM trials WHERE module = ?1")?.execute(params![module]).map(drop)
}
