//! The check of a file, as `segue check` reports it.

use std::path::Path;

use segue_loader::{Digest, Imports, Metadata};
use serde::{Deserialize, Serialize};

use crate::{
    api::{Error, LoadTimings},
    intake::{
        findings::{self, Finding},
        read::read,
    },
};

/// The report of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// The metadata that the module's build put into the file.
    #[serde(flatten)]
    pub metadata: Metadata,
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// The size of the file, in bytes.
    pub size_bytes: u64,
    /// Flags in the file that would prevent the dynamic linker from unloading it, for example
    /// `DF_1_NODELETE`. A load clears them in its private copy.
    pub cleared: Vec<String>,
    /// Imports and properties of the file that can prevent a load, or cause problems when the module is
    /// unloaded.
    pub findings: Vec<Finding>,
}

/// Checks a file as a load does, and stops before any of its code would run.
///
/// # Errors
///
/// If a load would refuse the file because of its contents.
pub fn check(path: &Path) -> Result<FileReport, Error> {
    let inspected = read(path, &mut LoadTimings::default())?;
    let imports =
        Imports::read(inspected.bytes()).map_err(|source| Error::Check { path: path.to_owned(), source })?;
    Ok(FileReport {
        metadata: inspected.metadata().clone(),
        digest: inspected.digest(),
        size_bytes: inspected.size_bytes(),
        cleared: inspected.cleared_marks().map(str::to_owned).collect(),
        findings: findings::list(&imports, path, inspected.metadata().unload),
    })
}
