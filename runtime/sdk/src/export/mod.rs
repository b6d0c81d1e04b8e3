//! What makes a crate a module: the macro, the metadata in the file, and the functions that the host calls.
//! A line belongs here if the macro expands to it, or the host enters the module through it.
//! Every other room but `testing` may be used here; none may use this one.

pub(crate) mod entry;
mod macros;
pub mod manifest;
pub mod metadata;
mod symbols;
