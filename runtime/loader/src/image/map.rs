//! Mapping a private copy.

use std::{mem::ManuallyDrop, sync::Arc};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use segue_abi::{
    Audit, ModuleRootRef,
    abi_stable::{
        StableAbi,
        abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals},
        library::{AbiHeaderRef, ROOT_MODULE_LOADER_NAME_WITH_NUL},
    },
};

use crate::{
    boundary::{
        context::Context,
        layout_report::{REPORT_CHARS_MAX, differences},
        links::Links,
        services::Services,
    },
    crash::{entry::Entry, table::TABLE},
    error::MapError,
    file::candidate::Staged,
    image::{
        mapped::Mapped,
        retained::{Backing, Retained, close},
    },
    linker::{linkmap, refused::linker_message, stale},
    resources::{descriptors, keys},
    threads::started::Threads,
};

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
        if let Some((open, limit)) = descriptors::shortage() {
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
        let mut row = TABLE.insert(entry);
        // SAFETY: the file is whole (`elf::inspect`), nobody changes it (it is ours and read-only), and running its
        // constructors is what this function is asked for. RTLD_NOW: a missing symbol is an error here and not later.
        let library = match unsafe { Library::open(Some(&staged.path), RTLD_NOW | RTLD_LOCAL) } {
            Ok(library) => library,
            Err(source) => {
                let error = MapError::from_linker(&source, &staged);
                staged.discard();
                return Err(failed(error, None));
            }
        };
        // The image may go; a library that it has brought in may have threads and callbacks of its own, and stays for all versions.
        if staged.metadata.unload.is_some() {
            staged.libraries.iter().for_each(|library| linkmap::keep_mapped(library));
        }
        let place = linkmap::place_of(&staged.path);
        if let Some(row) = &mut row {
            row.set_place(&place);
        }
        // SAFETY: the image has just been mapped, and stays so while the root module is used: `Mapped` sees to it.
        let root = match unsafe { checked_root(&library) } {
            Ok(root) => root,
            Err(error) => {
                let error = match error {
                    MapError::NoRoot { words } => MapError::NoRoot { words: staged.in_users_words(&words) },
                    error => error,
                };
                let backing = Box::new(Backing { staged, context: None, row, end_bytes: None });
                let retained = close(library, backing, Audit::default()).err();
                return Err(failed(error, retained));
            }
        };
        let stale_libraries = stale::find_stale(&staged.libraries, &staged.survey.places);
        let threads = Arc::new(Threads::new(&staged.metadata.name, staged.generation));
        let context = Arc::new(Context { services, threads, links: Links::default(), entry });
        context.threads.set_detach(root.detach_thread());
        // SAFETY: it is called once, first, and the context is kept until the image has left memory.
        unsafe { root.attach()(context.host_ref(staged.generation)) };
        let backing = Box::new(Backing { staged, context: Some(context.clone()), row, end_bytes: None });
        Ok(Mapped {
            library: ManuallyDrop::new(library),
            backing: ManuallyDrop::new(backing),
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
        .map_err(|source| MapError::NoRoot { words: linker_message(&source) })?;
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
