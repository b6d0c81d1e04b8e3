//! One version of a module, in memory: what occupies a cell.

use std::sync::Arc;

use jiff::Timestamp;
use segue_core::Occupant;
use segue_loader::{Digest, Image};

use crate::VersionId;

/// What is told of a version, and stays true when its image is gone.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) module: Arc<str>,
    pub(crate) id: VersionId,
    pub(crate) digest: Digest,
    pub(crate) source: String,
    pub(crate) loaded_at: Timestamp,
}

/// A version that can be entered.
pub(crate) struct Version {
    pub(crate) image: Image,
    pub(crate) about: Arc<About>,
}

impl Occupant for Version {
    /// The calling thread ends: what it has left in the image is destroyed here, where it belongs.
    fn depart(&self) {
        self.image.detach_thread();
    }
}
