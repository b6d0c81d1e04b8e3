//! The ledger: what must outlive the process. Every event, what a restart returns to, what is blocked.
//!
//! It is a database of SQLite in the state directory. What a command changes is written in one transaction with the event that
//! tells of it, and is on the disk before the command is answered. What merely happens (a version has left memory, a file was
//! refused) is written at once too, but the disk is not waited for: the process may be killed, and nothing is lost; where the
//! machine loses power, the last of these may be.

mod change;
mod database;
mod read;
mod write;

pub(crate) use change::{Block, Entry, LedgerChange};
pub(crate) use database::Ledger;
pub(crate) use read::ToRestore;
pub(crate) use write::Durability;
