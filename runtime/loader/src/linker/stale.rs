//! Libraries in memory whose files have changed. The dynamic linker does not map a second file with the same
//! library name, so a module gets the library that was mapped first.
//!
//! A replaced file is detected with the kernel's list of mappings. The library in memory still works. An
//! overwritten file is detected with the digest from when a module first needed it. Then the library in
//! memory is broken, because the kernel removes even private pages when a file is truncated. The dynamic
//! linker reads the library when it maps a module that needs it, so that module is refused before.

use std::{
    collections::HashMap,
    ffi::{CStr, OsStr, c_char, c_void},
    fmt, fs, io,
    ops::Range,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use libloading::os::unix::{Library, RTLD_LAZY};
use parking_lot::Mutex;

use crate::file::digest::Digest;

/// A library in memory that differs from its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleLibrary {
    /// Its name in the module.
    pub name: String,
    /// The file that it was mapped from.
    pub path: PathBuf,
    /// How it differs.
    pub reason: StaleReason,
}

/// How a library in memory differs from the one that a module means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StaleReason {
    /// The file was replaced.
    Replaced,
    /// The file was removed.
    Gone,
    /// The module means this file, which has other contents.
    Elsewhere(PathBuf),
}

/// Identifies a file and its contents. A new file differs in at least one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// The file that is mapped at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapping {
    device: u64,
    inode: u64,
    is_deleted: bool,
}

/// A library that a module has needed, in its state when it was first seen.
struct KnownLibrary {
    name: String,
    mapping: Mapping,
    stamp: Stamp,
    /// The digest of the file; `None` if it could not be read.
    digest: Option<Digest>,
}

/// The known libraries, by the file that they are mapped from.
static KNOWN: Mutex<Option<HashMap<PathBuf, KnownLibrary>>> = Mutex::new(None);

/// The first fields of the dynamic linker's entry for a library.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: *const c_void,
}

// === impl StaleLibrary ===

impl fmt::Display for StaleLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, path, reason } = self;
        match reason {
            StaleReason::Replaced => write!(f, "{name}: the version in memory is older than the file"),
            StaleReason::Gone => write!(f, "{name}: the file of the version in memory was removed"),
            StaleReason::Elsewhere(meant) => {
                let (path, meant) = (path.display(), meant.display());
                write!(f, "{name}: the version in memory is from {path}, but the module means {meant}")
            }
        }
    }
}

/// The libraries in memory that differ from their files. All of `names` are in memory. `paths` is where the
/// linker would otherwise have found them. A library about which nothing is known is not returned.
pub(crate) fn find_stale(names: &[String], paths: &HashMap<String, PathBuf>) -> Vec<StaleLibrary> {
    names.iter().filter_map(|name| check(name, paths.get(name).map(PathBuf::as_path))).collect()
}

fn check(name: &str, meant: Option<&Path>) -> Option<StaleLibrary> {
    let (path, address) = library_in_memory(name)?;
    let mapping = mapping_at(&fs::read_to_string("/proc/self/maps").ok()?, address)?;
    let stale = |reason| Some(StaleLibrary { name: name.to_owned(), path: path.clone(), reason });
    let now = match Stamp::of(&path) {
        Ok(now) => now,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return stale(StaleReason::Gone),
        Err(_) => return None,
    };
    let mut known = KNOWN.lock();
    let known = known.get_or_insert_default();
    let first = known.get(&path).filter(|first| first.mapping == mapping);
    if mapping.is_other_file(&now) || first.is_some_and(|first| !first.stamp.is_same_file(&now)) {
        return stale(StaleReason::Replaced);
    }
    let digest = match first {
        Some(first) => first.digest,
        None => {
            let digest = digest_of(&path);
            known.insert(path.clone(), KnownLibrary { name: name.to_owned(), mapping, stamp: now, digest });
            digest
        }
    };
    let meant = meant.filter(|meant| Stamp::of(meant).is_ok_and(|stamp| !stamp.is_same_file(&now)))?;
    let is_other = digest_of(meant).zip(digest).is_some_and(|(meant, mapped)| meant != mapped);
    is_other.then(|| stale(StaleReason::Elsewhere(meant.to_owned()))).flatten()
}

fn digest_of(path: &Path) -> Option<Digest> {
    fs::read(path).ok().map(|bytes| Digest::of(&bytes))
}

