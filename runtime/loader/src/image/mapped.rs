//! A mapped image, before its module has started and after it has stopped.

use std::{mem::ManuallyDrop, ops::Range, path::Path, sync::Arc, time::Instant};

use libloading::os::unix::Library;
use segue_abi::{Audit, ExportRef, ModuleRootRef};

use crate::{
    boundary::{
        context::Context,
        interface::{Expected, InterfaceMismatch},
    },
    file::{digest::Digest, imports::is_system_library, metadata::Metadata},
    heap::usage::Usage,
    image::retained::Backing,
    linker::stale::StaleLibrary,
    signals::{handlers::forget_running, image_id::ImageId, wake::wake_signal},
    threads::{started::ModuleThread, untracked::UntrackedThreads},
};

/// A mapped image whose module has not started, or has stopped. Nothing in it can be called.
///
/// If it is dropped without [`unmap`](Mapped::unmap), it stays in memory until the process ends, because
/// unmapping needs several steps in order.
pub struct Mapped {
    pub(crate) library: ManuallyDrop<Library>,
    pub(crate) backing: ManuallyDrop<Box<Backing>>,
    /// The addresses of the image.
    pub(crate) range: Range<usize>,
    pub(super) stale_libraries: Vec<StaleLibrary>,
    pub(crate) context: Arc<Context>,
    pub(crate) root: ModuleRootRef,
}

// === impl Mapped ===

impl Mapped {
    /// The metadata in the file.
    pub fn metadata(&self) -> &Metadata {
        &self.backing.staged.metadata
    }

    /// The digest of the file.
    pub fn digest(&self) -> Digest {
        self.backing.staged.digest
    }

    /// The memory that the module has allocated.
    pub fn usage(&self) -> &Arc<Usage> {
        self.backing.staged.heap.usage()
    }

    /// The address space that the image takes, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.range.len() as u64
    }

    /// The generation: the number of the load.
    pub fn generation(&self) -> u64 {
        self.backing.staged.generation
    }

    /// The private copy that is mapped.
    pub fn path(&self) -> &Path {
        &self.backing.staged.path
    }

    /// The libraries that it needs, that were in memory before, and whose files have changed since.
    pub fn stale_libraries(&self) -> &[StaleLibrary] {
        &self.stale_libraries
    }

    /// Whether a crash report would name it. False if too many images are mapped.
    pub fn is_attributed(&self) -> bool {
        self.backing.row.is_some()
    }

    /// Checks an interface of the image against the interface that a caller expects.
    ///
    /// # Errors
    ///
    /// The first mismatch.
    pub fn check_interface(&self, expected: &Expected) -> Result<(), InterfaceMismatch> {
        expected.find(self.exports()).map(drop)
    }

    /// The interfaces that the image exports.
    pub(crate) fn exports(&self) -> &[ExportRef] {
        // SAFETY: the image is mapped, and stays so while it is borrowed.
        unsafe { self.root.interfaces()() }.as_slice()
    }

    /// The threads that the module started and that have not ended.
    pub fn threads(&self) -> Vec<ModuleThread> {
        self.context.threads.list()
    }

    /// Finds threads that [`threads`](Mapped::threads) does not list; `None` if the image links no external
    /// library.
    pub fn untracked_threads(&self) -> Option<UntrackedThreads> {
        let staged = &self.backing.staged;
        if staged.libraries.is_empty() {
            return None;
        }
        let external = staged.survey.paths.keys().filter(|library| !is_system_library(library));
        Some(UntrackedThreads { image: self.range.clone(), libraries: external.cloned().collect() })
    }

    /// Waits for the threads that the module started. Returns false if one is left at the deadline. After it
    /// has returned true, no thread can start in the image.
    pub fn wait_for_threads(&self, deadline: Instant) -> bool {
        self.context.threads.close(deadline)
    }

    /// Ends the threads that the module started, if all of them only wait. Returns how many are ending. While
    /// it is not 0, call it again after a pause: a thread may have been about to wait. The module's value
    /// must have been dropped.
    ///
    /// Values on the threads' stacks are not dropped, and their thread-locals are not destroyed. If the image
    /// links an external library, which may use values on a stack, no thread is ended.
    pub fn end_idle_threads(&self) -> u32 {
        let expected = self.context.threads.count();
        if expected == 0 || !self.backing.staged.libraries.is_empty() || self.audit().unknown_threads > 0 {
            return 0;
        }
        let Some(signal) = wake_signal() else { return 0 };
        // SAFETY: the caller guarantees that no call is inside and the value was dropped. The signal's
        // handler is in the host.
        unsafe { self.root.end_idle_threads()(expected, signal) }
    }

    /// Whether no thread has anything left in the image to destroy: no destructor of a thread-local is
    /// registered, and no pthread key exists.
    pub fn needs_no_detach(&self) -> bool {
        let audit = self.audit();
        audit.destructors == 0 && audit.keys == 0
    }

    /// Destroys what the calling thread has left in the image, and returns how many destructors ran.
    ///
    /// The thread must not be inside a call of the image, and must not enter it again. Inside a call (for
    /// example in a function of [`Services`](crate::Services)) this would destroy thread-locals that the call
    /// is using. If the thread enters the image again and uses its thread-locals, `std` in the image ends the
    /// process.
    pub fn detach_thread(&self) -> u64 {
        forget_running(self.image_id());
        // SAFETY: the image is mapped, and the function only uses data of the calling thread.
        unsafe { self.root.detach_thread()() }
    }

    /// Counts what is left in the image that could run its code later.
    pub fn audit(&self) -> Audit {
        // SAFETY: the image is mapped.
        unsafe { self.root.audit()() }
    }

    pub(crate) fn image_id(&self) -> ImageId {
        self.context.image_id()
    }

    pub(crate) fn root(&self) -> ModuleRootRef {
        self.root
    }
}
