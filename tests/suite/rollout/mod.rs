//! Policies over versions: rollback, trial, confirm, delete, sticky.

mod concurrent;
mod delete;
mod releases;
mod rollback;
mod rollback_storm;
mod sticky;
