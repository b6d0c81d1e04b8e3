//! The changes that an event makes to the ledger's tables.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use segue_loader::Digest;

use crate::api::{Command, Record};

/// An event to write, with its changes.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) record: Record,
    pub(crate) changes: Vec<LedgerChange>,
}

/// A change of what a restart finds.
#[derive(Clone, Debug)]
pub(crate) enum LedgerChange {
    /// A restart returns to this version. Its trial, if it had one, is over.
    Confirmed { module: String, digest: Digest, version: String },
    /// The version is current and on trial. A restart does not return to it.
    OnTrial { module: String, digest: Digest, version: String },
    /// The trial of the module's version ended without a confirmation.
    TrialEnded { module: String },
    /// A restart returns to no version of the module.
    Deleted { module: String },
    /// The module is, or is no longer, sticky.
    Sticky { module: String, is_sticky: bool },
    /// A file was blocked.
    Blocked(Block),
    /// A file was unblocked.
    Unblocked { digest: Digest },
    /// A file of the modules directory was loaded or refused.
    DropIn { path: String, digest: Digest },
    /// The file refers to its own directory (`$ORIGIN`), and was loaded from here.
    Origin { digest: Digest, file: String },
    /// A command with an idempotency key was answered.
    Answered { key: String, command: Command, answer: String },
    /// The last generation number in use.
    Generation(u64),
}

/// A blocked file. No load accepts it, from any source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) digest: Digest,
    pub(crate) module: String,
    pub(crate) version: String,
    pub(crate) why: String,
}

// === impl Command ===

/// As JSON.
impl ToSql for Command {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let json = serde_json::to_string(self);
        let json = json.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(json.into())
    }
}

impl FromSql for Command {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}
