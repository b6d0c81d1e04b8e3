//! Reads the crash reports of the previous process, once: records them, and blocks the version that crashed.

use std::fs;

use segue_interface::VersionId;
use segue_loader::{CrashReport, clear_reports, read_reports};

use crate::{
    api::{Actor, Error, Event},
    shared::Shared,
    store::ledger::{Block, LedgerChange},
};

/// Records the crash reports of the previous process, and removes them. Blocks the version that crashed if it
/// was on trial, or new, or crashes at each start.
pub(crate) fn record_all(shared: &Shared) -> Result<(), Error> {
    let path = shared.state_dir.crashes();
    let failed = |source| Error::Io { action: "read", path: path.clone(), source };
    let reports = read_reports(&path).map_err(failed)?;
    for (number, report) in reports.iter().enumerate() {
        // Only the first report of a process counts. Later ones, from other threads or exit handlers, may be
        // consequences of the first.
        let is_first = reports[..number].iter().all(|earlier| earlier.pid != report.pid);
        let block = if is_first { block_for(shared, report)? } else { None };
        record_crash(shared, report, block)?;
    }
    clear_reports(&path, &reports).map_err(failed)
}

fn record_crash(shared: &Shared, report: &CrashReport, block: Option<Block>) -> Result<(), Error> {
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
    tracing::error!("the previous process was ended by {}: {event:?}", report.signal_name);
    let mut events = vec![(event, Vec::new())];
    if let Some(block) = block {
        let Block { module, version, digest, why } = block.clone();
        events.push((Event::Blocked { module, version, digest, why }, vec![LedgerChange::Blocked(block)]));
    }
    shared.events.commit(&Actor::runtime("the crash report of the previous process"), events, || {})
}

/// The block of the version that crashed, if it is to be blocked.
///
/// A version is blocked if it was on trial, or if it crashed within the crash window of the process that
/// loaded it. A version that ran for longer, or that a restart restored, is not blocked: the service needs
/// it, and the version before it may be no better. It is blocked if it crashes two processes in a row when
/// they start. Otherwise no process would ever start again.
fn block_for(shared: &Shared, report: &CrashReport) -> Result<Option<Block>, Error> {
    // It had been unloaded, so the version that is in memory now did not fail.
    if report.left_ms.is_some() {
        return Ok(None);
    }
    let (Some(module), Some(version), Some(digest)) = (&report.module, &report.version, report.digest) else {
        return Ok(None);
    };
    let trials = shared.events.read_ledger(|ledger| ledger.trials())?;
    let is_on_trial = trials.iter().any(|trial| trial.digest == digest);
    let age = report.age_ms.unwrap_or(0);
    let is_new = u128::from(age) <= shared.limits.crash_window.as_millis();
    let was_restored = shared.events.read_ledger(|ledger| ledger.was_restored(&digest))?;
    let when = if is_on_trial {
        "while it was on trial".to_owned()
    } else if is_new && !was_restored {
        match age {
            0..1000 => format!("{age} ms after it was loaded"),
            _ => format!("{:.1} s after it was loaded", age as f64 / 1000.0),
        }
    } else if shared.events.read_ledger(|ledger| ledger.crashes_at_start(module, &digest))? {
        "at its start, twice in a row".to_owned()
    } else {
        return Ok(None);
    };
    let why = format!("it ended the process with {} {when}", report.signal_name);
    Ok(Some(Block { digest, module: module.clone(), version: version.clone(), why }))
}

/// The place in the file: the function if the stored file has its symbol, otherwise the offset.
fn place(shared: &Shared, report: &CrashReport) -> Option<String> {
    let offset = report.offset?;
    let file = fs::read(shared.state_dir.image(&report.digest?)).ok();
    Some(file.and_then(|file| report.symbol(&file)).unwrap_or_else(|| format!("offset {offset:#x}")))
}
