//! What an event changes of what a restart finds.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use segue_loader::Digest;

use crate::api::{Command, Record};

/// An event that is to be written, with what it changes.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) record: Record,
    pub(crate) changes: Vec<LedgerChange>,
}

/// Something that is different from an event on.
#[derive(Clone, Debug)]
pub(crate) enum LedgerChange {
    /// A restart returns to this version of the module, which is on trial no longer.
    Confirmed { module: String, digest: Digest, version: String },
    /// The version is current, and a restart does not return to it.
    OnTrial { module: String, digest: Digest, version: String },
    /// The trial of the module's version has ended, and nothing has come of it.
    NoTrial { module: String },
    /// A restart returns to no version of the module.
    Absent { module: String },
    /// The module may, or may not, be replaced.
    Sticky { module: String, is_sticky: bool },
    /// A file is not to be loaded any more.
    Blocked(Block),
    /// A file may be loaded again.
    Unblocked { digest: Digest },
    /// What lies in a file of the modules directory was taken, or refused.
    DropIn { path: String, digest: Digest },
    /// The file names its own directory (`$ORIGIN`), and was loaded from here.
    Origin { digest: Digest, file: String },
    /// A command with a key was answered.
    Answered { key: String, command: Command, answer: String },
    /// The last generation that was given away.
    Generation(u64),
}

/// A file that is not loaded, however it comes.
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
