//! Text that several commands share.
//! A line belongs here if two commands, or a command and an event's text, print the same thing.
//! Never ask the runtime here, and never print.

pub(crate) mod pin;
pub(crate) mod purged;
pub(crate) mod stickiness;
pub(crate) mod version;
