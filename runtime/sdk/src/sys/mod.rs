//! The kernel's calls, and libc's own functions, past the hidden symbols of this image.
//! A line belongs here if it reaches either of them and knows nothing of modules.
//! It must never use another room.

pub(crate) mod kernel;
pub(crate) mod own_libc;
