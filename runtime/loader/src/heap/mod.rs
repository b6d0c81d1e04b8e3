//! The memory of one image: it is allocated, counted, and freed as a whole.
//! A line belongs here if a module's allocation runs it, or if it frees what a module left.
//! Never use `file` or a room above it here.

pub(crate) mod calls;
pub(crate) mod growth;
pub(crate) mod image_heap;
pub(crate) mod malloc;
pub(crate) mod mappings;
pub(crate) mod raw;
pub(crate) mod thread_exit;
pub(crate) mod usage;

#[cfg(test)]
mod tests;
