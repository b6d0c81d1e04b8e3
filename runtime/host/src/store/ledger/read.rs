//! Reads of the ledger.

use std::collections::BTreeMap;

use rusqlite::{
    OptionalExtension, Row, params,
    types::{Type, ValueRef},
};
use segue_loader::Digest;

use super::{change::Block, database::Ledger};
use crate::api::{Command, Error, Record, RestartTarget};

/// A version to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToRestore {
    pub(crate) module: String,
    /// The SHA-256 of its file.
    pub(crate) digest: Digest,
    pub(crate) version: String,
}

// === impl Ledger ===

impl Ledger {
    /// The number of the last event; 0 if there is none.
    pub(crate) fn last_seq(&self) -> Result<u64, Error> {
        let seq: Option<i64> = self
            .connection
            .query_row("SELECT max(seq) FROM events", [], |row| row.get(0))
            .map_err(|source| self.failed("read", source))?;
        Ok(seq.map_or(0, i64::cast_unsigned))
    }

    /// The last generation number in use; 0 if there is none.
    pub(crate) fn last_generation(&self) -> Result<u64, Error> {
        let generation: Option<i64> = self
            .connection
            .query_row("SELECT value FROM numbers WHERE name = 'generation'", [], |row| row.get(0))
            .optional()
            .map_err(|source| self.failed("read", source))?;
        Ok(generation.map_or(0, i64::cast_unsigned))
    }

    /// At most `count_max` events from a number on, in order, of one module or of all. An event that a newer
    /// runtime wrote and this one cannot read is omitted.
    pub(crate) fn events(
        &self,
        from: u64,
        module: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<Record>, Error> {
        self.records(
            "SELECT record FROM events WHERE seq >= ?1 AND (?2 IS NULL OR module = ?2) ORDER BY seq LIMIT ?3",
            params![from.cast_signed(), module, i64::try_from(count_max).unwrap_or(i64::MAX)],
        )
    }

    /// The last events, in order, of one module or of all.
    pub(crate) fn last_events(&self, module: Option<&str>, count_max: usize) -> Result<Vec<Record>, Error> {
        let mut records = self.records(
            "SELECT record FROM events WHERE (?1 IS NULL OR module = ?1) ORDER BY seq DESC LIMIT ?2",
            params![module, i64::try_from(count_max).unwrap_or(i64::MAX)],
        )?;
        records.reverse();
        Ok(records)
    }

    fn records(&self, query: &str, parameters: &[&dyn rusqlite::ToSql]) -> Result<Vec<Record>, Error> {
        let read = || -> rusqlite::Result<Vec<Record>> {
            let mut query = self.connection.prepare_cached(query)?;
            let texts = query.query_map(parameters, |row| row.get::<_, String>(0))?;
            let records = texts.map(|text| Ok(serde_json::from_str(&text?).ok()));
            records.filter_map(Result::transpose).collect()
        };
        read().map_err(|source| self.failed("read", source))
    }

    /// What a restart returns to: for each module the last confirmed version that is not blocked, unless it
    /// was deleted.
    pub(crate) fn restart_targets(&self) -> Result<BTreeMap<String, RestartTarget>, Error> {
        let read = || -> rusqlite::Result<BTreeMap<String, RestartTarget>> {
            let mut query = self.connection.prepare_cached(
                "SELECT module, digest, version, seq FROM confirmed AS this
                 WHERE digest IS NOT NULL AND id = (
                     SELECT max(id) FROM confirmed AS last
                     WHERE last.module = this.module
                       AND (last.digest IS NULL OR last.digest NOT IN (SELECT digest FROM blocked)))
                 ORDER BY module",
            )?;
            query.query_map([], restart_target)?.collect()
        };
        read().map_err(|source| self.failed("read", source))
    }

    /// What a restart returns to for one module.
    pub(crate) fn restart_target(&self, module: &str) -> Result<Option<RestartTarget>, Error> {
        let read = || -> rusqlite::Result<Option<RestartTarget>> {
            let mut query = self.connection.prepare_cached(
                "SELECT module, digest, version, seq FROM confirmed
                 WHERE module = ?1 AND (digest IS NULL OR digest NOT IN (SELECT digest FROM blocked))
                 ORDER BY id DESC LIMIT 1",
            )?;
            let last = query.query_row([module], |row| match row.get_ref(1)? {
                // It was deleted.
                ValueRef::Null => Ok(None),
                _ => restart_target(row).map(|(_, target)| Some(target)),
            });
            Ok(last.optional()?.flatten())
        };
        read().map_err(|source| self.failed("read", source))
    }

    /// The versions to restore, in the order of their modules.
    pub(crate) fn to_restore(&self) -> Result<Vec<ToRestore>, Error> {
        let targets = self.restart_targets()?;
        let to_restore = targets
            .into_iter()
            .map(|(module, RestartTarget { version, digest, .. })| ToRestore { module, digest, version });
        Ok(to_restore.collect())
    }

    /// The version that a rollback without an old version in memory returns to: the last confirmed version
    /// that is not blocked and not current. It never goes back past a delete.
    pub(crate) fn confirmed_before(
        &self,
        module: &str,
        current: &Digest,
    ) -> Result<Option<ToRestore>, Error> {
        self.connection
            .query_row(
                "SELECT module, digest, version FROM confirmed
                 WHERE module = ?1 AND digest IS NOT NULL AND digest <> ?2
                   AND digest NOT IN (SELECT digest FROM blocked)
                   AND id > coalesce((SELECT max(id) FROM confirmed WHERE module = ?1 AND digest IS NULL), 0)
                 ORDER BY id DESC LIMIT 1",
                params![module, current.to_string()],
                to_restore,
            )
            .optional()
            .map_err(|source| self.failed("read", source))
    }

    /// The versions that were on trial when the previous runtime ended.
    pub(crate) fn trials(&self) -> Result<Vec<ToRestore>, Error> {
        let read = || -> rusqlite::Result<Vec<ToRestore>> {
            let mut query = self
                .connection
                .prepare_cached("SELECT module, digest, version FROM trials ORDER BY module")?;
            query.query_map([], to_restore)?.collect()
        };
        read().map_err(|source| self.failed("read", source))
    }

    /// Whether a version was confirmed before the previous runtime started, and not loaded again since. Then
    /// that runtime restored it.
    pub(crate) fn was_restored(&self, of: &Digest) -> Result<bool, Error> {
        self.connection
            .query_row(
                "WITH start AS (SELECT max(seq) AS seq FROM events WHERE record ->> 'event' = 'started')
                 SELECT EXISTS (SELECT 1 FROM confirmed, start WHERE digest = ?1 AND confirmed.seq < start.seq)
                    AND NOT EXISTS (
                     SELECT 1 FROM confirmed, start JOIN events ON events.seq = confirmed.seq
                     WHERE digest = ?1 AND confirmed.seq > start.seq AND record ->> 'event' = 'loaded')",
                [of.to_string()],
                |row| row.get(0),
            )
            .map_err(|source| self.failed("read", source))
    }

    /// Whether a version has crashed a process and was not current again since. Then it crashes at its start.
    pub(crate) fn crashes_at_start(&self, module: &str, of: &Digest) -> Result<bool, Error> {
        self.connection
            .query_row(
                "SELECT EXISTS (
                     SELECT 1 FROM events
                     WHERE module = ?1 AND record ->> 'event' = 'crashed' AND record ->> 'digest' = ?2
                       AND record ->> 'left_ms' IS NULL
                       AND seq > coalesce((
                         SELECT max(seq) FROM events
                         WHERE module = ?1 AND record ->> 'event' IN ('loaded', 'rolled_back')
                           AND record ->> 'digest' = ?2), 0))",
                params![module, of.to_string()],
                |row| row.get(0),
            )
            .map_err(|source| self.failed("read", source))
    }

