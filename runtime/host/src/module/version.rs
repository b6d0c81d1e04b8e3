//! One version of a module in memory: the occupant of a cell.

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

/// Information about a version. It outlives the version's image.
pub(crate) struct VersionInfo {
    pub(crate) module: Arc<str>,
    pub(crate) id: VersionId,
    pub(crate) digest: Digest,
    pub(crate) source: String,
    pub(crate) loaded_at: Timestamp,
    /// The memory that it has allocated. Set when it is mapped.
    pub(crate) usage: OnceLock<Arc<Usage>>,
    /// The address space of its image. Set when it is mapped.
    pub(crate) image_bytes: OnceLock<u64>,
    /// Whether the code inside was asked to end. It orders no other memory access, so Relaxed is enough.
    pub(crate) is_cancelled: AtomicBool,
    /// Who requested its purge, if anybody did.
    pub(crate) purge_requested_by: Mutex<Option<Actor>>,
    /// The number of owned guards inside. Only a counter, so Relaxed is enough.
    pub(crate) owned_guards: AtomicU64,
    /// Where threads that the runtime did not count may come from. Set when the version stays in memory for
    /// good.
    pub(crate) untracked_threads: OnceLock<UntrackedThreads>,
    /// The number of its idle threads that the runtime ended. Only a counter, so Relaxed is enough.
    pub(crate) threads_ended: AtomicU32,
}

/// A version that calls can enter.
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
            purge_requested_by: Mutex::new(None),
            owned_guards: AtomicU64::new(0),
            untracked_threads: OnceLock::new(),
            threads_ended: AtomicU32::new(0),
        }
    }

    /// The bytes that it has allocated and not freed; `None` if it was not mapped.
    pub(crate) fn live_bytes(&self) -> Option<u64> {
        self.usage.get().map(|usage| usage.live_bytes())
    }

    /// The memory of its image and its allocations, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.image_bytes.get().copied().unwrap_or(0) + self.live_bytes().unwrap_or(0)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

impl Occupant for Version {
    /// The calling thread ends. Destroys its thread-locals in the image, on that thread.
    fn on_thread_exit(&self) {
        self.image.detach_thread();
    }
}
