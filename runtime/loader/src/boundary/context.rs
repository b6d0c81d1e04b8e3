//! The host's data for one image. A module passes the pointer to it in each call to the host.

use std::sync::Arc;

use crate::{
    boundary::{links::Links, services::Services},
    crash::entry::Entry,
    signals::image_id::ImageId,
    threads::started::Threads,
};

/// The data behind [`HostContext`](segue_abi::HostContext). The image and each thread that the module started
/// share it, so the last thread can still remove itself from the list.
pub(crate) struct Context {
    pub(crate) services: Box<dyn Services>,
    pub(crate) threads: Arc<Threads>,
    pub(crate) links: Links,
    /// Identifies the image in the report if it ends the process.
    pub(crate) entry: Entry,
}

impl Context {
    /// Identifies the image to the signal code.
    pub(crate) fn image_id(self: &Arc<Self>) -> ImageId {
        ImageId(Arc::as_ptr(self).addr())
    }
}
