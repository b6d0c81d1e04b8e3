//! An image in memory, before its module has started and after it has ended.

use std::{mem::ManuallyDrop, ops::Range, path::Path, ptr, sync::Arc, time::Instant};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use segue_abi::{
    Audit, ExportRef, ModuleRootRef, Outcome,
    abi_stable::{
        StableAbi,
        abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals},
        library::{AbiHeaderRef, ROOT_MODULE_LOADER_NAME_WITH_NUL},
    },
};

use crate::{
    CallFault, Digest, Expected, Image, InterfaceMismatch, MapError, Metadata, ModuleThread, Outside,
    ReplyBuffer, Retained, Services, Staged, Usage,
    context::{Context, take_failure},
    crash::{Entry, TABLE},
    descriptors,
    imports::is_system_library,
    keys,
    leaving::{Remains, close},
    link::Links,
    linkmap,
    refused::words_of,
    signals::{self, ImageId},
    stale::{self, StaleLibrary},
    threads::Threads,
};

/// How much of the layout check's report is kept, in characters: the first differences, of which there may be many.
const REPORT_CHARS_MAX: usize = 1000;

/// An image in memory whose module has not started, or has ended. Nothing can be called in it.
///
/// Dropped without [`unmap`](Mapped::unmap), it stays in memory for ever: leaving needs its order.
pub struct Mapped {
    pub(crate) library: ManuallyDrop<Library>,
    pub(crate) remains: ManuallyDrop<Box<Remains>>,
    /// Where in memory it is.
    pub(crate) range: Range<usize>,
    stale_libraries: Vec<StaleLibrary>,
    pub(crate) context: Arc<Context>,
    pub(crate) root: ModuleRootRef,
}

/// A module that refused to start, with its image, which is to be taken down like any other.
pub struct Vetoed {
    /// The image.
    pub mapped: Mapped,
    /// The module's fault, or its panic.
    pub fault: CallFault,
}

/// Why a file was not mapped.
#[derive(Debug)]
pub struct MapFailure {
    /// What went wrong.
    pub error: MapError,
    /// Where the image was in memory already and could not leave it.
    pub retained: Option<Retained>,
}

// === impl Staged ===

