//! What `std` keeps of the text that a module prints.

use std::io::{self, Write};

/// Writes the text without an end of line that `std` of this image keeps. It would go with the image.
pub(crate) fn flush() {
    // Nobody is left who could be told of an error.
    let _ = io::stdout().flush();
}
