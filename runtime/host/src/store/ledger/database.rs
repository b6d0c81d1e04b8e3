//! The database: made, opened and trimmed.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::api::Error;

/// Which form of the tables this program knows. A ledger of a later form is refused: what it means is not known.
const FORM: i64 = 1;

/// How many events are kept when a runtime starts; older ones are forgotten then.
const EVENTS_KEPT: i64 = 100_000;

/// How many answers to commands with a key are kept when a runtime starts.
const ANSWERS_KEPT: i64 = 10_000;

/// The database, held by one runtime.
pub(crate) struct Ledger {
    pub(super) connection: Connection,
    /// None for one in memory, of a runtime without a state directory of its own.
    path: Option<PathBuf>,
}

// === impl Ledger ===

impl Ledger {
    /// Opens the ledger of a state directory, and makes it where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Ledger { action: "open", path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(failed)?;
        let mut ledger = Ledger { connection, path: Some(path.to_owned()) };
        ledger.prepare().map_err(failed)?;
        let form = ledger.form().map_err(failed)?;
        if form > FORM {
            return Err(Error::LedgerTooNew { path: path.to_owned(), schema: form, supported: FORM });
        }
        Ok(ledger)
    }

    /// A ledger that ends with its runtime.
    pub(crate) fn in_memory() -> Result<Self, Error> {
        let failed =
            |source| Error::Ledger { action: "create", path: PathBuf::from("a ledger in memory"), source };
        let connection = Connection::open_in_memory().map_err(failed)?;
        let mut ledger = Ledger { connection, path: None };
        ledger.prepare().map_err(failed)?;
        Ok(ledger)
    }

    fn prepare(&mut self) -> rusqlite::Result<()> {
        // Whoever looks into it from outside, as with the command sqlite3, is waited for.
        self.connection.busy_timeout(std::time::Duration::from_secs(5))?;
        self.connection.pragma_update(None, "journal_mode", "wal")?;
        self.connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
        let form = self.form()?;
        if form == 0 {
            let made = self.connection.transaction()?;
            made.execute_batch(include_str!("schema.sql"))?;
            made.pragma_update(None, "user_version", FORM)?;
            made.commit()?;
        }
        if form <= FORM {
            // It came later; an earlier runtime does without it.
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

    fn form(&self) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, "user_version", |row| row.get(0))
    }

    /// What failed, told with the file.
    pub(crate) fn failed(&self, action: &'static str, source: rusqlite::Error) -> Error {
        let path = self.path.clone().unwrap_or_else(|| PathBuf::from("the ledger in memory"));
        Error::Ledger { action, path, source }
    }
}
