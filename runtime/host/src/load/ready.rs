//! A version that has started, and the last checks before and after it becomes current.

use std::sync::Arc;

use segue_loader::Inspected;

use crate::{
    api::{Error, LoadOutcome, LoadTimings, Loaded, Step, Warning},
    clock::micros,
    load::plan::LoadPlan,
    module::{
        Module,
        starting::Starting,
        state::{ModuleState, Publication},
        version::Version,
    },
};

/// A version that has started and is not current yet. No call can enter it.
pub(super) struct ReadyVersion {
    pub(super) module: Arc<Module>,
    pub(super) version: Arc<Version>,
    pub(super) inspected: Inspected,
    /// The number of callers ever admitted before it was checked against all of them.
    pub(super) admitted: u64,
    /// Whether the module becomes sticky, if it has no current version.
    pub(super) is_sticky: bool,
    pub(super) warnings: Vec<Warning>,
    pub(super) took: LoadTimings,
    /// Dropped when it is current or has failed. Until then, callers wait for a first version.
    pub(super) starting: Starting,
}

// === impl ReadyVersion ===

impl ReadyVersion {
    /// Checks the interface again if callers have been admitted since the last check.
    pub(super) fn check_new_callers(&self) -> Result<(), Error> {
        let ReadyVersion { module, version, .. } = self;
        if module.callers.admitted() == self.admitted {
            return Ok(());
        }
        let checked = module.callers.check(|expected| version.image.check_interface(expected));
        checked.map_err(|source| {
            module.interface_mismatch(&version.info.id.version, Some(Step::Publish), source)
        })
    }

    /// Checks that the request handler is in this image, and not in another one to which the dynamic linker
    /// bound the symbol.
    pub(super) fn check_own_handler(&self) -> Result<(), Error> {
        if self.version.image.has_own_handler() {
            return Ok(());
        }
        let (module, id) = (&self.module.name, &self.version.info.id);
        Err(Error::Internal { what: format!("the request handler of {module} {id} is in another image") })
    }

    /// Reserves the place of the current version in the cell.
    pub(super) fn reserve(&self, plan: &LoadPlan) -> Result<Publication<'_, Version>, Error> {
        let reservation = self.module.cell.reserve(self.version.clone());
        let reservation = reservation
            .map_err(|refused| Error::Internal { what: format!("{}: {refused}", self.module.name) })?;
        let info = self.version.info.clone();
        Ok(Publication { reservation, info, trial: plan.trial, is_sticky: self.is_sticky })
    }

    /// The report of the load, as far as it is known before the publish.
    pub(super) fn report(&self, state: &ModuleState, plan: &LoadPlan) -> Loaded {
        let info = &self.version.info;
        Loaded {
            module: info.module.to_string(),
            version: info.id.version.clone(),
            generation: info.id.generation,
            digest: info.digest,
            replaced: state.current().map(|info| info.id.clone()),
            outcome: LoadOutcome::Loaded,
            warnings: self.warnings.clone(),
            took_us: LoadTimings { total: micros(plan.started.elapsed()), ..self.took.clone() },
        }
    }

    /// Checks that calls enter this version, so the acknowledgement is true. The state is locked, so nothing
    /// has changed since the publish.
    pub(super) fn check_is_current(&self) -> Result<(), Error> {
        if self.module.cell.is_current(&self.version) {
            return Ok(());
        }
        let (module, id) = (&self.module.name, &self.version.info.id);
        Err(Error::Internal { what: format!("{module} {id} was published, but calls do not enter it") })
    }
}
