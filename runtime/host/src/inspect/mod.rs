//! The reports of `status` and `pins`.
//! A line belongs here if it only reads.
//! Never use anything that changes state here.

pub(crate) mod call_pins;
pub(crate) mod kept;
pub(crate) mod obstacle_pins;
pub(crate) mod pins;
pub(crate) mod status;
