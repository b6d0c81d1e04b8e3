//! Whether the starts before this one came to their end.
//!
//! A process that is killed says nothing of whose doing it was: a module that takes all memory in its start, and is ended by the
//! system for it, looks like a machine that lost its power. Where it is a file that was dropped in, it would end each process that
//! begins anew. So a start that has not ended is counted, in a file that is removed at its end; and after [`MOST`] of them one
//! leaves behind what is new in the modules directory.

use std::{fs, io::ErrorKind, path::PathBuf};

/// So many starts in a row may end in their midst before one does without what is new.
const MOST: u32 = 2;

/// This start, until it has come to its end, well or by an error.
pub(crate) struct StartAttempts {
    path: PathBuf,
    unfinished: u32,
}

// === impl Beginning ===

impl StartAttempts {
    /// It begins. The file is no more than a hint: where it cannot be read or written, nothing is concluded from it.
    pub(crate) fn note(path: PathBuf) -> Self {
        let unfinished = fs::read_to_string(&path).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        if let Err(error) = fs::write(&path, u32::saturating_add(unfinished, 1).to_string()) {
            tracing::warn!(path = %path.display(), "whether this start comes to its end cannot be noted: {error}");
        }
        StartAttempts { path, unfinished }
    }

    /// Whether so many before it did not come to their end that it must be more careful than they were.
    pub(crate) fn safe_mode(&self) -> bool {
        self.unfinished >= MOST
    }
}

impl Drop for StartAttempts {
    fn drop(&mut self) {
        // It may never have been there.
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), "that this start has come to its end cannot be noted: {error}");
        }
    }
}
