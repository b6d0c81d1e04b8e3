//! Makes a crate a module: the macro, the metadata in the file, and the functions that the host calls.
//! Put a line here if `export_module!` expands to it, or if the host enters the module through it.
//! No other room may use this one, and this one must never use `testing`.

pub(crate) mod entry;
mod libc_symbols;
mod macros;
pub mod manifest;
pub mod metadata;
