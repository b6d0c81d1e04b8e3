//! The boundary between the host and an image: calls, replies, links, and the services of the host.
//! A line belongs here if a module calls it, or if it calls a module.
//! Never map or unmap anything here, and never use `image`.

pub(crate) mod context;
pub(crate) mod failure;
pub(crate) mod implementation;
pub(crate) mod interface;
pub(crate) mod layout_report;
pub(crate) mod links;
pub(crate) mod reply;
pub(crate) mod services;
pub(crate) mod vtable;
