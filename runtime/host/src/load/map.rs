//! The first half of a load: the file is staged and mapped. None of its code but constructors runs.

use std::{sync::Arc, time::Instant};

use segue_interface::VersionId;
use segue_loader::{Inspected, MapFailure, Mapped, UnmapFailure};

use crate::{
    api::{Error, LoadTimings, Phase, Step, Warning},
    clock::lap,
    guest::HostServices,
    load::{
        discard,
        set::{CandidateFile, Member},
    },
    module::{Module, version::VersionInfo},
    shared::Shared,
};

/// A version that is mapped. None of its code has run, except its constructors.
pub(super) struct MappedVersion {
    pub(super) module: Arc<Module>,
    pub(super) info: Arc<VersionInfo>,
    pub(super) mapped: Mapped,
    pub(super) inspected: Inspected,
    /// The number of callers ever admitted before it was checked against all of them.
    pub(super) admitted: u64,
    /// Whether the module becomes sticky, if it has no current version.
    pub(super) is_sticky: bool,
    pub(super) warnings: Vec<Warning>,
    pub(super) took: LoadTimings,
}

/// Stages and maps a candidate. If that fails, the candidate is unmapped again.
pub(super) fn run(shared: &Arc<Shared>, member: Member) -> Result<MappedVersion, Error> {
    let Member { module, file } = member;
    let CandidateFile { inspected, source, mut took } = file;
    let id = VersionId { version: inspected.metadata().version.clone(), generation: shared.new_generation() };
    let info = Arc::new(VersionInfo::new(module.name.clone(), id, inspected.digest(), source));
    let admitted = module.callers.admitted();
    // A `stick` or `unstick` command overrides the file.
    let commanded = shared.events.read_ledger(|ledger| ledger.stickiness(&module.name))?;
    let is_sticky = commanded.unwrap_or(inspected.metadata().sticky);
    let mut clock = Instant::now();
    let staged = inspected.stage(&shared.state_dir.stage(), info.id.generation)?;
    let staged = match shared.crash_reports.get() {
        Some(reports) => staged.report_to(reports),
        None => staged,
    };
    took.stage = Some(took.stage.unwrap_or(0) + lap(&mut clock));
    for mark in inspected.cleared_marks() {
        tracing::info!(
            module = %module.name, generation = info.id.generation,
            "cleared {mark} in the private copy: it would prevent unloading"
        );
    }
    let mapped = staged
        .map(Box::new(HostServices::new(shared, &info)))
        .map_err(|failure| map_error(shared, &module, &info, failure))?;
    // Both are set only here.
    let _ = info.usage.set(mapped.usage().clone());
    let _ = info.image_bytes.set(mapped.size_bytes());
    if let Err(mismatch) = module.callers.check(|expected| mapped.check_interface(expected)) {
        discard::unmap(shared, &module, &info, mapped);
        return Err(module.interface_mismatch(&info.id.version, Some(Step::Map), mismatch));
    }
    let warnings: Vec<Warning> = mapped.stale_libraries().iter().map(Warning::from).collect();
    for Warning { message, hint } in &warnings {
        tracing::warn!(module = %module.name, generation = info.id.generation, hint, "{message}");
    }
    took.map = Some(lap(&mut clock));
    shared.observer.reached(&module.name, info.id.generation, Phase::Mapped);
    Ok(MappedVersion { module, info, mapped, inspected, admitted, is_sticky, warnings, took })
}

fn map_error(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    info: &Arc<VersionInfo>,
    failure: MapFailure,
) -> Error {
    if let Some(retained) = failure.retained {
        discard::quarantine_and_retry(shared, module, info, UnmapFailure::Retained(retained));
    }
    Error::Map { path: info.source.clone().into(), module: module.name.to_string(), source: failure.error }
}
