//! Libraries that are in memory already, and whose file has changed since: the dynamic linker maps no file twice that has the
//! same name, so a module gets the version that came first.
//!
//! A file that was replaced is known by the kernel's list of mappings; one that was written over, by its size and time when a
//! module needed it first.

use std::{
    collections::HashMap,
    ffi::{CStr, OsStr, c_char, c_void},
    fmt, fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use libloading::os::unix::{Library, RTLD_LAZY};
use parking_lot::Mutex;

/// A library in memory whose file is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleLibrary {
    /// Its name, as the module has it.
    pub name: String,
    /// Where it was mapped from.
    pub path: PathBuf,
    /// Whether there is no file any more.
    pub is_gone: bool,
}

/// What a file was when it was seen first: a new one differs in one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// What is mapped at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapping {
    device: u64,
    inode: u64,
    is_deleted: bool,
}

/// The files of the libraries that modules have needed, by where they are mapped from, with what is mapped there.
static SEEN: Mutex<Option<HashMap<PathBuf, (Mapping, Stamp)>>> = Mutex::new(None);

/// The beginning of the dynamic linker's entry of a library.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: *const c_void,
}

// === impl StaleLibrary ===

impl fmt::Display for StaleLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_gone {
            false => write!(f, "{}: the version in memory is older than the file", self.name),
            true => write!(f, "{}: the version in memory is of a file that is gone", self.name),
        }
    }
}

/// Those of the libraries whose file has changed. All of them are in memory now. What is not known is not told.
pub(crate) fn look(names: &[String]) -> Vec<StaleLibrary> {
    names.iter().filter_map(|name| of(name)).collect()
}

fn of(name: &str) -> Option<StaleLibrary> {
    let (path, address) = place_of(name)?;
    let mapping = mapping_at(&fs::read_to_string("/proc/self/maps").ok()?, address)?;
    let stale = |is_gone| Some(StaleLibrary { name: name.to_owned(), path: path.clone(), is_gone });
    let now = match Stamp::of(&path) {
        Ok(now) => now,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return stale(true),
        Err(_) => return None,
    };
    let mut seen = SEEN.lock();
    let seen = seen.get_or_insert_default();
    let is_changed = match seen.get(&path) {
        Some((of, first)) if *of == mapping => *first != now,
        _ => mapping.is_not(&now),
    };
    if is_changed {
        return stale(false);
    }
    if seen.get(&path).is_none_or(|(of, _)| *of != mapping) {
        seen.insert(path, (mapping, now));
    }
    None
}

/// Where a library that is in memory was mapped from, and an address in it.
fn place_of(name: &str) -> Option<(PathBuf, usize)> {
    // SAFETY: RTLD_NOLOAD maps nothing and runs no constructor.
    let library = unsafe { Library::open(Some(name), RTLD_LAZY | libc::RTLD_NOLOAD) }.ok()?;
    let handle = library.into_raw();
    let mut entry: *const LinkMap = std::ptr::null();
    // SAFETY: the handle is open, and this request writes a pointer.
    let answer = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut entry).cast()) };
    let place = (answer == 0 && !entry.is_null()).then(|| {
        // SAFETY: it is the entry of an open handle, which begins with these fields.
        let LinkMap { name, dynamic, .. } = unsafe { entry.read() };
        // SAFETY: the name of an entry is a C string that lives as long as the handle is open.
        let path = unsafe { CStr::from_ptr(name) };
        (PathBuf::from(OsStr::from_bytes(path.to_bytes())), dynamic.addr())
    });
    // SAFETY: the handle is that of above, and is not used again.
    drop(unsafe { Library::from_raw(handle) });
    place.filter(|(path, _)| path.is_absolute())
}

/// What the kernel's list of mappings says of an address.
fn mapping_at(list: &str, address: usize) -> Option<Mapping> {
    list.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        if !(number(start)?..number(end)?).contains(&(address as u64)) {
            return None;
        }
        let (major, minor) = fields.nth(2)?.split_once(':')?;
        let device = libc::makedev(number(major)?.try_into().ok()?, number(minor)?.try_into().ok()?);
        let inode = fields.next()?.parse().ok().filter(|inode| *inode != 0)?;
        Some(Mapping { device, inode, is_deleted: line.ends_with(" (deleted)") })
    })
}

// === impl Stamp, Mapping ===

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let of = fs::metadata(path)?;
        let modified = (of.mtime(), of.mtime_nsec());
        Ok(Stamp { device: of.dev(), inode: of.ino(), size: of.size(), modified })
    }
}

impl Mapping {
    /// Whether it is certain that another file is mapped. Some file systems in layers have other devices in the kernel's list, and
    /// then their inodes say nothing.
    fn is_not(&self, file: &Stamp) -> bool {
        self.is_deleted || (self.device == file.device && self.inode != file.inode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_mappings_says_what_is_where() {
        let list = "\
7f00-7f10 r--p 00000000 fd:01 77   /opt/helper.so
7f10-7f20 rw-p 00010000 fd:01 78   /opt/a b.so (deleted)
7f20-7f30 rw-p 00000000 00:00 0
";
        let at = |address| mapping_at(list, address);
        let helper = at(0x7f0f).unwrap();
        assert_eq!(helper, Mapping { device: libc::makedev(0xfd, 1), inode: 77, is_deleted: false });
        assert!(at(0x7f10).unwrap().is_deleted);
        assert_eq!((at(0x7f20), at(0x7f30)), (None, None), "no file, and nothing");
        let file = |device, inode| Stamp { device, inode, size: 1, modified: (1, 1) };
        assert!(helper.is_not(&file(helper.device, 79)));
        assert!(!helper.is_not(&file(helper.device, 77)) && !helper.is_not(&file(1, 79)));
    }

    #[test]
    fn a_library_of_the_process_is_found_and_is_no_older_than_its_file() {
        let (path, address) = place_of("libc.so.6").expect("the test is linked to libc dynamically");
        assert!(path.ends_with("libc.so.6"), "{path:?}");
        assert!(mapping_at(&fs::read_to_string("/proc/self/maps").unwrap(), address).is_some());
        let libraries = ["libc.so.6".to_owned(), "libnowhere.so".to_owned()];
        assert_eq!([look(&libraries), look(&libraries)], [[], []]);
    }
}
