//! Reading a file without running it.

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

/// What a file says of itself, and is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// What the module's author put into it.
    #[serde(flatten)]
    pub metadata: Metadata,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// How long it is, in bytes.
    pub size_bytes: u64,
    /// Marks in the file by which the dynamic linker would never unmap it, as `DF_1_NODELETE`. A load clears them in its
    /// private copy.
    pub cleared: Vec<String>,
    /// What it links, imports and asks for that matters when it leaves, or that this system lacks.
    pub findings: Vec<Finding>,
}

/// Reads a file as a load does, up to where something of it would be executed.
///
/// # Errors
///
/// Where a load would refuse it for what it is.
pub fn check(path: &Path) -> Result<FileReport, Error> {
    let inspected = read(path, &mut LoadTimings::default())?;
    let imports =
        Imports::read(inspected.bytes()).map_err(|source| Error::Check { path: path.to_owned(), source })?;
    Ok(FileReport {
        metadata: inspected.metadata().clone(),
        digest: inspected.digest(),
        size_bytes: inspected.size_bytes(),
        cleared: inspected.cleared_marks().map(str::to_owned).collect(),
        findings: findings::of(&imports, path, inspected.metadata().unload),
    })
}
