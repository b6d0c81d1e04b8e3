//! The part of a load in which code of the new version runs for the first time, and the way out where it does not go on.

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use segue_interface::VersionId;
use segue_loader::{Image, Inspected, MapFailure, Mapped, OnLoadFailure, UnmapFailure};

use super::{
    plan::LoadPlan,
    publish::Ready,
    set::{LoadInput, Member},
};
use crate::{
    api::{Error, LoadTimings, Phase, Pin, PinKind, Step, Warning},
    clock::lap,
    guest::HostServices,
    inspect::pins::kept_pins,
    module::{
        Module,
        starting::Starting,
        version::{Version, VersionInfo},
    },
    purge::{idle, retire},
    shared::Shared,
};

/// How long the threads of a version that refused to start have to end, while whoever asked for it waits. After that it is
/// quarantined until they have.
const VETO_PATIENCE: Duration = Duration::from_secs(2);

/// A version that is in memory, and of which nothing but constructors has run.
pub(super) struct MappedVersion {
    pub(super) module: Arc<Module>,
    pub(super) info: Arc<VersionInfo>,
    pub(super) mapped: Mapped,
    candidate: Inspected,
    admitted: u64,
    is_sticky: bool,
    warnings: Vec<Warning>,
    took: LoadTimings,
}

/// How a start ended.
type Started = Result<Image, Box<OnLoadFailure>>;

/// Stages and maps a candidate. Where that fails, it is taken out again.
pub(super) fn map(shared: &Arc<Shared>, member: Member) -> Result<MappedVersion, Error> {
    let Member { module, request } = member;
    let LoadInput { candidate, source, mut took } = request;
    let id = VersionId { version: candidate.metadata().version.clone(), generation: shared.new_generation() };
    let info = Arc::new(VersionInfo::new(module.name.clone(), id, candidate.digest(), source));
    let admitted = module.callers.admitted();
    // What somebody has said of it counts more than what the file says.
    let said = shared.events.read_ledger(|ledger| ledger.stickiness(&module.name))?;
    let is_sticky = said.unwrap_or(candidate.metadata().sticky);
    let mut clock = Instant::now();
    let staged = candidate.stage(&shared.state_dir.stage(), info.id.generation)?;
    let staged = match shared.crash_reports.get() {
        Some(reports) => staged.reported_to(reports),
        None => staged,
    };
    took.stage = Some(took.stage.unwrap_or(0) + lap(&mut clock));
    for mark in candidate.cleared_marks() {
        tracing::info!(
            module = %module.name, generation = info.id.generation,
            "{mark} would keep it in memory for ever, and was cleared in the private copy"
        );
    }
    let mapped = staged
        .map(Box::new(HostServices::new(shared, &info)))
        .map_err(|failure| not_mapped(shared, &module, &info, failure))?;
    // Set once, here.
    let _ = info.usage.set(mapped.usage().clone());
    let _ = info.image_bytes.set(mapped.size_bytes());
    if let Err(mismatch) = module.callers.check(|expected| mapped.check_interface(expected)) {
        discard(shared, &module, &info, mapped);
        return Err(module.interface_mismatch(&info.id.version, Some(Step::Map), mismatch));
    }
    let warnings: Vec<Warning> = mapped.stale_libraries().iter().map(Warning::from).collect();
    for Warning { message, hint } in &warnings {
        tracing::warn!(module = %module.name, generation = info.id.generation, hint, "{message}");
    }
    took.map = Some(lap(&mut clock));
    shared.observer.reached(&module.name, info.id.generation, Phase::Mapped);
    Ok(MappedVersion { module, info, mapped, candidate, admitted, is_sticky, warnings, took })
}

/// Lets a version start. Where it refuses, it is taken out again; where it does not come to an end, it is quarantined until it
/// does, and then taken out.
///
/// The start runs on a thread of its own, which nobody waits for any more once the time is over.
pub(super) fn run(shared: &Arc<Shared>, member: MappedVersion, plan: &LoadPlan) -> Result<Ready, Error> {
    let MappedVersion { module, info, mapped, candidate, admitted, is_sticky, warnings, mut took } = member;
    let mut clock = Instant::now();
    let starting = Starting::begin(&module, info.id.generation);
    let (tell, told) = bounded(0);
    let (of_task, of_thread, of_start) = (shared.clone(), module.clone(), info.clone());
    let begun = shared.tasks.spawn_with(format!("on_load {}", module.name), mapped, move |mapped| {
        run_on_load(&of_task, &of_thread, &of_start, mapped, &tell);
    });
    if let Err((error, mapped)) = begun {
        drop(starting);
        discard(shared, &module, &info, mapped);
        return Err(error);
    }
    let patience = match plan.deadline {
        Some(deadline) => deadline.saturating_duration_since(Instant::now()),
        None => shared.limits.on_load_timeout,
    };
    let started: Started = match told.recv_timeout(patience) {
        Ok(started) => started,
        Err(RecvTimeoutError::Disconnected) => {
            return Err(Error::Internal {
                what: format!("{}: the thread of its start panicked", module.name),
            });
        }
        Err(RecvTimeoutError::Timeout) => {
            // Nothing else is told by it.
            info.is_cancelled.store(true, Ordering::Relaxed);
            module.quarantine(&info, vec![hanging_pin("its on_load")]);
            // From here on the thread is told that nobody waits for it, and takes the version out when it can.
            drop(told);
            drop(starting);
            let (module, version) = (module.name.to_string(), info.id.version.clone());
            return Err(Error::OnLoadHangs { module, version, after: patience });
        }
    };
    took.on_load = Some(lap(&mut clock));
    match started {
        Ok(image) => {
            shared.observer.reached(&module.name, info.id.generation, Phase::Started);
            let version = Arc::new(Version { image, info });
            Ok(Ready { module, version, candidate, admitted, is_sticky, warnings, took, starting })
        }
        Err(vetoed) => {
            drop(starting);
            let OnLoadFailure { mapped, fault } = *vetoed;
            discard(shared, &module, &info, mapped);
            Err(Error::OnLoad {
                module: module.name.to_string(),
                version: info.id.version.clone(),
                reason: fault.to_string(),
            })
        }
    }
}

