//! Reads and inspects a file, for a load and for a check.

use std::{path::Path, time::Instant};

use segue_loader::{Candidate, Inspected, StageError};

use crate::{
    api::{Error, LoadTimings},
    clock::lap,
};

/// Reads and inspects a file, and notes how long that took.
pub(crate) fn read(path: &Path, took: &mut LoadTimings) -> Result<Inspected, Error> {
    let mut clock = Instant::now();
    let candidate = Candidate::read(path)?;
    took.stage = Some(lap(&mut clock));
    let inspected = inspect_candidate(candidate, path)?;
    check_name(path, &inspected.metadata().name)?;
    took.read = Some(lap(&mut clock));
    Ok(inspected)
}

/// Inspects the bytes of a file. `path` names it in errors.
pub(crate) fn inspect(bytes: &[u8], path: &Path) -> Result<Inspected, Error> {
    inspect_candidate(Candidate::from_bytes(bytes.to_owned()), path)
}

fn inspect_candidate(candidate: Candidate, path: &Path) -> Result<Inspected, Error> {
    candidate.inspect().map_err(|source| Error::Check { path: path.to_owned(), source })
}

/// Refuses a file whose name belongs to another module. Cargo names the file `lib<name>.so`. A suffix may
/// follow the name after `-`, `.` or `_`. A file whose name does not start with `lib` may contain any module.
fn check_name(path: &Path, found: &str) -> Result<(), Error> {
    let Some(claimed) =
        path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.strip_prefix("lib"))
    else {
        return Ok(());
    };
    // Cargo replaces `-` in a package name with `_`.
    let (stem, name) = (claimed.replace('-', "_"), found.replace('-', "_"));
    match stem.strip_prefix(&name).map(|rest| rest.chars().next()) {
        Some(None | Some('_' | '.')) => Ok(()),
        _ => Err(Error::NameMismatch {
            path: path.to_owned(),
            expected: claimed.to_owned(),
            found: found.to_owned(),
        }),
    }
}

/// Whether a file could not be read because it changed meanwhile: another process is writing to it.
pub(crate) fn is_being_written(error: &Error) -> bool {
    matches!(error, Error::Stage(StageError::Changed { .. }))
}
