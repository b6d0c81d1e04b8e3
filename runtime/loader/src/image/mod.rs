//! An image in memory: mapped, started, stopped, unmapped, proven gone.
//! A line belongs here if it takes an image from one of these states to the next.
//! Every other room may be used here; none may use this one.

pub(crate) mod map;
pub(crate) mod mapped;
pub(crate) mod obstacle;
pub(crate) mod retained;
pub(crate) mod started;
pub(crate) mod unmap;
