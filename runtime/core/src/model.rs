//! What the loom models need beyond the public API.

use crate::thread_exit;

pub use crate::mutation::{Mutation, mutate};

/// Runs the exit hooks of the calling thread. A model calls it at the end of its thread: loom removes all
/// thread-locals before it runs the first destructor, and the standard library does not.
pub fn exit_thread() {
    thread_exit::run_hooks();
}
