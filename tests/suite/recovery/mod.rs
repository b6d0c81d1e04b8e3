//! Starts after a crash, a kill or a full disk.

mod crashed_versions;
mod full_disk;
mod killed;
mod restart;

use std::{path::Path, time::Duration};

use rusqlite::Connection;
use segue::{LoadOptions, Record, Request, Runtime, Source, Trial, TrialEnd};
use segue_tests::fixture;

fn runtime(home: &Path) -> Runtime {
    Runtime::builder().state_dir(home.join("state")).build().unwrap()
}

/// The version of a module that answers; `None` if the module has no current version.
fn answering(runtime: &Runtime, module: &str) -> Option<String> {
    let handle = runtime.module(module).ok()?;
    let guard = handle.enter().ok()?;
    assert!(guard.call(&Request::get("/ada")).unwrap().status < 500);
    Some(guard.version().version.clone())
}

fn trial(length: Duration, at_end: TrialEnd) -> LoadOptions {
    LoadOptions { trial: Some(Trial { length, at_end }), ..LoadOptions::default() }
}

fn load_on_trial(runtime: &Runtime, module: &str, version: &str) {
    let hour = Duration::from_secs(3600);
    runtime.load_with(&Source::File(fixture(module, version)), &trial(hour, TrialEnd::RollBack)).unwrap();
}

/// Checks that the ledger is intact and its events have no gap. Returns all events, also of earlier runtimes.
fn check_ledger(home: &Path, runtime: &Runtime) -> Vec<Record> {
    let ledger = Connection::open(home.join("state/ledger.sqlite")).unwrap();
    let check: String = ledger.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let history = runtime.history(None, usize::MAX).unwrap();
    let numbers: Vec<u64> = history.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    history
}
