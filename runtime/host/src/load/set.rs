//! The members of a set. One file is a set of one.

use std::sync::Arc;

use segue_loader::Inspected;

use super::plan::LoadPlan;
use crate::{
    api::{Error, LoadOutcome, LoadTimings, Loaded},
    clock::micros,
    module::Module,
};

/// A candidate that was read.
pub(crate) struct LoadInput {
    pub(crate) candidate: Inspected,
    /// What the file is called in reports.
    pub(crate) source: String,
    pub(crate) took: LoadTimings,
}

/// One of a set: a file, and the module that it is to be.
pub(super) struct Member {
    pub(super) module: Arc<Module>,
    pub(super) request: LoadInput,
}

// === impl Member ===

impl Member {
    /// The report of a load that has nothing to do: the same file is current.
    pub(super) fn unchanged(&self, plan: &LoadPlan) -> Option<Loaded> {
        let current = self.module.state().current().cloned()?;
        if current.digest != self.request.candidate.digest() {
            return None;
        }
        Some(Loaded {
            module: self.module.name.to_string(),
            version: current.id.version.clone(),
            generation: current.id.generation,
            digest: current.digest,
            replaced: None,
            outcome: LoadOutcome::Unchanged,
            warnings: Vec::new(),
            took_us: LoadTimings { total: micros(plan.started.elapsed()), ..self.request.took.clone() },
        })
    }

    /// Whether the same file is current.
    pub(super) fn is_current(&self) -> bool {
        let state = self.module.state();
        state.current().is_some_and(|current| current.digest == self.request.candidate.digest())
    }

    /// Has whoever starts in the same set see what this will be.
    pub(super) fn offer(&self) {
        let metadata = Arc::new(self.request.candidate.metadata().clone());
        self.module.state().set_next_metadata(Some(metadata));
    }
}

/// All of them; or what is wrong with each that is an error.
pub(super) fn all<T>(results: impl Iterator<Item = Result<T, Error>>) -> Result<Vec<T>, Error> {
    let (mut good, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(good) } else { Err(one_or_set(errors)) }
}

/// One error as it is; several as those of a set.
pub(super) fn one_or_set(mut errors: Vec<Error>) -> Error {
    match errors.len() {
        1 => errors.remove(0),
        _ => Error::Set { errors },
    }
}
