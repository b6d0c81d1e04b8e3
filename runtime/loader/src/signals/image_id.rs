//! Identifies an image to the signal code.

/// An image, identified by the address of its `Context`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageId(pub(crate) usize);
