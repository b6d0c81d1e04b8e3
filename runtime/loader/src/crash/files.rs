//! The files that reports are written into: one for each runtime of the process that asked for it.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use libc::c_int;
use parking_lot::Mutex;

use crate::crash::report_lock::wait_for_others;

/// How many runtimes of a process can have reports.
pub(super) const FILES_MAX: usize = 16;

static FILES: [File; FILES_MAX] =
    [const { File { fd: AtomicI32::new(NONE), owner: AtomicU64::new(0) } }; FILES_MAX];

/// Who adds or removes a file takes this. The number of the last owner.
static OWNERS: Mutex<u64> = Mutex::new(0);

/// No file descriptor.
const NONE: c_int = -1;

struct File {
    /// The file's descriptor. SeqCst, as the count of writers is (`turn.rs`): either a writer sees that it was taken off, or
    /// who took it off sees the writer.
    fd: AtomicI32,
    /// Written before the descriptor, whose store and load carry it: Relaxed.
    owner: AtomicU64,
}

/// Puts a file on the list; the number of its owner, never 0. None where the list is full.
pub(super) fn add(fd: c_int) -> Option<u64> {
    let mut owners = OWNERS.lock();
    let free = FILES.iter().find(|file| file.fd.load(Ordering::SeqCst) == NONE)?;
    *owners += 1;
    free.owner.store(*owners, Ordering::Relaxed);
    free.fd.store(fd, Ordering::SeqCst);
    Some(*owners)
}

/// Takes the owner's file off the list. When this returns, it may be closed.
pub(super) fn remove(owner: u64) {
    // Held to the end, so that its place is given to nobody while it may be in use.
    let _owners = OWNERS.lock();
    for file in FILES.iter().filter(|file| file.owner.load(Ordering::Relaxed) == owner) {
        file.fd.store(NONE, Ordering::SeqCst);
    }
    wait_for_others();
}

/// Appends a line to the file of its owner, to all of them where that is 0. It is on the disk when this returns. Only in a
/// [`ReportGuard`](super::turn::ReportGuard); safe in a signal handler.
pub(super) fn append(line: &[u8], owner: u64) {
    for file in &FILES {
        let fd = file.fd.load(Ordering::SeqCst);
        if fd == NONE || (owner != 0 && file.owner.load(Ordering::Relaxed) != owner) {
            continue;
        }
        // SAFETY: the line can be read. The file is closed when nobody is in a report, and was opened for appending. Where it
        // cannot be written there is nobody to tell.
        unsafe { libc::write(fd, line.as_ptr().cast(), line.len()) };
        // SAFETY: it takes a descriptor.
        unsafe { libc::fsync(fd) };
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::fd::AsRawFd};

    use super::*;

    fn file(name: &str) -> (std::path::PathBuf, fs::File) {
        let path = std::env::temp_dir().join(format!("segue-crash-{}-{name}", std::process::id()));
        (path.clone(), fs::File::create(path).unwrap())
    }

    #[test]
    fn a_line_goes_to_its_owner_and_to_all_where_it_has_none() {
        let ((one_path, one), (two_path, two)) = (file("one"), file("two"));
        let first = add(one.as_raw_fd()).unwrap();
        let second = add(two.as_raw_fd()).unwrap();
        assert_ne!(first, second);
        append(b"first\n", first);
        append(b"all\n", 0);
        remove(first);
        append(b"first\n", first);
        append(b"second\n", second);
        remove(second);
        append(b"all\n", 0);
        assert_eq!(fs::read_to_string(&one_path).unwrap(), "first\nall\n");
        assert_eq!(fs::read_to_string(&two_path).unwrap(), "all\nsecond\n");
        fs::remove_file(one_path).unwrap();
        fs::remove_file(two_path).unwrap();
    }
}