fn run_on_load(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    info: &Arc<VersionInfo>,
    mapped: Mapped,
    tell: &Sender<Started>,
) {
    let started = mapped.on_load();
    // This thread will not enter the image again: what the module's start has left on it is destroyed here.
    match &started {
        Ok(image) => image.detach_thread(),
        Err(vetoed) => vetoed.mapped.detach_thread(),
    };
    let Err(too_late) = tell.send(started) else { return };
    let mapped = match too_late.into_inner() {
        // Its end, whose panic is in the log, says nothing more.
        Ok(image) => image.unload().0,
        Err(vetoed) => vetoed.mapped,
    };
    discard_late(shared, module, info, mapped);
}

/// Takes a version out that has started and was never current. Where its `Drop` does not return it is quarantined: it runs on a
/// thread of its own, which nobody waits for any more then.
pub(super) fn abort(shared: &Arc<Shared>, Ready { module, mut version, starting, .. }: Ready) {
    drop(starting);
    let version = loop {
        match Arc::try_unwrap(version) {
            Ok(version) => break version,
            // Whoever makes its side of an interface.
            Err(shared) => version = shared,
        }
        thread::sleep(Duration::from_micros(200));
    };
    let Version { image, info } = version;
    let (tell, told) = bounded(0);
    let (of_task, of_thread, of_end) = (shared.clone(), module.clone(), info.clone());
    let begun = shared.tasks.spawn_with(format!("drop {}", module.name), image, move |image: Image| {
        // Its start went well; so does its end, whose panic is in the log.
        let (mapped, _) = image.unload();
        mapped.detach_thread();
        if let Err(too_late) = tell.send(mapped) {
            discard_late(&of_task, &of_thread, &of_end, too_late.into_inner());
        }
    });
    if let Err((_, image)) = begun {
        return discard(shared, &module, &info, image.unload().0);
    }
    match told.recv_timeout(VETO_PATIENCE) {
        Ok(mapped) => discard(shared, &module, &info, mapped),
        // The thread panicked, which was printed.
        Err(RecvTimeoutError::Disconnected) => {}
        Err(RecvTimeoutError::Timeout) => {
            module.quarantine(&info, vec![hanging_pin("its Drop")]);
        }
    }
}

/// Takes a version out that was quarantined because it did not come to an end, and now has.
fn discard_late(shared: &Shared, module: &Arc<Module>, info: &Arc<VersionInfo>, mapped: Mapped) {
    let begun = Instant::now();
    mapped.detach_thread();
    idle::wait_for_threads(shared, module, info, &mapped);
    retire::finish_unload(shared, module, info, mapped.unmap(), Duration::ZERO, begun);
}

/// Takes a version out that never was current.
pub(super) fn discard(shared: &Arc<Shared>, module: &Arc<Module>, info: &Arc<VersionInfo>, mapped: Mapped) {
    mapped.detach_thread();
    // What it says is said by `unmap` again.
    let _ = mapped.wait_for_threads(Instant::now() + VETO_PATIENCE);
    if let Err(kept) = mapped.unmap() {
        keep_trying(shared, module, info, kept);
    }
}

/// Puts a version that never was current in quarantine, and takes it out when that can be done.
fn keep_trying(shared: &Arc<Shared>, module: &Arc<Module>, info: &Arc<VersionInfo>, kept: UnmapFailure) {
    let begun = Instant::now();
    module.quarantine(info, kept_pins(&kept));
    let (of_task, of_journey, info) = (shared.clone(), module.clone(), info.clone());
    let journey = shared.tasks.spawn(format!("purge {}", module.name), move || {
        retire::finish_unload(&of_task, &of_journey, &info, Err(kept), Duration::ZERO, begun);
    });
    if let Err(error) = journey {
        // The image went with the journey that did not begin, and so stays in memory; it is listed.
        tracing::error!(module = %module.name, "a version that refused to start stays in memory: {error}");
    }
}

fn not_mapped(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    info: &Arc<VersionInfo>,
    failure: MapFailure,
) -> Error {
    if let Some(retained) = failure.retained {
        keep_trying(shared, module, info, UnmapFailure::Retained(retained));
    }
    Error::Map { path: info.source.clone().into(), module: module.name.to_string(), source: failure.error }
}

fn hanging_pin(what: &str) -> Pin {
    Pin {
        kind: PinKind::Handle,
        detail: format!("{what}, which does not return"),
        waits_for: "it to return: it was asked to come to its end (`is_cancelled`)".to_owned(),
    }
}
