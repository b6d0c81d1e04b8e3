//! Flushes the output of `println!` that `std` of this image buffers.

use std::io::{self, Write};

use crate::idle;

/// Writes the buffered text that has no line end yet. It would be lost with the image. Does nothing if a
/// thread was ended early, because that thread may hold the lock of stdout.
pub(crate) unsafe extern "C" fn flush() {
    if !idle::any_ended_early() {
        // An error is ignored, because the module is already unloading and cannot handle it.
        let _ = io::stdout().flush();
    }
}
