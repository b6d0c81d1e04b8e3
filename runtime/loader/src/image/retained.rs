//! An image that was closed.

use std::{fmt, fs, mem::ManuallyDrop, path::Path, sync::Arc, time::Instant};

use libloading::os::unix::Library;
use segue_abi::Audit;

use crate::{
    boundary::context::Context, crash::table::Row, file::candidate::Staged, linker::linkmap,
    resources::descriptors::LeftOpen,
};

/// The image has left memory: the dynamic linker's list says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// Destructors of thread-locals that did not run, since their threads were never detached. What they would have
    /// freed beside memory (a file, a lock) is leaked.
    pub destructors_dropped: u64,
    /// pthread keys that were given back.
    pub keys_deleted: u32,
    /// The memory that the module had not freed, mostly that of its statics, in bytes. It was freed with the image.
    pub leaked_bytes: u64,
    /// The file descriptors that it had opened, and that are open still.
    pub left_open: LeftOpen,
    /// When the dynamic linker's list said so, and the memory had been freed. The private copy is removed after that.
    pub at: Instant,
}

/// An image that was closed, and that the dynamic linker keeps. Nothing of it runs any more. It may go yet
/// ([`sweep`](Retained::sweep)); dropped, it stays.
pub struct Retained {
    backing: ManuallyDrop<Box<Backing>>,
    reason: String,
    /// What is to be told when it has gone.
    left: Audit,
}

/// What must stay for as long as an image is mapped: the heap that its memory is in, the host that it knows.
pub(crate) struct Backing {
    pub(crate) staged: Staged,
    /// None before the host was introduced.
    pub(crate) context: Option<Arc<Context>>,
    /// Its row in the table of images; none where that was full.
    pub(crate) row: Option<Row>,
    /// The memory that the end of the image has itself taken from its heap, in bytes, once its output was written.
    pub(crate) end_bytes: Option<u64>,
}

/// Closes an image, and asks whether it is gone.
pub(crate) fn close(library: Library, backing: Box<Backing>, left: Audit) -> Result<Unmapped, Retained> {
    let reason = match library.close() {
        Ok(()) => "the dynamic linker keeps it: a thread-local destructor, or another library, refers to it"
            .to_owned(),
        Err(error) => format!("the dynamic linker refused to close it: {error}"),
    };
    Retained { backing: ManuallyDrop::new(backing), reason, left }.check_gone()
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

    /// Why, in words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Has the dynamic linker look again, and asks whether the image is gone. Where a thread-local destructor kept it, the
    /// linker would otherwise look at the next time that somebody closes a library.
    ///
    /// # Errors
    ///
    /// Where it is still there.
    pub fn sweep(self) -> Result<Unmapped, Retained> {
        linkmap::collect_unused(self.path());
        self.check_gone()
    }

    fn check_gone(mut self) -> Result<Unmapped, Retained> {
        if linkmap::is_mapped(self.path()) {
            return Err(self);
        }
        // SAFETY: `self` is consumed, and has no destructor. The image is gone, so nobody has a pointer to any of it.
        let Backing { staged, context, row, end_bytes } = *unsafe { ManuallyDrop::take(&mut self.backing) };
        if let Some(row) = row {
            row.record_unmapped();
        }
        drop(context);
        let Staged { path, heap, .. } = staged;
        let leaked_bytes = heap.usage().live_bytes().saturating_sub(end_bytes.unwrap_or(0));
        let left_open = heap.left_open();
        drop(heap);
        let Audit { destructors: destructors_dropped, keys: keys_deleted, .. } = self.left;
        let unmapped =
            Unmapped { destructors_dropped, keys_deleted, leaked_bytes, left_open, at: Instant::now() };
        remove(&path);
        Ok(unmapped)
    }
}

// === impl Staged ===

impl Staged {
    /// Removes the private copy, and frees the heap: of a candidate that will not be mapped after all, or that was.
    pub fn discard(self) {
        remove(&self.path);
    }
}

fn remove(private_copy: &Path) {
    // Where it cannot be removed, the next start does it.
    let _ = fs::remove_file(private_copy);
}
