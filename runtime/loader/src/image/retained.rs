//! Closes an image, and proves that it is gone.

use std::{fmt, fs, mem::ManuallyDrop, path::Path, sync::Arc, time::Instant};

use libloading::os::unix::Library;
use segue_abi::Audit;

use crate::{
    boundary::context::Context, crash::table::Row, file::candidate::Staged, linker::linkmap,
    resources::descriptors::LeftOpen,
};

/// The image has left memory: the dynamic linker's list no longer has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// Destructors of thread-locals that did not run, because their threads were never detached. Resources
    /// other than memory that they would have freed, such as a file or a lock, are leaked.
    pub destructors_dropped: u64,
    /// pthread keys that were deleted.
    pub keys_deleted: u32,
    /// The memory that the module had not freed, in bytes. Most of it belongs to statics. It was freed with
    /// the image.
    pub leaked_bytes: u64,
    /// The file descriptors that the module opened and that are still open.
    pub left_open: LeftOpen,
    /// When the unmapping was proven and the memory was freed. The private copy is removed after that.
    pub at: Instant,
}

/// An image that was closed, but that the dynamic linker keeps. None of its code runs any more.
/// [`sweep`](Retained::sweep) tries again to unmap it. If it is dropped, it stays in memory.
pub struct Retained {
    backing: ManuallyDrop<Box<Backing>>,
    reason: String,
    /// What was left in it, for the report when it is gone.
    audit: Audit,
}

/// What must live as long as an image is mapped: the heap of its allocations, and the services that it calls.
pub(crate) struct Backing {
    pub(crate) staged: Staged,
    /// `None` if the image was not attached to the host.
    pub(crate) context: Option<Arc<Context>>,
    /// Its row in the table of images; `None` if the table was full.
    pub(crate) row: Option<Row>,
    /// The memory that flushing its output allocated, in bytes; `None` before the flush.
    pub(crate) end_bytes: Option<u64>,
}

/// Closes an image, and checks whether it is gone.
pub(crate) fn close(library: Library, backing: Box<Backing>, audit: Audit) -> Result<Unmapped, Retained> {
    let reason = match library.close() {
        Ok(()) => "the dynamic linker keeps it: a thread-local destructor or another library refers to it"
            .to_owned(),
        Err(error) => format!("the dynamic linker refused to close it: {error}"),
    };
    Retained { backing: ManuallyDrop::new(backing), reason, audit }.check_gone()
}

// === impl Retained ===

impl fmt::Debug for Retained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retained").field("path", &self.path()).field("reason", &self.reason).finish()
    }
}

impl Retained {
    /// The private copy that is mapped.
    pub fn path(&self) -> &Path {
        &self.backing.staged.path
    }

    /// Why it is kept.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Makes the dynamic linker collect unused images, and checks whether the image is gone. Otherwise, an
    /// image that a thread-local destructor kept would stay until something closes another library.
    ///
    /// # Errors
    ///
    /// If the image is still mapped.
    pub fn sweep(self) -> Result<Unmapped, Retained> {
        linkmap::collect_unused(self.path());
        self.check_gone()
    }

    fn check_gone(mut self) -> Result<Unmapped, Retained> {
        if linkmap::is_mapped(self.path()) {
            return Err(self);
        }
        // SAFETY: `self` is consumed, and has no destructor. The image is gone, so nothing points into it.
        let Backing { staged, context, row, end_bytes } = *unsafe { ManuallyDrop::take(&mut self.backing) };
        if let Some(row) = row {
            row.record_unmapped();
        }
        drop(context);
        let Staged { path, heap, .. } = staged;
        let leaked_bytes = heap.usage().live_bytes().saturating_sub(end_bytes.unwrap_or(0));
        let left_open = heap.left_open();
        drop(heap);
        let Audit { destructors: destructors_dropped, keys: keys_deleted, .. } = self.audit;
        let unmapped =
            Unmapped { destructors_dropped, keys_deleted, leaked_bytes, left_open, at: Instant::now() };
        remove(&path);
        Ok(unmapped)
    }
}

// === impl Staged ===

impl Staged {
    /// Removes the private copy and frees the heap. The copy must not be mapped.
    pub fn discard(self) {
        remove(&self.path);
    }
}

fn remove(private_copy: &Path) {
    // If this fails, the next start of the runtime removes it.
    let _ = fs::remove_file(private_copy);
}
