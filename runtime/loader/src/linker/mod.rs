//! The dynamic linker: which images and libraries it has mapped, its errors, and addresses that stay
//! reserved. A line belongs here if it asks the dynamic linker or the kernel what is in memory. Never use
//! `crash` or a room above it.

pub(crate) mod linkmap;
pub(crate) mod open_error;
pub(crate) mod reserve;
pub(crate) mod stale;
