//! The crash reports of a process that has ended, for the program that started it.
//!
//! The next runtime of the same state directory reads the same reports. It also restores the modules, so it
//! loads the file that crashed. A caller that only wants the reports uses [`crashes_in`].

use std::{fs, io, path::Path};

use segue_interface::VersionId;
use segue_loader::{AttributedBy, read_reports};
use serde::{Deserialize, Serialize};

/// The end of a process by a fatal signal, or by a module that called `exit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// The signal: `SIGSEGV`; or `exit(1)`, with the status.
    pub signal: String,
    /// The module whose code ran; null if no module's code ran.
    pub module: Option<String>,
    /// Its version.
    pub version: Option<VersionId>,
    /// The function, or else the offset in the file.
    pub place: Option<String>,
    /// If the version had already been unloaded: how long before the crash, in milliseconds. Null if it was
    /// in memory.
    #[serde(default)]
    pub left_ms: Option<u64>,
    /// How the runtime found the module.
    pub attributed_by: Option<AttributedBy>,
}

/// Reads the crash reports in the state directory of a runtime whose process has ended, oldest first. Loads
/// nothing. `files` are files that the process may have loaded; a report of one of them names the function.
///
/// # Errors
///
/// If the reports cannot be read.
pub fn crashes_in(state_dir: &Path, files: &[&Path]) -> io::Result<Vec<Crash>> {
    let files: Vec<Vec<u8>> = files.iter().filter_map(|path| fs::read(path).ok()).collect();
    let reports = read_reports(&state_dir.join("crashes"))?;
    let crashes = reports.into_iter().map(|report| {
        let offset = report.offset.map(|offset| format!("offset {offset:#x}"));
        let place = files.iter().find_map(|file| report.symbol(file)).or(offset);
        let version = report.version.zip(report.generation);
        Crash {
            signal: report.signal_name,
            module: report.module,
            version: version.map(|(version, generation)| VersionId { version, generation }),
            place,
            left_ms: report.left_ms,
            attributed_by: report.attributed_by,
        }
    });
    Ok(crashes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_reports_has_no_crashes() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(crashes_in(directory.path(), &[]).unwrap(), []);
    }
}
