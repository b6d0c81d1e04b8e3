//! One version of a module, in memory: what occupies a cell.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use segue_core::Occupant;
use segue_interface::VersionId;
use segue_loader::{Digest, Image, UntrackedThreads, Usage};

use crate::api::Actor;

/// What is told of a version, and stays true when its image is gone.
pub(crate) struct VersionInfo {
    pub(crate) module: Arc<str>,
    pub(crate) id: VersionId,
    pub(crate) digest: Digest,
    pub(crate) source: String,
    pub(crate) loaded_at: Timestamp,
    /// How much memory it has; known once it is mapped.
    pub(crate) usage: OnceLock<Arc<Usage>>,
    /// How much address space its file takes; known once it is mapped.
    pub(crate) image_bytes: OnceLock<u64>,
    /// Whether what runs in it is asked to come to its end. Nothing else is told by it: Relaxed is enough.
    pub(crate) is_cancelled: AtomicBool,
    /// Who asked for it to be purged, if anybody.
    pub(crate) purge_asked: Mutex<Option<Actor>>,
    /// Guards inside it that may be on any thread. Only counted: Relaxed is enough.
    pub(crate) owned_guards: AtomicU64,
    /// Who could have threads in it that nobody has counted; known once it stays in memory for good.
    pub(crate) outside: OnceLock<UntrackedThreads>,
    /// Its idle threads that were ended. Only told: Relaxed is enough.
    pub(crate) threads_ended: AtomicU32,
}

/// A version that can be entered.
pub(crate) struct Version {
    pub(crate) image: Image,
    pub(crate) info: Arc<VersionInfo>,
}

impl VersionInfo {
    pub(crate) fn new(module: Arc<str>, id: VersionId, digest: Digest, source: String) -> Self {
        VersionInfo {
            module,
            id,
            digest,
            source,
            loaded_at: Timestamp::now(),
            usage: OnceLock::new(),
            image_bytes: OnceLock::new(),
            is_cancelled: AtomicBool::new(false),
            purge_asked: Mutex::new(None),
            owned_guards: AtomicU64::new(0),
            outside: OnceLock::new(),
            threads_ended: AtomicU32::new(0),
        }
    }

    /// The bytes that it has allocated, where it was mapped.
    pub(crate) fn live_bytes(&self) -> Option<u64> {
        self.usage.get().map(|usage| usage.live_bytes())
    }

    /// The memory that it takes: its image and what it has allocated, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.image_bytes.get().copied().unwrap_or(0) + self.live_bytes().unwrap_or(0)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

impl Occupant for Version {
    /// The calling thread ends: what it has left in the image is destroyed here, where it belongs.
    fn depart(&self) {
        self.image.detach_thread();
    }
}
