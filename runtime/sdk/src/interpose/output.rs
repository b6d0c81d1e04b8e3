//! What `std` keeps of the text that a module prints.

use std::io::{self, Write};

use crate::idle;

/// Writes the text without an end of line that `std` of this image keeps. It would go with the image. Not if
/// a thread has ended early: it may have the lock.
pub(crate) unsafe extern "C" fn flush() {
    if !idle::has_ended_any() {
        // Nobody is left who could be told of an error.
        let _ = io::stdout().flush();
    }
}
