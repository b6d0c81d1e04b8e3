//! The members of a set. One file is a set of one.

use std::sync::Arc;

use segue_loader::Inspected;

use crate::{
    api::{Error, LoadOutcome, LoadTimings, Loaded},
    clock::micros,
    load::plan::LoadPlan,
    module::Module,
};

/// A file that has been read and inspected.
pub(crate) struct CandidateFile {
    pub(crate) inspected: Inspected,
    /// The name of the file in reports.
    pub(crate) source: String,
    pub(crate) took: LoadTimings,
}

/// A member of a set: a file, and the module that it belongs to.
pub(super) struct Member {
    pub(super) module: Arc<Module>,
    pub(super) file: CandidateFile,
}

// === impl Member ===

impl Member {
    /// The report of a load that changes nothing because the same file is current; `None` if it is not.
    pub(super) fn report_if_unchanged(&self, plan: &LoadPlan) -> Option<Loaded> {
        let current = self.module.state().current().cloned()?;
        if current.digest != self.file.inspected.digest() {
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
            took_us: LoadTimings { total: micros(plan.started.elapsed()), ..self.file.took.clone() },
        })
    }

    /// Whether the same file is current.
    pub(super) fn is_current(&self) -> bool {
        let state = self.module.state();
        state.current().is_some_and(|current| current.digest == self.file.inspected.digest())
    }

    /// Shows the other members the metadata of this version, which becomes current together with theirs.
    pub(super) fn announce(&self) {
        let metadata = Arc::new(self.file.inspected.metadata().clone());
        self.module.state().set_next_metadata(Some(metadata));
    }
}

/// Collects all values, or else all errors.
pub(super) fn collect<T>(results: impl Iterator<Item = Result<T, Error>>) -> Result<Vec<T>, Error> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(combine_errors(errors)) }
}

/// Returns a single error unchanged, and several as [`Error::Set`].
pub(super) fn combine_errors(mut errors: Vec<Error>) -> Error {
    match errors.len() {
        1 => errors.remove(0),
        _ => Error::Set { errors },
    }
}
