//! The files that reports are written to: one for each runtime of the process that requested reports.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use libc::c_int;
use parking_lot::Mutex;

use crate::crash::report_lock::wait_for_others;

/// The most runtimes of a process that can have reports.
pub(super) const FILES_MAX: usize = 16;

static FILES: [File; FILES_MAX] =
    [const { File { fd: AtomicI32::new(NONE), owner: AtomicU64::new(0) } }; FILES_MAX];

/// The number of the last owner. Locked to add or remove a file.
static OWNERS: Mutex<u64> = Mutex::new(0);

/// No file descriptor.
const NONE: c_int = -1;

struct File {
    /// The file descriptor. SeqCst, like the count of writers (`report_lock.rs`): either a writer sees that
    /// the file was removed, or the thread that removed it sees the writer.
    fd: AtomicI32,
    /// Relaxed is enough: it is stored before the descriptor, whose store and load publish it.
    owner: AtomicU64,
}

/// Adds a file, and returns the number of its owner, which is never 0. `None` if the list is full.
pub(super) fn add(fd: c_int) -> Option<u64> {
    let mut owners = OWNERS.lock();
    let free = FILES.iter().find(|file| file.fd.load(Ordering::SeqCst) == NONE)?;
    *owners += 1;
    free.owner.store(*owners, Ordering::Relaxed);
    free.fd.store(fd, Ordering::SeqCst);
    Some(*owners)
}

/// Removes the owner's file. After this returns, the file may be closed.
pub(super) fn remove(owner: u64) {
    // Held to the end, so the slot is not reused while a writer may use the file.
    let _owners = OWNERS.lock();
    for file in FILES.iter().filter(|file| file.owner.load(Ordering::Relaxed) == owner) {
        file.fd.store(NONE, Ordering::SeqCst);
    }
    wait_for_others();
}

/// Appends a line to the file of its owner, or to all files if the owner is 0, and syncs it to the disk. The
/// caller must hold a [`ReportGuard`](super::report_lock::ReportGuard). Async-signal-safe.
pub(super) fn append(line: &[u8], owner: u64) {
    for file in &FILES {
        let fd = file.fd.load(Ordering::SeqCst);
        if fd == NONE || (owner != 0 && file.owner.load(Ordering::Relaxed) != owner) {
            continue;
        }
        // SAFETY: the line is readable. The file was opened for appending, and is closed only while no thread
        // writes a report. A write error cannot be reported.
        unsafe { libc::write(fd, line.as_ptr().cast(), line.len()) };
        // SAFETY: as above.
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
    fn a_line_goes_to_its_owner_or_to_all_files() {
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
