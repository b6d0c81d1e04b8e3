//! The files that reports are written into: one for each runtime of the process that asked for it.

use std::{
    ptr,
    sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering},
};

use libc::c_int;
use parking_lot::Mutex;

/// How many runtimes of a process can have reports.
pub(super) const FILES_MAX: usize = 16;

/// How long is waited for reports that other threads are writing, in milliseconds. A disk that hangs must not keep a process
/// that is to die.
const PATIENCE_MS: u32 = 1000;

static FILES: [File; FILES_MAX] =
    [const { File { fd: AtomicI32::new(NONE), owner: AtomicU64::new(0) } }; FILES_MAX];

/// Who adds a file takes this. The number of the last owner.
static OWNERS: Mutex<u64> = Mutex::new(0);

/// How many threads are in a report. SeqCst, as the descriptors of the files are: either a writer sees that a file was
/// taken off the list, or who took it off sees the writer.
static WRITING: AtomicU32 = AtomicU32::new(0);

/// No file descriptor.
const NONE: c_int = -1;

struct File {
    /// The file's descriptor. SeqCst: see [`WRITING`].
    fd: AtomicI32,
    /// Written before the descriptor, whose store and load carry it: Relaxed.
    owner: AtomicU64,
}

/// The calling thread is in a report, until this is dropped.
pub(super) struct Writing(());

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
    let _turn = OWNERS.lock();
    for file in FILES.iter().filter(|file| file.owner.load(Ordering::Relaxed) == owner) {
        file.fd.store(NONE, Ordering::SeqCst);
    }
    wait_for_others();
}

/// Waits until no thread is in a report, or until that takes too long. Safe in a signal handler.
pub(super) fn wait_for_others() {
    for _ in 0..PATIENCE_MS {
        if WRITING.load(Ordering::SeqCst) == 0 {
            return;
        }
        // SAFETY: it has no descriptors to look at, and waits for a millisecond.
        unsafe { libc::poll(ptr::null_mut(), 0, 1) };
    }
}

// === impl Writing ===

impl Writing {
    pub(super) fn begin() -> Self {
        WRITING.fetch_add(1, Ordering::SeqCst);
        Writing(())
    }

    /// Appends a line to the file of its owner, to all of them where that is 0. It is on the disk when this returns. Safe in a
    /// signal handler.
    pub(super) fn append(&self, line: &[u8], owner: u64) {
        for file in &FILES {
            let fd = file.fd.load(Ordering::SeqCst);
            if fd == NONE || (owner != 0 && file.owner.load(Ordering::Relaxed) != owner) {
                continue;
            }
            // SAFETY: the line can be read. The file was opened for appending, so lines of several threads are one behind
            // the other; it is closed when nobody is in a report. Where it fails there is nobody to tell.
            unsafe { libc::write(fd, line.as_ptr().cast(), line.len()) };
            // SAFETY: it takes a descriptor.
            unsafe { libc::fsync(fd) };
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        WRITING.fetch_sub(1, Ordering::SeqCst);
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
        Writing::begin().append(b"first\n", first);
        Writing::begin().append(b"all\n", 0);
        remove(first);
        Writing::begin().append(b"first\n", first);
        Writing::begin().append(b"second\n", second);
        remove(second);
        Writing::begin().append(b"all\n", 0);
        assert_eq!(fs::read_to_string(&one_path).unwrap(), "first\nall\n");
        assert_eq!(fs::read_to_string(&two_path).unwrap(), "all\nsecond\n");
        fs::remove_file(one_path).unwrap();
        fs::remove_file(two_path).unwrap();
    }
}
