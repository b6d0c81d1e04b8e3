//! The runtime's own directory: the private copies that are mapped, and the store of files by digest.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use segue_loader::Digest;
use tempfile::{NamedTempFile, TempDir};

use crate::api::Error;

/// How long the lock is waited for, and how long between two attempts.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// How much of a file of the store is compared at a time, in bytes.
const COMPARED_AT_ONCE: usize = 64 << 10;

/// The state directory, held against other runtimes.
pub(crate) struct StateDir {
    /// Without links, as the dynamic linker's list is to have it.
    root: PathBuf,
    /// Locked while it is open: the system lets go of it when the process ends, however it ends.
    _lock: File,
    /// The directory of a runtime that was given none, removed with it.
    _temporary: Option<TempDir>,
}

impl StateDir {
    /// Opens the directory, and makes what is missing. What a runtime that was killed has left in `stage/` is removed.
    pub(crate) fn open(root: Option<&Path>) -> Result<Self, Error> {
        let Some(root) = root else {
            let temporary = TempDir::with_prefix("segue-")
                .map_err(failed("create a directory in", &std::env::temp_dir()))?;
            let mut state = StateDir::open(Some(temporary.path()))?;
            state._temporary = Some(temporary);
            return Ok(state);
        };
        // Only the owner: whoever can write here decides what this process runs.
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(failed("create", root))?;
        let root = root.canonicalize().map_err(failed("open", root))?;
        let lock_path = root.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(failed("open", &lock_path))?;
        match lock_patiently(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::StateDirInUse { path: root }),
            Err(TryLockError::Error(source)) => return Err(failed("lock", &lock_path)(source)),
        }
        let state = StateDir { root, _lock: lock, _temporary: None };
        for directory in [state.stage(), state.images()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&directory)
                .map_err(failed("create", &directory))?;
        }
        // We have the lock, so whoever made these is gone: private copies, and files that were half put into the store.
        state.clear(&state.stage(), |_| true)?;
        state.clear(&state.images(), |path| path.extension().is_none_or(|extension| extension != "so"))?;
        Ok(state)
    }

    /// Where the private copies are.
    pub(crate) fn stage(&self) -> PathBuf {
        self.root.join("stage")
    }

    /// The ledger's file.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.root.join("ledger.sqlite")
    }

    /// What is there while a start has not come to its end.
    pub(crate) fn start_marker(&self) -> PathBuf {
        self.root.join("starting")
    }

    /// Where a process that dies of a fatal signal, or of a module's `exit`, writes whose code it was.
    pub(crate) fn crashes(&self) -> PathBuf {
        self.root.join("crashes")
    }

    /// The file of the store with this digest. It may not exist.
    pub(crate) fn image(&self, digest: &Digest) -> PathBuf {
        self.images().join(format!("{}.so", digest.hex()))
    }

    /// Puts bytes into the store: all of them, or nothing. A file that is there and damaged is replaced.
    pub(crate) fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
        let path = self.image(digest);
        if holds(&path, bytes).unwrap_or(false) {
            return Ok(());
        }
        let write = || -> io::Result<()> {
            let mut file = NamedTempFile::new_in(self.images())?;
            file.write_all(bytes)?;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o400))?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            // The name too is to be there when the machine has lost power.
            File::open(self.images())?.sync_all()
        };
        write().map_err(|source| Error::Store { path, source })
    }

    fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    fn clear(&self, directory: &Path, is_left_over: impl Fn(&Path) -> bool) -> Result<(), Error> {
        for entry in fs::read_dir(directory).map_err(failed("read", directory))? {
            let path = entry.map_err(failed("read", directory))?.path();
            if is_left_over(&path) {
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// Whether a file has these bytes. It is compared piece by piece: it may be large, and this is done at each load.
fn holds(path: &Path, mut bytes: &[u8]) -> io::Result<bool> {
    let mut file = BufReader::with_capacity(COMPARED_AT_ONCE, File::open(path)?);
    loop {
        let piece = file.fill_buf()?;
        if piece.is_empty() {
            return Ok(bytes.is_empty());
        }
        let Some(rest) = bytes.strip_prefix(piece) else { return Ok(false) };
        bytes = rest;
        let len = piece.len();
        file.consume(len);
    }
}

/// Takes a lock that whoever had it before may have for a moment longer: when this process, or the one before, starts a program, the
/// child has all open files between `fork` and `exec`.
fn lock_patiently(lock: &File) -> Result<(), TryLockError> {
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => thread::sleep(LOCK_PAUSE),
            tried => return tried,
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_runtime_is_refused_and_leftovers_are_removed() {
        let root = TempDir::new().unwrap();
        let first = StateDir::open(Some(root.path())).unwrap();
        let leftover = first.stage().join("greeter-g1.so");
        fs::write(&leftover, "half a file").unwrap();
        assert!(matches!(StateDir::open(Some(root.path())), Err(Error::StateDirInUse { .. })));
        assert!(leftover.exists(), "a refused runtime touches nothing");
        drop(first);
        StateDir::open(Some(root.path())).unwrap();
        assert!(!leftover.exists());
    }

    #[test]
    fn the_store_takes_the_same_bytes_twice() {
        let state = StateDir::open(None).unwrap();
        let digest = Digest::of(b"bytes");
        state.put(&digest, b"bytes").unwrap();
        state.put(&digest, b"bytes").unwrap();
        fs::remove_file(state.image(&digest)).unwrap();
        fs::write(state.image(&digest), b"bytes and more").unwrap();
        assert!(!holds(&state.image(&digest), b"bytes").unwrap());
        fs::write(state.image(&digest), b"damaged").unwrap();
        state.put(&digest, b"bytes").unwrap();
        assert_eq!(fs::read(state.image(&digest)).unwrap(), b"bytes");
        assert_eq!(fs::read_dir(state.images()).unwrap().count(), 1);
    }

    #[test]
    fn a_temporary_directory_goes_with_its_runtime() {
        let state = StateDir::open(None).unwrap();
        let root = state.root.clone();
        assert!(root.exists());
        drop(state);
        assert!(!root.exists());
    }
}
