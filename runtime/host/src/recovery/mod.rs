//! The start of a runtime: what it restores, and which versions it blocks after a crash.
//! A line belongs here if it decides what a start restores.
//! Never use `runtime` or `watch` here.

pub(crate) mod crashes;
pub(crate) mod post_mortem;
pub(crate) mod restore;
pub(crate) mod start_attempts;
