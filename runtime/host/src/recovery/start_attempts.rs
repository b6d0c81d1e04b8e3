//! Counts the starts in a row that did not finish.
//!
//! A process that is killed cannot report the cause. If a module uses all memory in its `on_load` and the
//! system kills the process, that looks like a power failure. If such a file is in the modules directory, it
//! would end each process that starts. So a start writes a count to a file, and removes the file when it
//! finishes. After [`UNFINISHED_MAX`] unfinished starts, the next one skips what is new in the modules
//! directory.

use std::{fs, io::ErrorKind, path::PathBuf};

/// How many starts in a row may be killed before the next one runs in safe mode.
const UNFINISHED_MAX: u32 = 2;

/// A start that has not finished. Dropping it removes the file, also if the start failed with an error.
pub(crate) struct StartAttempts {
    path: PathBuf,
    unfinished: u32,
}

// === impl StartAttempts ===

impl StartAttempts {
    /// Counts this start. The file is only a hint: if it cannot be read or written, the start continues in
    /// normal mode.
    pub(crate) fn begin(path: PathBuf) -> Self {
        let unfinished = fs::read_to_string(&path).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        if let Err(error) = fs::write(&path, u32::saturating_add(unfinished, 1).to_string()) {
            tracing::warn!(path = %path.display(), "cannot count this start for safe mode: {error}");
        }
        StartAttempts { path, unfinished }
    }

    /// Whether this start skips new files, because the starts before it did not finish.
    pub(crate) fn safe_mode(&self) -> bool {
        self.unfinished >= UNFINISHED_MAX
    }
}

impl Drop for StartAttempts {
    fn drop(&mut self) {
        // It does not exist if it could not be written.
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(
                path = %self.path.display(),
                "cannot remove the file that counts unfinished starts; remove it, or a later start may skip \
                 new modules: {error}"
            );
        }
    }
}
