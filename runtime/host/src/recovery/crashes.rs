//! What the process before this one wrote as it died: told once, and held against the version whose code it was.

use std::fs;

use segue_interface::VersionId;
use segue_loader::{CrashReport, clear_reports, read_reports};

use crate::{
    api::{Actor, Error, Event},
    shared::Shared,
    store::ledger::{Block, LedgerChange},
};

/// Records what the process before this one wrote. A version that had not settled, or was on trial, is blocked.
pub(crate) fn note_all(shared: &Shared) -> Result<(), Error> {
    let path = shared.state_dir.crashes();
    let failed = |source| Error::Io { action: "read", path: path.clone(), source };
    let reports = read_reports(&path).map_err(failed)?;
    for (number, report) in reports.iter().enumerate() {
        // What came after the first, other threads or exit handlers, may be no more than the end of the same process.
        let is_first = reports[..number].iter().all(|earlier| earlier.pid != report.pid);
        let suspect = if is_first { suspect(shared, report)? } else { None };
        note_crash(shared, report, suspect)?;
    }
    clear_reports(&path, &reports).map_err(failed)
}

fn note_crash(shared: &Shared, report: &CrashReport, suspect: Option<Block>) -> Result<(), Error> {
    let by = Actor::runtime("the process before this one wrote it as it died");
    let version = report.version.clone().zip(report.generation);
    let version = version.map(|(version, generation)| VersionId { version, generation });
    let event = Event::Crashed {
        signal: report.signal_name.clone(),
        module: report.module.clone(),
        version,
        digest: report.digest,
        place: place(shared, report),
        age_ms: report.age_ms,
        left_ms: report.left_ms,
    };
    let told = event.clone();
    let mut events = vec![(event, Vec::new())];
    if let Some(block) = suspect {
        let Block { module, version, digest, why } = block.clone();
        events.push((Event::Blocked { module, version, digest, why }, vec![LedgerChange::Blocked(block)]));
    }
    tracing::error!("the process before this one was ended by {}: {told:?}", report.signal_name);
    shared.events.commit(&by, events, || {})
}

/// The version that is to be blocked for a crash: one that was on trial, or that had not been in memory for long in the process in
/// which it was loaded. One that has been there for long, or came through a restart before, is needed: it is not known whether
/// the version before it would do better. Unless it ends two processes one after the other at its start: no process would ever
/// begin again.
fn suspect(shared: &Shared, report: &CrashReport) -> Result<Option<Block>, Error> {
    // It had left: the version that is there now is not the one that failed.
    if report.left_ms.is_some() {
        return Ok(None);
    }
    let (Some(module), Some(version), Some(digest)) = (&report.module, &report.version, report.digest) else {
        return Ok(None);
    };
    let is_on_trial =
        shared.events.read_ledger(|ledger| ledger.trials())?.iter().any(|it| it.digest == digest);
    let age = report.age_ms.unwrap_or(0);
    let is_young = u128::from(age) <= shared.limits.crash_window.as_millis();
    let was_restored = shared.events.read_ledger(|ledger| ledger.was_restored(&digest))?;
    let when = if is_on_trial {
        "while it was on trial".to_owned()
    } else if is_young && !was_restored {
        match age {
            0..1000 => format!("{age} ms after it came"),
            _ => format!("{:.1} s after it came", age as f64 / 1000.0),
        }
    } else if shared.events.read_ledger(|ledger| ledger.crashes_at_start(module, &digest))? {
        "at its start, as the process before".to_owned()
    } else {
        return Ok(None);
    };
    let why = format!("it ended the process with {}, {when}", report.signal_name);
    Ok(Some(Block { digest, module: module.clone(), version: version.clone(), why }))
}

/// Where in the file: the function, where the file is in the store and has it.
fn place(shared: &Shared, report: &CrashReport) -> Option<String> {
    let offset = report.offset?;
    let file = fs::read(shared.state_dir.image(&report.digest?)).ok();
    Some(file.and_then(|file| report.symbol(&file)).unwrap_or_else(|| format!("offset {offset:#x}")))
}
