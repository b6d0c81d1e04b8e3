//! An image in memory: it is mapped, started, stopped, unmapped, and proven gone.
//! A line belongs here if it moves an image from one of these states to the next.
//! All other rooms may be used here. None of them may use this one.

pub(crate) mod map;
pub(crate) mod mapped;
pub(crate) mod obstacle;
pub(crate) mod retained;
pub(crate) mod started;
pub(crate) mod unmap;
