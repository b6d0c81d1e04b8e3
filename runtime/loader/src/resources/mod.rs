//! Limited resources of the process: file descriptors and pthread keys.
//! A line belongs here if it counts one of them, for a module or for the process.
//! Never use another room of this crate here.

pub(crate) mod descriptors;
pub(crate) mod keys;
