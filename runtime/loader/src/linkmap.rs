//! What the dynamic linker says is mapped: the only witness that counts.

use std::{
    ffi::{CStr, OsStr, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr,
};

use libloading::os::unix::{Library, RTLD_LAZY};

/// How many images below this directory are mapped now, by the dynamic linker's own list. The directory must be given as
/// the images' paths were: absolute, without links.
pub fn mapped_below(directory: &Path) -> usize {
    let mut count = 0;
    for_each_image(&mut |path| count += usize::from(path.starts_with(directory)));
    count
}

/// Whether the dynamic linker still has this image: it is on its list, or it answers with a handle to it.
pub(crate) fn is_mapped(path: &Path) -> bool {
    let mut is_listed = false;
    for_each_image(&mut |listed| is_listed |= listed == path);
    is_listed || {
        // SAFETY: RTLD_NOLOAD maps nothing and runs no constructor; a handle is closed again when it is dropped.
        unsafe { Library::open(Some(path), RTLD_LAZY | libc::RTLD_NOLOAD) }.is_ok()
    }
}

fn for_each_image(visit: &mut dyn FnMut(&Path)) {
    let mut visit: &mut dyn FnMut(&Path) = visit;
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
        let visit = unsafe { &mut *data.cast::<&mut dyn FnMut(&Path)>() };
        visit(Path::new(OsStr::from_bytes(name.to_bytes())));
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libc_is_mapped_and_a_made_up_file_is_not() {
        let mut libc = None;
        for_each_image(&mut |path| {
            if path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"libc.so")) {
                libc = Some(path.to_owned());
            }
        });
        let libc = libc.expect("the test is linked to libc dynamically");
        assert!(is_mapped(&libc));
        assert!(mapped_below(libc.parent().unwrap()) >= 1);
        assert!(!is_mapped(Path::new("/nowhere/to/be/found.so")));
        assert_eq!(mapped_below(Path::new("/nowhere")), 0);
    }
}
