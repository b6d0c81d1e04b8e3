//! An image in memory, before its module has started and after it has ended.

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

/// An image in memory whose module has not started, or has ended. Nothing can be called in it.
///
/// Dropped without [`unmap`](Mapped::unmap), it stays in memory for ever: leaving needs its order.
pub struct Mapped {
    pub(crate) library: ManuallyDrop<Library>,
    pub(crate) backing: ManuallyDrop<Box<Backing>>,
    /// Where in memory it is.
    pub(crate) range: Range<usize>,
    pub(super) stale_libraries: Vec<StaleLibrary>,
    pub(crate) context: Arc<Context>,
    pub(crate) root: ModuleRootRef,
}

// === impl Mapped ===

impl Mapped {
    /// What the file says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.backing.staged.metadata
    }

    /// The digest of the file.
    pub fn digest(&self) -> Digest {
        self.backing.staged.digest
    }

    /// How much memory it has.
    pub fn usage(&self) -> &Arc<Usage> {
        self.backing.staged.heap.usage()
    }

    /// How much address space its file takes, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.range.len() as u64
    }

    /// Which load it is.
    pub fn generation(&self) -> u64 {
        self.backing.staged.generation
    }

    /// The private copy that is mapped.
    pub fn path(&self) -> &Path {
        &self.backing.staged.path
    }

    /// The libraries that it names, that were in memory before, and whose files have changed since.
    pub fn stale_libraries(&self) -> &[StaleLibrary] {
        &self.stale_libraries
    }

    /// Whether a report of a crash in it would name it. Not where too many images are mapped.
    pub fn is_attributed(&self) -> bool {
        self.backing.row.is_some()
    }

    /// Checks an interface of the image against what a caller expects of it.
    ///
    /// # Errors
    ///
    /// The first thing that does not fit.
    pub fn check_interface(&self, expected: &Expected) -> Result<(), InterfaceMismatch> {
        expected.find(self.exports()).map(drop)
    }

    /// What it exports.
    pub(crate) fn exports(&self) -> &[ExportRef] {
        // SAFETY: the image is mapped, and stays so while it is borrowed.
        unsafe { self.root.interfaces()() }.as_slice()
    }

    /// The threads that the module started and that have not ended.
    pub fn threads(&self) -> Vec<ModuleThread> {
        self.context.threads.list()
    }

    /// Who could have started threads that are not among these; none if the image uses no library outside of it.
    pub fn untracked_threads(&self) -> Option<UntrackedThreads> {
        let staged = &self.backing.staged;
        if staged.libraries.is_empty() {
            return None;
        }
        let came = staged.survey.places.keys().filter(|library| !is_system_library(library));
        Some(UntrackedThreads { image: self.range.clone(), libraries: came.cloned().collect() })
    }

    /// Waits for the threads that the module started; false where one is left at the deadline. Once it has answered true,
    /// no thread can begin in the image.
    pub fn wait_for_threads(&self, deadline: Instant) -> bool {
        self.context.threads.close(deadline)
    }

    /// Ends the threads that the module started, if all of them do nothing but wait; how many are about to end. To be called again
    /// while it is not 0: a thread may have been about to wait. The module's state must have been dropped.
    ///
    /// What is on the threads' stacks is not dropped, and their thread-locals are not destroyed. Where a library outside the
    /// image may use what is on a stack, no thread is ended.
    pub fn end_idle_threads(&self) -> u32 {
        let expected = self.context.threads.count();
        if expected == 0 || !self.backing.staged.libraries.is_empty() || self.audit().unknown_threads > 0 {
            return 0;
        }
        let Some(signal) = wake_signal() else { return 0 };
        // SAFETY: nobody is inside, and the state was dropped: our caller's promise. The signal's handler is the host's.
        unsafe { self.root.end_idle_threads()(expected, signal) }
    }

    /// Whether no thread can have anything left to destroy in the image: no destructor of a thread-local is registered, and
    /// no pthread key exists.
    pub fn needs_no_detach(&self) -> bool {
        let audit = self.audit();
        audit.destructors == 0 && audit.keys == 0
    }

    /// Runs what the calling thread has left to destroy in the image, and says how many destructors ran.
    ///
    /// It is for a thread that is not inside a call of the image, and will not enter it again: inside a call (in a function
    /// of [`Services`](crate::Services), say) it would destroy thread-locals that the call is using; and where the thread comes back and uses
    /// its thread-locals, `std` in there ends the process.
    pub fn detach_thread(&self) -> u64 {
        forget_running(self.image_id());
        // SAFETY: the image is mapped, and the function only looks at what this thread left.
        unsafe { self.root.detach_thread()() }
    }

    /// What is left in the image that could run its code later.
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