impl Staged {
    /// Maps the private copy, checks the layout of what it exports, and introduces the host.
    ///
    /// This runs the file's constructors, and so trusts whoever made it, as all code in a process must be trusted. Where
    /// it fails, the image is taken down again, and the private copy removed.
    ///
    /// # Errors
    ///
    /// Where the dynamic linker refuses the file, or what it exports does not fit.
    pub fn map(self, services: Box<dyn Services>) -> Result<Mapped, MapFailure> {
        let failed = |error, retained| MapFailure { error, retained };
        let staged = self;
        if !linkmap::place_of(&staged.path).whole.is_empty() {
            staged.discard();
            return Err(failed(MapError::NotNew, None));
        }
        if keys::are_scarce() {
            staged.discard();
            let (taken, limit) = (keys::keys_in_use(), keys::limit());
            return Err(failed(MapError::KeysScarce { taken, limit }, None));
        }
        if let Some((open, limit)) = descriptors::are_scarce() {
            staged.discard();
            return Err(failed(MapError::DescriptorsScarce { open, limit }, None));
        }
        if let Some(file) = staged.survey.executable_stack.clone() {
            staged.discard();
            let words = "all stacks of the process would become executable".to_owned();
            return Err(failed(MapError::ExecutableStack { file: Some(file), words }, None));
        }
        if let Some(path) = stale::overwritten(&staged.libraries) {
            staged.discard();
            return Err(failed(MapError::LibraryOverwritten { path }, None));
        }
        // Before its constructors run, so that a crash in one of them is told as its own.
        let entry = Entry::opening(&staged);
        let mut row = TABLE.enter(entry);
        // SAFETY: the file is whole (`elf::inspect`), nobody changes it (it is ours and read-only), and running its
        // constructors is what this function is asked for. RTLD_NOW: a missing symbol is an error here and not later.
        let library = match unsafe { Library::open(Some(&staged.path), RTLD_NOW | RTLD_LOCAL) } {
            Ok(library) => library,
            Err(source) => {
                let error = MapError::refused(&source, &staged);
                staged.discard();
                return Err(failed(error, None));
            }
        };
        // The image may go; a library that it has brought in may have threads and callbacks of its own, and stays for all versions.
        if staged.metadata.unload.is_some() {
            staged.libraries.iter().for_each(|library| linkmap::keep(library));
        }
        let place = linkmap::place_of(&staged.path);
        if let Some(row) = &mut row {
            row.place(&place);
        }
        // SAFETY: the image has just been mapped, and stays so while the root module is used: `Mapped` sees to it.
        let root = match unsafe { checked_root(&library) } {
            Ok(root) => root,
            Err(error) => {
                let error = match error {
                    MapError::NoRoot { words } => MapError::NoRoot { words: staged.in_users_words(&words) },
                    error => error,
                };
                let remains = Box::new(Remains { staged, context: None, row, end_bytes: None });
                let retained = close(library, remains, Audit::default()).err();
                return Err(failed(error, retained));
            }
        };
        let stale_libraries = stale::look(&staged.libraries, &staged.survey.places);
        let threads = Threads::new(&staged.metadata.name, staged.generation);
        let context = Arc::new(Context { services, threads, links: Links::default(), entry });
        context.threads.set_detach(root.detach_thread());
        // SAFETY: it is called once, first, and the context is kept until the image has left memory.
        unsafe { root.attach()(context.host_ref(staged.generation)) };
        let remains = Box::new(Remains { staged, context: Some(context.clone()), row, end_bytes: None });
        Ok(Mapped {
            library: ManuallyDrop::new(library),
            remains: ManuallyDrop::new(remains),
            range: place.whole,
            stale_libraries,
            context,
            root,
        })
    }
}

/// The root module of an image, after its layout was checked type by type.
///
/// # Safety
///
/// The image must stay mapped while the answer is used.
unsafe fn checked_root(library: &Library) -> Result<ModuleRootRef, MapError> {
    let layout =
        |reason: String| MapError::Layout { reason: reason.chars().take(REPORT_CHARS_MAX).collect() };
    // SAFETY: a symbol of this name is such a reference: abi_stable checks its magic bytes next.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_MODULE_LOADER_NAME_WITH_NUL.as_bytes()) }
        .map_err(|source| MapError::NoRoot { words: words_of(&source) })?;
    let header = header.upgrade().map_err(|error| layout(error.to_string()))?;
    let found = header.layout().ok_or_else(|| layout("the file does not describe its layout".to_owned()))?;
    // Each check gets a memory of its own. The one that abi_stable shares keeps references into the images it has seen,
    // and follows them when a later image has another number of fields: after an unload, that is a crash.
    let memory = CheckingGlobals::new();
    // The report refers to the image, so it becomes text while that is mapped.
    check_layout_compatibility_with_globals(<ModuleRootRef as StableAbi>::LAYOUT, found, &memory)
        .map_err(|errors| layout(differences(&errors.to_string())))?;
    drop(memory);
    // SAFETY: the layout was checked just now.
    unsafe { header.unchecked_layout::<ModuleRootRef>() }.map_err(|error| layout(format!("{error:?}")))
}

/// What differs, out of the layout check's report: that describes both types whole, over pages, and then each difference in a
/// paragraph that begins with `Error:`.
pub(crate) fn differences(report: &str) -> String {
    let mut differences: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in report.lines().map(str::trim) {
        if let Some(difference) = line.strip_prefix("Error:") {
            is_inside = true;
            differences.push(difference.to_owned());
        } else if line.is_empty() {
            is_inside = false;
        } else if let Some(difference) = differences.last_mut().filter(|_| is_inside) {
            difference.push(' ');
            difference.push_str(line);
        }
    }
    differences.join("; ").chars().take(REPORT_CHARS_MAX).collect()
}

