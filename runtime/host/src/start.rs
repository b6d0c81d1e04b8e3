//! The part of a load in which code of the new version runs for the first time, and the way out where it does not go on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use segue_loader::{Image, Inspected, Kept, MapFailure, Mapped, Vetoed};

use crate::{
    Error, Step, Took, guest::Guest, journey::lap, module::Module, pins::kept_pins, runtime::Inner,
    version::About,
};

/// How long the threads of a version that refused to start have to end, while whoever asked for it waits. After that it is
/// quarantined until they have.
const VETO_PATIENCE: Duration = Duration::from_secs(2);

impl Inner {
    /// Stages and maps a candidate, and lets it start. Where that fails, it is taken out again.
    pub(crate) fn start(
        self: &Arc<Self>,
        module: &Arc<Module>,
        candidate: &Inspected,
        about: &Arc<About>,
        took: &mut Took,
    ) -> Result<Image, Error> {
        let mut clock = Instant::now();
        let staged = candidate.stage(&self.state.stage(), about.id.generation)?;
        took.stage = Some(took.stage.unwrap_or(0) + lap(&mut clock));
        for mark in candidate.cleared_marks() {
            tracing::info!(
                module = %module.name, generation = about.id.generation,
                "{mark} would keep it in memory for ever, and was cleared in the private copy"
            );
        }
        let mapped = staged
            .map(Box::new(Guest::new(self, about)))
            .map_err(|failure| self.not_mapped(module, about, failure))?;
        // Set once, here.
        let _ = about.usage.set(mapped.usage().clone());
        if let Err(mismatch) = module.callers.check(|expected| mapped.check_interface(expected)) {
            self.take_out(module, about, mapped);
            return Err(module.does_not_fit(&about.id.version, Some(Step::Map), mismatch));
        }
        took.map = Some(lap(&mut clock));
        let started = mapped.on_load();
        took.on_load = Some(lap(&mut clock));
        match started {
            Ok(image) => {
                // This thread will not enter the image again: what the module's start has left on it is destroyed here.
                image.detach_thread();
                Ok(image)
            }
            Err(vetoed) => {
                let Vetoed { mapped, fault } = *vetoed;
                self.take_out(module, about, mapped);
                Err(Error::OnLoad {
                    module: module.name.to_string(),
                    version: about.id.version.clone(),
                    reason: fault.to_string(),
                })
            }
        }
    }

    /// Takes a version out that never was current.
    pub(crate) fn take_out(self: &Arc<Self>, module: &Arc<Module>, about: &Arc<About>, mapped: Mapped) {
        mapped.detach_thread();
        // What it says is said by `unmap` again.
        let _ = mapped.wait_for_threads(Instant::now() + VETO_PATIENCE);
        if let Err(kept) = mapped.unmap() {
            self.keep_trying(module, about, kept);
        }
    }

    /// Puts a version that never was current in quarantine, and takes it out when that can be done.
    fn keep_trying(self: &Arc<Self>, module: &Arc<Module>, about: &Arc<About>, kept: Kept) {
        let begun = Instant::now();
        module.quarantine(about, kept_pins(&kept));
        let (inner, of_journey, about) = (self.clone(), module.clone(), about.clone());
        let journey = self.journeys.begin(format!("purge {}", module.name), move || {
            inner.leave(&of_journey, &about, Err(kept), Duration::ZERO, begun);
        });
        if let Err(error) = journey {
            // The image went with the journey that did not begin, and so stays in memory; it is listed.
            tracing::error!(module = %module.name, "a version that refused to start stays in memory: {error}");
        }
    }

    fn not_mapped(self: &Arc<Self>, module: &Arc<Module>, about: &Arc<About>, failure: MapFailure) -> Error {
        if let Some(retained) = failure.retained {
            self.keep_trying(module, about, Kept::Retained(retained));
        }
        Error::Map {
            path: about.source.clone().into(),
            module: module.name.to_string(),
            source: failure.error,
        }
    }
}
