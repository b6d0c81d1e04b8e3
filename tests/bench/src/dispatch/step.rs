//! The interface of the fixture `silent`, which includes this file.

/// The measured code as a typed interface.
#[segue::interface]
pub(crate) trait Step {
    /// Returns three times the input.
    fn step(&self, input: u64) -> u64;
}
