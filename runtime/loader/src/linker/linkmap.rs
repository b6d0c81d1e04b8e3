//! What the dynamic linker says is mapped: the only witness that counts.

use std::{
    ffi::{CStr, OsStr, c_int, c_void},
    ops::Range,
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr, slice,
    time::{Duration, Instant},
};

use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL, RTLD_NOW};

/// Opens a file, looks a symbol up in it, and closes it again, with the dynamic linker alone; how long that took. It is what
/// benchmarks compare a load and a purge with. Like a load, it runs the file's constructors.
///
/// # Errors
///
/// Where the dynamic linker refuses.
#[doc(hidden)]
pub fn bare_cycle(path: &Path, symbol: &str) -> Result<Duration, libloading::Error> {
    let begun = Instant::now();
    // SAFETY: as for `Staged::map`, and nothing of the file is called.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }?;
    // SAFETY: only its address is looked at.
    unsafe { library.get::<*const c_void>(symbol) }?;
    library.close()?;
    Ok(begun.elapsed())
}

/// How many images below this directory are mapped now, by the dynamic linker's own list. The directory must be given as
/// the images' paths were: absolute, without links.
pub fn mapped_below(directory: &Path) -> usize {
    let mut count = 0;
    for_each_image(&mut |path, _| count += usize::from(path.starts_with(directory)));
    count
}

/// Whether the dynamic linker still has this image: it is on its list, or it answers with a handle to it.
pub(crate) fn is_mapped(path: &Path) -> bool {
    let mut is_listed = false;
    for_each_image(&mut |listed, _| is_listed |= listed == path);
    is_listed || {
        // SAFETY: RTLD_NOLOAD maps nothing and runs no constructor; a handle is closed again when it is dropped.
        unsafe { Library::open(Some(path), RTLD_LAZY | libc::RTLD_NOLOAD) }.is_ok()
    }
}

/// Has the dynamic linker keep a library that is mapped, by the name that it is needed by, for the life of the process.
pub(crate) fn keep_mapped(library: &str) {
    // SAFETY: RTLD_NOLOAD maps nothing and runs no constructor.
    drop(unsafe { Library::open(Some(library), RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) });
}

/// Has the dynamic linker look for images that nobody needs any more. It does so when a handle is closed that was the last of
/// its image; this one, in an image that was closed, is.
pub(crate) fn collect_unused(path: &Path) {
    // SAFETY: RTLD_NOLOAD maps nothing and runs no constructor.
    drop(unsafe { Library::open(Some(path), RTLD_LAZY | libc::RTLD_NOLOAD) });
}

/// Where this image is. Empty where it is not mapped.
pub(crate) fn place_of(path: &Path) -> Place {
    let mut place = Place::default();
    for_each_image(&mut |listed, here| {
        if listed == path {
            place = here;
        }
    });
    place
}

/// Where an image is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// What is added to an address in the file.
    pub(crate) base: usize,
    /// From its first byte to behind its last.
    pub(crate) whole: Range<usize>,
    /// From its first byte that can be executed to behind the last.
    pub(crate) text: Range<usize>,
}

/// What is done with each image: its path, and where it is.
pub(crate) type Visit<'a> = dyn FnMut(&Path, Place) + 'a;

pub(crate) fn for_each_image(visit: &mut Visit<'_>) {
    let mut visit: &mut Visit<'_> = visit;
    // SAFETY: `each` expects such a pointer, and `visit` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(each), ptr::from_mut(&mut visit).cast()) };
}

unsafe extern "C" fn each(info: *mut libc::dl_phdr_info, _size: libc::size_t, data: *mut c_void) -> c_int {
    // SAFETY: the dynamic linker hands over a valid entry.
    let name = unsafe { (*info).dlpi_name };
    if !name.is_null() {
        // SAFETY: the name of an entry is a C string that lives as long as the entry, which cannot go during the call.
        let name = unsafe { CStr::from_ptr(name) };
        // SAFETY: `for_each_image` hands over such a pointer.
        let visit = unsafe { &mut *data.cast::<&mut Visit<'_>>() };
        // SAFETY: as above.
        let place = unsafe { place(&*info) };
        visit(Path::new(OsStr::from_bytes(name.to_bytes())), place);
    }
    0
}

/// Where an image is, by its loadable segments.
///
/// # Safety
///
/// The entry must be one that the dynamic linker hands over now.
unsafe fn place(info: &libc::dl_phdr_info) -> Place {
    let base = info.dlpi_addr as usize;
    // SAFETY: our caller's promise: that many headers are there.
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
    Place { base, whole: span(0), text: span(libc::PF_X) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libc_is_mapped_and_a_made_up_file_is_not() {
        let mut libc = None;
        for_each_image(&mut |path, _| {
            if path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"libc.so")) {
                libc = Some(path.to_owned());
            }
        });
        let libc = libc.expect("the test is linked to libc dynamically");
        assert!(is_mapped(&libc));
        let (place, getpid) = (place_of(&libc), libc::getpid as *const () as usize);
        assert!(place.whole.contains(&getpid) && place.text.contains(&getpid), "{place:?}");
        assert!(place.whole.contains(&place.text.start) && place.whole != place.text, "{place:?}");
        assert_eq!(place_of(Path::new("/nowhere/to/be/found.so")), Place::default());
        assert!(mapped_below(libc.parent().unwrap()) >= 1);
        assert!(!is_mapped(Path::new("/nowhere/to/be/found.so")));
        assert_eq!(mapped_below(Path::new("/nowhere")), 0);
    }
}
