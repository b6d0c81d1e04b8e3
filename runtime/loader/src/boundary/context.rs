//! The host, as one image sees it: what stands behind the pointer that a module hands back.

use std::sync::Arc;

use crate::{
    boundary::{links::Links, services::Services},
    crash::entry::Entry,
    signals::image_id::ImageId,
    threads::started::Threads,
};

/// Stands behind [`HostContext`]. Shared by the image and by each thread that the module started, so that the last of
/// them to go can still count itself out.
pub(crate) struct Context {
    pub(crate) services: Box<dyn Services>,
    pub(crate) threads: Arc<Threads>,
    pub(crate) links: Links,
    /// What is told of the image where it ends the process.
    pub(crate) entry: Entry,
}

impl Context {
    /// Who the image is to those that keep its signal handlers.
    pub(crate) fn image_id(self: &Arc<Self>) -> ImageId {
        ImageId(Arc::as_ptr(self).addr())
    }
}