// === impl Mapped ===

impl Mapped {
    /// Lets the module start.
    ///
    /// # Errors
    ///
    /// The module's veto, with the image.
    pub fn on_load(self) -> Result<Image, Box<Vetoed>> {
        let mut reply = ReplyBuffer::new();
        let mut state = ptr::null_mut();
        // SAFETY: the host was attached in `map`, and this is called once: it consumes the `Mapped`, and `Image::unload`
        // makes one that is only to be unmapped.
        let outcome = unsafe { self.root.on_load()(reply.raw(), &mut state) };
        match (outcome, ptr::NonNull::new(state)) {
            (Outcome::Done, Some(state)) => Ok(Image::new(self, state)),
            (outcome, _) => Err(Box::new(Vetoed { fault: fault(outcome, reply), mapped: self })),
        }
    }

    /// What the file says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.remains.staged.metadata
    }

    /// The digest of the file.
    pub fn digest(&self) -> Digest {
        self.remains.staged.digest
    }

    /// How much memory it has.
    pub fn usage(&self) -> &Arc<Usage> {
        self.remains.staged.heap.usage()
    }

    /// How much address space its file takes, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.range.len() as u64
    }

    /// Which load it is.
    pub fn generation(&self) -> u64 {
        self.remains.staged.generation
    }

    /// The private copy that is mapped.
    pub fn path(&self) -> &Path {
        &self.remains.staged.path
    }

    /// The libraries that it names, that were in memory before, and whose files have changed since.
    pub fn stale_libraries(&self) -> &[StaleLibrary] {
        &self.stale_libraries
    }

    /// Whether a report of a crash in it would name it. Not where too many images are mapped.
    pub fn is_attributed(&self) -> bool {
        self.remains.row.is_some()
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
    pub fn outside(&self) -> Option<Outside> {
        let staged = &self.remains.staged;
        if staged.libraries.is_empty() {
            return None;
        }
        let came = staged.survey.places.keys().filter(|library| !is_system_library(library));
        Some(Outside { image: self.range.clone(), libraries: came.cloned().collect() })
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
        if expected == 0 || !self.remains.staged.libraries.is_empty() || self.audit().unknown_threads > 0 {
            return 0;
        }
        let Some(signal) = signals::wake_signal() else { return 0 };
        // SAFETY: nobody is inside, and the state was dropped: our caller's promise. The signal's handler is the host's.
        unsafe { self.root.end_idle_threads()(expected, signal) }
    }

    /// Whether no thread can have anything left to destroy in the image: no destructor of a thread-local is registered, and
    /// no pthread key exists.
    pub fn is_left_clean(&self) -> bool {
        let audit = self.audit();
        audit.destructors == 0 && audit.keys == 0
    }

    /// Runs what the calling thread has left to destroy in the image, and says how many destructors ran.
    ///
    /// It is for a thread that is not inside a call of the image, and will not enter it again: inside a call (in a function
    /// of [`Services`], say) it would destroy thread-locals that the call is using; and where the thread comes back and uses
    /// its thread-locals, `std` in there ends the process.
    pub fn detach_thread(&self) -> u64 {
        signals::leave(self.image_id());
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

/// What to tell of a call that was not done.
pub(crate) fn fault(outcome: Outcome, reply: ReplyBuffer) -> CallFault {
    match outcome {
        Outcome::Panicked => take_failure(outcome),
        Outcome::Fault => CallFault::Fault { text: reply.fault },
        Outcome::Done => CallFault::Fault { text: "it made no state".to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_pages_becomes_its_differences() {
        let report = "Compared <this>:\n  type:A\n\n  Error:incompatible type size\n  Expected:\n    56\n  Found:\n    24\n    \n  Layout of x\n\n  Error:too many fields\n  Expected:\n    7\n";
        assert_eq!(
            differences(report),
            "incompatible type size Expected: 56 Found: 24; too many fields Expected: 7"
        );
    }
}
