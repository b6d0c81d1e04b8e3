//! Loads: which files are taken, what is refused, and what becomes current when.

mod concurrent;
mod files;
mod instances;
mod layouts;
mod lifecycle;
mod linker;
mod never_unloaded;
mod on_load;
mod on_load_replacing;
mod refusals;
mod sets;
mod versions;
