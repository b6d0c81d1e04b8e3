//! The ledger: every event, what a restart returns to, and what is blocked. It outlives the process.
//!
//! It is an SQLite database in the state directory. A command's changes and its event are written in one
//! transaction, and are on the disk before the command returns. Other events (a version was unloaded, a
//! file was refused) are written at once, without waiting for the disk. If the process is killed, nothing is
//! lost. If the machine loses power, the last of these events may be lost.

mod change;
mod database;
mod read;
mod write;

pub(crate) use change::{Block, Entry, LedgerChange};
pub(crate) use database::Ledger;
pub(crate) use read::ToRestore;
pub(crate) use write::Durability;
