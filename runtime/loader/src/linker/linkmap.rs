//! The images that the dynamic linker has mapped. Only its list proves that an image is gone.

use std::{
    ffi::{CStr, OsStr, c_int, c_void},
    ops::Range,
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr, slice,
    time::{Duration, Instant},
};

use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL, RTLD_NOW};

/// Opens a file, looks up a symbol and closes the file, with the dynamic linker alone. Returns how long that
/// took. Benchmarks compare a load and a purge with it. Like a load, it runs the file's constructors.
///
/// # Errors
///
/// If the dynamic linker refuses the file or the symbol.
#[doc(hidden)]
pub fn bare_cycle(path: &Path, symbol: &str) -> Result<Duration, libloading::Error> {
    let started = Instant::now();
    // SAFETY: as in `Staged::map`, and no function of the file is called.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }?;
    // SAFETY: the symbol is not used.
    unsafe { library.get::<*const c_void>(symbol) }?;
    library.close()?;
    Ok(started.elapsed())
}

/// The number of images below this directory that are mapped, from the dynamic linker's list. The directory
/// must be absolute and without symbolic links, like the paths of the images.
pub fn mapped_below(directory: &Path) -> usize {
    let mut count = 0;
    for_each_image(&mut |path, _| count += usize::from(path.starts_with(directory)));
    count
}

/// Whether the dynamic linker still has this image: it lists it, or returns a handle to it.
pub(crate) fn is_mapped(path: &Path) -> bool {
    let mut is_listed = false;
    for_each_image(&mut |listed, _| is_listed |= listed == path);
    is_listed || {
        // SAFETY: RTLD_NOLOAD maps nothing and runs no constructor. A handle is closed when it is dropped.
        unsafe { Library::open(Some(path), RTLD_LAZY | libc::RTLD_NOLOAD) }.is_ok()
    }
}

/// Makes the dynamic linker keep a mapped library, given by its `DT_NEEDED` name, until the process ends.
pub(crate) fn keep_mapped(library: &str) {
    // SAFETY: RTLD_NOLOAD maps nothing and runs no constructor.
    drop(unsafe { Library::open(Some(library), RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) });
}

/// Makes the dynamic linker unmap images that nothing needs. It does so when the last handle of an image is
/// closed. This opens and closes such a handle of an image that was closed before.
pub(crate) fn collect_unused(path: &Path) {
    // SAFETY: RTLD_NOLOAD maps nothing and runs no constructor.
    drop(unsafe { Library::open(Some(path), RTLD_LAZY | libc::RTLD_NOLOAD) });
}

/// The addresses of this image. Empty if it is not mapped.
pub(crate) fn addresses_of(path: &Path) -> Addresses {
    let mut addresses = Addresses::default();
    for_each_image(&mut |listed, here| {
        if listed == path {
            addresses = here;
        }
    });
    addresses
}

/// The addresses of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The difference between an address in memory and in the file.
    pub(crate) base: usize,
    /// From its first byte to past its last byte.
    pub(crate) span: Range<usize>,
    /// From its first executable byte to past the last one.
    pub(crate) text: Range<usize>,
}

/// A callback for each image, with its path and its addresses.
pub(crate) type Visit<'a> = dyn FnMut(&Path, Addresses) + 'a;

pub(crate) fn for_each_image(visit: &mut Visit<'_>) {
    let mut visit: &mut Visit<'_> = visit;
    // SAFETY: `visit_entry` expects such a pointer, and `visit` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit_entry), ptr::from_mut(&mut visit).cast()) };
}

unsafe extern "C" fn visit_entry(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the dynamic linker passes a valid entry.
    let name = unsafe { (*info).dlpi_name };
    if !name.is_null() {
        // SAFETY: the name is a C string that lives as long as the entry, and the entry stays during the
        // call.
        let name = unsafe { CStr::from_ptr(name) };
        // SAFETY: `for_each_image` passes such a pointer.
        let visit = unsafe { &mut *data.cast::<&mut Visit<'_>>() };
        // SAFETY: as above.
        let addresses = unsafe { addresses(&*info) };
        visit(Path::new(OsStr::from_bytes(name.to_bytes())), addresses);
    }
    0
}

/// The addresses of an image, from its loadable segments.
///
/// # Safety
///
/// The dynamic linker must be passing this entry to a callback now.
unsafe fn addresses(info: &libc::dl_phdr_info) -> Addresses {
    let base = info.dlpi_addr as usize;
    // SAFETY: the caller guarantees a valid entry, which has that many headers.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let span = |flags: u32| {
        let loaded = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        let ends = loaded.filter(|header| header.p_flags & flags == flags).map(|header| {
            let start = base.wrapping_add(header.p_vaddr as usize);
            (start, start.wrapping_add(header.p_memsz as usize))
        });
        ends.reduce(|(start, end), (from, to)| (start.min(from), end.max(to)))
            .map_or(0..0, |(start, end)| start..end)
    };
    Addresses { base, span: span(0), text: span(libc::PF_X) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_library_is_listed_and_a_missing_file_is_not() {
        let mut libc = None;
        for_each_image(&mut |path, _| {
            if path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"libc.so")) {
                libc = Some(path.to_owned());
            }
        });
        let libc = libc.expect("the test is linked to libc dynamically");
        assert!(is_mapped(&libc));
        let (addresses, getpid) = (addresses_of(&libc), libc::getpid as *const () as usize);
        assert!(addresses.span.contains(&getpid) && addresses.text.contains(&getpid), "{addresses:?}");
        assert!(
            addresses.span.contains(&addresses.text.start) && addresses.span != addresses.text,
            "{addresses:?}"
        );
        assert_eq!(addresses_of(Path::new("/nowhere/to/be/found.so")), Addresses::default());
        assert!(mapped_below(libc.parent().unwrap()) >= 1);
        assert!(!is_mapped(Path::new("/nowhere/to/be/found.so")));
        assert_eq!(mapped_below(Path::new("/nowhere")), 0);
    }
}
