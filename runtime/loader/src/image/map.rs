//! Maps a private copy.

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
    linker::{linkmap, open_error::linker_message, stale},
    resources::{descriptors, keys},
    threads::started::Threads,
};

/// Why a file was not mapped.
#[derive(Debug)]
pub struct MapFailure {
    /// What went wrong.
    pub error: MapError,
    /// The image, if it was mapped and cannot be unmapped.
    pub retained: Option<Retained>,
}

// === impl Staged ===

impl Staged {
    /// Maps the private copy, checks the layout of its exports, and passes the host's services to it.
    ///
    /// This runs the file's constructors, so the file must be trusted like all code in the process. If it
    /// fails, the image is unmapped and the private copy is removed.
    ///
    /// # Errors
    ///
    /// If the dynamic linker refuses the file, or its exports do not match.
    pub fn map(self, services: Box<dyn Services>) -> Result<Mapped, MapFailure> {
        let failed = |error, retained| MapFailure { error, retained };
        let staged = self;
        if !linkmap::addresses_of(&staged.path).span.is_empty() {
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
            let linker_message = "it would make every stack of the process executable".to_owned();
            return Err(failed(MapError::ExecutableStack { file: Some(file), linker_message }, None));
        }
        if let Some(path) = stale::overwritten(&staged.libraries) {
            staged.discard();
            return Err(failed(MapError::LibraryOverwritten { path }, None));
        }
        // Before the constructors run, so a crash in one of them is attributed to the image.
        let entry = Entry::opening(&staged);
        let mut row = TABLE.insert(entry);
        // SAFETY: the file is complete (`elf::inspect`), nothing changes it (it is private and read-only),
        // and running its constructors is the purpose of this function. RTLD_NOW: a missing symbol is an
        // error here and not later.
        let library = match unsafe { Library::open(Some(&staged.path), RTLD_NOW | RTLD_LOCAL) } {
            Ok(library) => library,
            Err(source) => {
                let error = MapError::from_linker(&source, &staged);
                staged.discard();
                return Err(failed(error, None));
            }
        };
        // The image can be unloaded. A library that it loaded may have threads and callbacks of its own, so
        // it stays.
        if staged.metadata.unload.is_some() {
            staged.libraries.iter().for_each(|library| linkmap::keep_mapped(library));
        }
        let addresses = linkmap::addresses_of(&staged.path);
        if let Some(row) = &mut row {
            row.set_addresses(&addresses);
        }
        // SAFETY: the image has just been mapped, and `Mapped` keeps it mapped while the root module is used.
        let root = match unsafe { checked_root(&library) } {
            Ok(root) => root,
            Err(error) => {
                let error = match error {
                    MapError::NoRoot { linker_message } => {
                        MapError::NoRoot { linker_message: staged.with_user_path(&linker_message) }
                    }
                    error => error,
                };
                let backing = Box::new(Backing { staged, context: None, row, end_bytes: None });
                let retained = close(library, backing, Audit::default()).err();
                return Err(failed(error, retained));
            }
        };
        let stale_libraries = stale::find_stale(&staged.libraries, &staged.survey.paths);
        let threads = Arc::new(Threads::new(&staged.metadata.name, staged.generation));
        let context = Arc::new(Context { services, threads, links: Links::default(), entry });
        context.threads.set_detach(root.detach_thread());
        // SAFETY: `attach` is called once and before anything else, and the context outlives the image.
        unsafe { root.attach()(context.host_ref(staged.generation)) };
        let backing = Box::new(Backing { staged, context: Some(context.clone()), row, end_bytes: None });
        Ok(Mapped {
            library: ManuallyDrop::new(library),
            backing: ManuallyDrop::new(backing),
            range: addresses.span,
            stale_libraries,
            context,
            root,
        })
    }
}

/// Returns the root module of an image after checking its layout type by type.
///
/// # Safety
///
/// The image must stay mapped while the result is used.
unsafe fn checked_root(library: &Library) -> Result<ModuleRootRef, MapError> {
    let layout =
        |reason: String| MapError::Layout { reason: reason.chars().take(REPORT_CHARS_MAX).collect() };
    // SAFETY: a symbol with this name is such a reference. abi_stable checks its magic bytes next.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_MODULE_LOADER_NAME_WITH_NUL.as_bytes()) }
        .map_err(|source| MapError::NoRoot { linker_message: linker_message(&source) })?;
    let header = header.upgrade().map_err(|error| layout(error.to_string()))?;
    let found = header.layout().ok_or_else(|| layout("the file does not describe its layout".to_owned()))?;
    // A new cache for each check. The cache that abi_stable shares keeps references into the images it has
    // checked, and follows them when a later image has another number of fields. After an unload, that is a
    // crash.
    let cache = CheckingGlobals::new();
    // The errors refer to the image, so they are converted to text while it is mapped.
    check_layout_compatibility_with_globals(<ModuleRootRef as StableAbi>::LAYOUT, found, &cache)
        .map_err(|errors| layout(differences(&errors.to_string())))?;
    drop(cache);
    // SAFETY: the layout was checked above.
    unsafe { header.unchecked_layout::<ModuleRootRef>() }.map_err(|error| layout(format!("{error:?}")))
}
