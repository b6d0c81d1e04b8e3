//! What `status` and `pins` report.
//! A line belongs here if it only reads.
//! Never use anything that changes state here.

pub(crate) mod kept;
pub(crate) mod pins;
pub(crate) mod status;
