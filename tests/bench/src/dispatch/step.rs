//! The interface of the fixture `silent`, which includes this very file.

/// What is called in all ways, as a typed interface.
#[segue::interface]
pub(crate) trait Step {
    /// Three times the input.
    fn step(&self, input: u64) -> u64;
}
