//! Reads and checks a file without running any of its code.
//! A line belongs here if it reads or checks a file that may become a version.
//! Never use `load` or `module` here.

pub(crate) mod check;
pub(crate) mod findings;
pub(crate) mod read;

pub(crate) use read::{inspect, read};