/// The first of the libraries that is in memory and whose file was overwritten. This does not use the dynamic
/// linker, which would read the broken pages.
pub(crate) fn overwritten(names: &[String]) -> Option<PathBuf> {
    let mut known = KNOWN.lock();
    let needed = known.iter_mut().flatten().filter(|(_, first)| names.contains(&first.name));
    let mut needed = needed.peekable();
    needed.peek()?;
    let list = fs::read_to_string("/proc/self/maps").ok()?;
    needed.find_map(|(path, first)| {
        let now = Stamp::of(path).ok().filter(|now| first.stamp.is_same_file(now) && first.stamp != *now)?;
        let is_mapped = mappings(&list).any(|(_, mapping)| mapping == first.mapping);
        if is_mapped && digest_of(path) != first.digest {
            return Some(path.clone());
        }
        // Only the modification time has changed.
        first.stamp = now;
        None
    })
}

/// The file of a library in memory, and an address in the library.
fn library_in_memory(name: &str) -> Option<(PathBuf, usize)> {
    // SAFETY: RTLD_NOLOAD maps nothing and runs no constructor.
    let library = unsafe { Library::open(Some(name), RTLD_LAZY | libc::RTLD_NOLOAD) }.ok()?;
    let handle = library.into_raw();
    let mut entry: *const LinkMap = std::ptr::null();
    // SAFETY: the handle is open, and this request writes a pointer.
    let error = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut entry).cast()) };
    let found = (error == 0 && !entry.is_null()).then(|| {
        // SAFETY: the entry belongs to an open handle, and starts with these fields.
        let LinkMap { name, dynamic, .. } = unsafe { entry.read() };
        // SAFETY: the name of an entry is a C string that lives as long as the handle is open.
        let path = unsafe { CStr::from_ptr(name) };
        (PathBuf::from(OsStr::from_bytes(path.to_bytes())), dynamic.addr())
    });
    // SAFETY: the handle is the one from above, and is not used again.
    drop(unsafe { Library::from_raw(handle) });
    found.filter(|(path, _)| path.is_absolute())
}

/// The file that is mapped at an address, from the kernel's list of mappings.
fn mapping_at(list: &str, address: usize) -> Option<Mapping> {
    mappings(list).find(|(range, _)| range.contains(&(address as u64))).map(|(_, mapping)| mapping)
}

/// The mapped files with their addresses.
fn mappings(list: &str) -> impl Iterator<Item = (Range<u64>, Mapping)> {
    list.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let range = number(start)?..number(end)?;
        let (major, minor) = fields.nth(2)?.split_once(':')?;
        let device = libc::makedev(number(major)?.try_into().ok()?, number(minor)?.try_into().ok()?);
        let inode = fields.next()?.parse().ok().filter(|inode| *inode != 0)?;
        Some((range, Mapping { device, inode, is_deleted: line.ends_with(" (deleted)") }))
    })
}

// === impl Stamp, Mapping ===

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let of = fs::metadata(path)?;
        let modified = (of.mtime(), of.mtime_nsec());
        Ok(Stamp { device: of.dev(), inode: of.ino(), size: of.size(), modified })
    }

    /// Whether it is the same file. The contents may differ.
    fn is_same_file(&self, other: &Stamp) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl Mapping {
    /// Whether another file is certainly mapped. Some layered file systems have another device in the
    /// kernel's list. Then the inodes cannot be compared.
    fn is_other_file(&self, file: &Stamp) -> bool {
        self.is_deleted || (self.device == file.device && self.inode != file.inode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_at_an_address_is_found() {
        let list = "\
7f00-7f10 r--p 00000000 fd:01 77   /opt/helper.so
7f10-7f20 rw-p 00010000 fd:01 78   /opt/a b.so (deleted)
7f20-7f30 rw-p 00000000 00:00 0
";
        let at = |address| mapping_at(list, address);
        let helper = at(0x7f0f).unwrap();
        assert_eq!(helper, Mapping { device: libc::makedev(0xfd, 1), inode: 77, is_deleted: false });
        assert!(at(0x7f10).unwrap().is_deleted);
        assert_eq!((at(0x7f20), at(0x7f30)), (None, None), "anonymous memory, and nothing");
        let file = |device, inode| Stamp { device, inode, size: 1, modified: (1, 1) };
        assert!(helper.is_other_file(&file(helper.device, 79)));
        assert!(!helper.is_other_file(&file(helper.device, 77)) && !helper.is_other_file(&file(1, 79)));
    }

    #[test]
    fn a_library_of_the_process_is_found_and_is_not_stale() {
        let (path, address) = library_in_memory("libc.so.6").expect("the test is linked to libc dynamically");
        assert!(path.ends_with("libc.so.6"), "{path:?}");
        assert!(mapping_at(&fs::read_to_string("/proc/self/maps").unwrap(), address).is_some());
        let libraries = ["libc.so.6".to_owned(), "libnowhere.so".to_owned()];
        let paths = HashMap::from([("libc.so.6".to_owned(), path)]);
        assert_eq!([find_stale(&libraries, &paths), find_stale(&libraries, &paths)], [[], []]);
    }
}
