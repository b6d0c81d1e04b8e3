//! Creates, opens and trims the database.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::api::Error;

/// The schema version of this runtime. A ledger with a newer one is refused, because its meaning is unknown.
const SCHEMA_VERSION: i64 = 1;

/// How many events a runtime keeps when it starts. It deletes older ones.
const EVENTS_KEPT: i64 = 100_000;

/// How many answers to commands with a key a runtime keeps when it starts. It deletes older ones.
const ANSWERS_KEPT: i64 = 10_000;

/// The database of one runtime.
pub(crate) struct Ledger {
    pub(super) connection: Connection,
    /// `None` for a database in memory, of a runtime without a state directory.
    path: Option<PathBuf>,
}

// === impl Ledger ===

impl Ledger {
    /// Opens the ledger of a state directory. Creates it if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Ledger { action: "open", path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(failed)?;
        let mut ledger = Ledger { connection, path: Some(path.to_owned()) };
        ledger.prepare().map_err(failed)?;
        let schema = ledger.schema_version().map_err(failed)?;
        if schema > SCHEMA_VERSION {
            return Err(Error::LedgerTooNew { path: path.to_owned(), schema, supported: SCHEMA_VERSION });
        }
        Ok(ledger)
    }

    /// Creates a ledger in memory. It ends with its runtime.
    pub(crate) fn in_memory() -> Result<Self, Error> {
        let failed =
            |source| Error::Ledger { action: "create", path: PathBuf::from("the ledger in memory"), source };
        let connection = Connection::open_in_memory().map_err(failed)?;
        let mut ledger = Ledger { connection, path: None };
        ledger.prepare().map_err(failed)?;
        Ok(ledger)
    }

    fn prepare(&mut self) -> rusqlite::Result<()> {
        // Waits for an outside reader, for example the command sqlite3.
        self.connection.busy_timeout(std::time::Duration::from_secs(5))?;
        self.connection.pragma_update(None, "journal_mode", "wal")?;
        self.connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
        let schema = self.schema_version()?;
        if schema == 0 {
            let creating = self.connection.transaction()?;
            creating.execute_batch(include_str!("schema.sql"))?;
            creating.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            creating.commit()?;
        }
        if schema <= SCHEMA_VERSION {
            // This table was added later without a new schema version: an older runtime works without it.
            self.connection.execute_batch(
                "CREATE TABLE IF NOT EXISTS origins (digest TEXT PRIMARY KEY, file TEXT NOT NULL) STRICT",
            )?;
            self.connection.execute(
                "DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?1",
                [EVENTS_KEPT],
            )?;
            self.connection.execute(
                "DELETE FROM answers WHERE seq <= (SELECT max(seq) FROM answers) - ?1",
                [ANSWERS_KEPT],
            )?;
        }
        Ok(())
    }

    fn schema_version(&self) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, "user_version", |row| row.get(0))
    }

    /// The error of a failed action, with the ledger's path.
    pub(crate) fn failed(&self, action: &'static str, source: rusqlite::Error) -> Error {
        let path = self.path.clone().unwrap_or_else(|| PathBuf::from("the ledger in memory"));
        Error::Ledger { action, path, source }
    }
}
