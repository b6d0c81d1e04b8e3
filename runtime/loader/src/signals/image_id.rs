//! An image, as the keepers of its signal handlers know it.

/// An image, by the address of what the host keeps for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageId(pub(crate) usize);
