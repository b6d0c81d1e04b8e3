//! The second half of a load before the publish: the version's `on_load` runs.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use segue_loader::{Image, Mapped, OnLoadFailure};

use crate::{
    api::{Error, Phase},
    clock::lap,
    load::{discard, map::MappedVersion, plan::LoadPlan, ready::ReadyVersion},
    module::{
        Module,
        starting::Starting,
        version::{Version, VersionInfo},
    },
    shared::Shared,
};

/// The result of an `on_load`.
type OnLoadResult = Result<Image, Box<OnLoadFailure>>;

/// Runs `on_load`. If it fails, the version is unmapped. If it does not return in time, the version is
/// quarantined, and is unmapped when it returns.
///
/// `on_load` runs on a thread of its own. After the timeout nothing waits for that thread.
pub(super) fn run(
    shared: &Arc<Shared>,
    member: MappedVersion,
    plan: &LoadPlan,
) -> Result<ReadyVersion, Error> {
    let MappedVersion { module, info, mapped, inspected, admitted, is_sticky, warnings, mut took } = member;
    let mut clock = Instant::now();
    let starting = Starting::begin(&module, info.id.generation);
    let (sender, receiver) = bounded(0);
    let task = {
        let (shared, module, info) = (shared.clone(), module.clone(), info.clone());
        move |mapped| run_on_load(&shared, &module, &info, mapped, &sender)
    };
    let spawned = shared.tasks.spawn_with(format!("on_load {}", module.name), mapped, task);
    if let Err((error, mapped)) = spawned {
        drop(starting);
        discard::unmap(shared, &module, &info, mapped);
        return Err(error);
    }
    let timeout = match plan.deadline {
        Some(deadline) => deadline.saturating_duration_since(Instant::now()),
        None => shared.limits.on_load_timeout,
    };
    let result: OnLoadResult = match receiver.recv_timeout(timeout) {
        Ok(result) => result,
        Err(RecvTimeoutError::Disconnected) => {
            return Err(Error::Internal { what: format!("the on_load thread of {} panicked", module.name) });
        }
        Err(RecvTimeoutError::Timeout) => {
            // The flag publishes no other data.
            info.is_cancelled.store(true, Ordering::Relaxed);
            module.quarantine(&info, vec![discard::hanging_pin("on_load")]);
            // After this, the thread's `send` fails, so the thread unmaps the version itself.
            drop(receiver);
            drop(starting);
            let (module, version) = (module.name.to_string(), info.id.version.clone());
            return Err(Error::OnLoadHangs { module, version, after: timeout });
        }
    };
    took.on_load = Some(lap(&mut clock));
    match result {
        Ok(image) => {
            shared.observer.reached(&module.name, info.id.generation, Phase::Started);
            let version = Arc::new(Version { image, info });
            Ok(ReadyVersion { module, version, inspected, admitted, is_sticky, warnings, took, starting })
        }
        Err(failure) => {
            drop(starting);
            let OnLoadFailure { mapped, fault } = *failure;
            discard::unmap(shared, &module, &info, mapped);
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
    sender: &Sender<OnLoadResult>,
) {
    let result = mapped.on_load();
    // This thread does not enter the image again, so it destroys what `on_load` left on it.
    match &result {
        Ok(image) => image.detach_thread(),
        Err(failure) => failure.mapped.detach_thread(),
    };
    let Err(too_late) = sender.send(result) else { return };
    let mapped = match too_late.into_inner() {
        // The loader has logged a panic of `Drop`.
        Ok(image) => image.unload().0,
        Err(failure) => failure.mapped,
    };
    discard::unmap_late(shared, module, info, mapped);
}
