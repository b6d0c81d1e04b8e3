//! The file descriptors that each image has opened, and those that are still open when it is unmapped.
//!
//! # Synchronization
//!
//! A module may open and close descriptors in a child after `fork`, where waiting for a lock is unsafe. So
//! the table has no lock. It has two words for each descriptor, and the last writer wins. A reader compares
//! them with the kernel's data (`fstat`), so inconsistent words do not count as a descriptor of the image.

use std::{
    collections::BTreeMap,
    fmt, fs,
    mem::MaybeUninit,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
};

use libc::c_int;
use serde::{Deserialize, Serialize};

/// Descriptors from this number on are not tracked.
const DESCRIPTORS_MAX: usize = 1 << 16;

/// The most descriptors that must be free to map a file.
const RESERVE: u64 = 64;

static TABLE: [Entry; DESCRIPTORS_MAX] =
    [const { Entry { owner: AtomicU64::new(0), identity: AtomicU64::new(0) } }; DESCRIPTORS_MAX];

/// One more than the highest descriptor in the table.
static END: AtomicUsize = AtomicUsize::new(0);

/// The number of descriptors that all images have left open.
static LEFT_OPEN: AtomicU64 = AtomicU64::new(0);

struct Entry {
    /// The number of the image's heap; 0 if no image has opened it.
    owner: AtomicU64,
    /// Identifies the file.
    identity: AtomicU64,
}

/// The file descriptors that a version left open, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeftOpen(BTreeMap<String, u32>);

/// Records that the image with this number has opened a descriptor.
pub(crate) fn opened(owner: u64, file: c_int) {
    let Some((at, entry)) = entry(file) else { return };
    entry.identity.store(identity(file).unwrap_or(0), SeqCst);
    entry.owner.store(owner, SeqCst);
    END.fetch_max(at + 1, SeqCst);
}

/// Records that a descriptor is about to be closed.
pub(crate) fn closed(file: c_int) {
    if let Some((_, entry)) = entry(file) {
        entry.owner.store(0, SeqCst);
    }
}

/// The descriptors of the image with this number that are still open. Call it once, after the image was
/// unmapped.
pub(crate) fn left_open(owner: u64) -> LeftOpen {
    let mut kinds = BTreeMap::new();
    for (file, entry) in TABLE.iter().enumerate().take(END.load(SeqCst)) {
        if entry.owner.load(SeqCst) != owner {
            continue;
        }
        entry.owner.store(0, SeqCst);
        if identity(file as c_int) == Some(entry.identity.load(SeqCst)) {
            *kinds.entry(kind(file).to_owned()).or_default() += 1;
        }
    }
    let left = LeftOpen(kinds);
    LEFT_OPEN.fetch_add(left.count().into(), SeqCst);
    left
}

/// The number of file descriptors that unloaded modules of this process left open.
pub fn descriptors_left_open() -> u64 {
    LEFT_OPEN.load(SeqCst)
}

/// The number of open file descriptors of this process, and its limit.
pub fn descriptors_in_use() -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    // Since Linux 6.2, the size of the directory is the number of its entries.
    let size =
        fs::metadata("/proc/self/fd").map_or(0, |directory| std::os::unix::fs::MetadataExt::size(&directory));
    let open = match size {
        0 => fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
        size => size,
    };
    (open, limit.rlim_cur)
}

/// The open descriptors and the limit, if fewer are free than a module may need: 64, or an eighth of a small
/// limit.
pub(crate) fn shortage() -> Option<(u64, u64)> {
    let (open, limit) = descriptors_in_use();
    (limit.saturating_sub(open) < RESERVE.min(limit / 8)).then_some((open, limit))
}

fn entry(file: c_int) -> Option<(usize, &'static Entry)> {
    let at = usize::try_from(file).ok()?;
    Some((at, TABLE.get(at)?))
}

/// Identifies the file of a descriptor; `None` if it is not open. It is not 0 in practice.
fn identity(file: c_int) -> Option<u64> {
    let mut info = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `info` is writable.
    if unsafe { libc::fstat(file, info.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so the kernel has written it.
    let info = unsafe { info.assume_init() };
    Some(info.st_ino ^ info.st_dev.rotate_left(40))
}

/// The kind of a descriptor, from its name in the kernel.
fn kind(file: usize) -> &'static str {
    let target = fs::read_link(format!("/proc/self/fd/{file}")).unwrap_or_default();
    let target = target.to_string_lossy();
    const KINDS: [(&str, &str); 9] = [
        ("socket:", "socket"),
        ("pipe:", "pipe"),
        ("anon_inode:[eventpoll]", "epoll"),
        ("anon_inode:[eventfd]", "eventfd"),
        ("anon_inode:[timerfd]", "timer"),
        ("anon_inode:[signalfd]", "signalfd"),
        ("anon_inode:inotify", "inotify"),
        ("/memfd:", "memfd"),
        ("/", "file"),
    ];
    KINDS.iter().find(|(start, _)| target.starts_with(start)).map_or("other", |(_, kind)| kind)
}

// === impl LeftOpen ===

impl LeftOpen {
    /// The number of descriptors.
    pub fn count(&self) -> u32 {
        self.0.values().sum()
    }

    /// The number of each kind: `socket`, `pipe`, `file`, `epoll`, `eventfd`, `timer`, `signalfd`, `inotify`,
    /// `memfd`, `other`.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(kind, count)| (kind.as_str(), *count))
    }

    /// Whether nothing is open.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// For example `2 sockets, 1 file`.
impl fmt::Display for LeftOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (kind, count)) in self.kinds().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            let s = if count == 1 || kind == "epoll" || kind == "other" { "" } else { "s" };
            write!(f, "{comma}{count} {kind}{s}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, net::TcpListener, os::fd::AsRawFd};

    use super::*;

    #[test]
    fn open_descriptors_of_an_image_are_counted_by_kind() {
        const OWNER: u64 = u64::MAX;
        let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let file = File::open("/dev/null").unwrap();
        let closed_file = File::open("/dev/null").unwrap();
        let replaced = File::open("/dev/null").unwrap();
        sockets.iter().for_each(|socket| opened(OWNER, socket.as_raw_fd()));
        for file in [&file, &closed_file, &replaced] {
            opened(OWNER, file.as_raw_fd());
        }
        closed(closed_file.as_raw_fd());
        // Another file gets the number of this descriptor.
        let (other, number) = (TcpListener::bind("127.0.0.1:0").unwrap(), replaced.as_raw_fd());
        // SAFETY: both are descriptors of this test.
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), number) }, number);
        let before = descriptors_left_open();
        let left = left_open(OWNER);
        assert_eq!(left.to_string(), "1 file, 2 sockets");
        assert_eq!((left.count(), descriptors_left_open() - before), (3, 3));
        assert!(left_open(OWNER).is_empty(), "they are reported once");
    }

    #[test]
    fn the_open_descriptors_of_the_process_are_counted() {
        let (open, limit) = descriptors_in_use();
        assert!(open >= 3 && open < limit, "{open} of {limit}");
        assert!(shortage().is_none());
    }
}