    /// All blocked files.
    pub(crate) fn blocked(&self) -> Result<Vec<Block>, Error> {
        let read = || -> rusqlite::Result<Vec<Block>> {
            let mut query = self
                .connection
                .prepare_cached("SELECT digest, module, version, why FROM blocked ORDER BY seq, digest")?;
            query.query_map([], block)?.collect()
        };
        read().map_err(|source| self.failed("read", source))
    }

    /// The block of a file, if it is blocked.
    pub(crate) fn block_of(&self, of: &Digest) -> Result<Option<Block>, Error> {
        self.connection
            .query_row(
                "SELECT digest, module, version, why FROM blocked WHERE digest = ?1",
                [of.to_string()],
                block,
            )
            .optional()
            .map_err(|source| self.failed("read", source))
    }

    /// Whether a command made the module sticky or not sticky; `None` if neither.
    pub(crate) fn stickiness(&self, module: &str) -> Result<Option<bool>, Error> {
        self.connection
            .query_row("SELECT is_sticky FROM sticky WHERE module = ?1", [module], |row| row.get(0))
            .optional()
            .map_err(|source| self.failed("read", source))
    }

    /// The digest that was last loaded, or refused, from a file of the modules directory.
    pub(crate) fn drop_in(&self, path: &str) -> Result<Option<Digest>, Error> {
        self.connection
            .query_row("SELECT digest FROM drop_ins WHERE path = ?1", [path], |row| digest(row, 0))
            .optional()
            .map_err(|source| self.failed("read", source))
    }

    /// The path from which a file that refers to its own directory was last loaded.
    pub(crate) fn origin(&self, of: &Digest) -> Result<Option<String>, Error> {
        self.connection
            .query_row("SELECT file FROM origins WHERE digest = ?1", [of.to_string()], |row| row.get(0))
            .optional()
            .map_err(|source| self.failed("read", source))
    }

    /// The command with this key, and its answer.
    pub(crate) fn answer(&self, key: &str) -> Result<Option<(Command, String)>, Error> {
        self.connection
            .query_row("SELECT command, answer FROM answers WHERE key = ?1", [key], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(|source| self.failed("read", source))
    }
}

/// A module and what a restart returns to, from `module, digest, version, seq`.
fn restart_target(row: &Row<'_>) -> rusqlite::Result<(String, RestartTarget)> {
    let ToRestore { module, digest, version } = to_restore(row)?;
    let seq = row.get::<_, i64>(3)?.cast_unsigned();
    Ok((module, RestartTarget { version, digest, seq }))
}

/// Reads a row of module, digest and version.
fn to_restore(row: &Row<'_>) -> rusqlite::Result<ToRestore> {
    Ok(ToRestore { module: row.get(0)?, digest: digest(row, 1)?, version: row.get(2)? })
}

fn block(row: &Row<'_>) -> rusqlite::Result<Block> {
    Ok(Block { digest: digest(row, 0)?, module: row.get(1)?, version: row.get(2)?, why: row.get(3)? })
}

fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}
