//! The state directory: the private copies that are mapped, the store of files by digest, and the ledger's
//! file.

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

/// How long `open` tries to lock the directory.
const LOCK_TIMEOUT: Duration = Duration::from_millis(500);
/// The pause between two attempts.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// The buffer for comparing a file of the store, in bytes.
const COMPARE_BUFFER: usize = 64 << 10;

/// The state directory, locked against other runtimes.
pub(crate) struct StateDir {
    /// Without symbolic links, as in the dynamic linker's list.
    root: PathBuf,
    /// Locked while it is open. The system unlocks it when the process ends, also after a crash.
    _lock: File,
    /// The directory, if the runtime was given none. It is removed with the runtime.
    _temporary: Option<TempDir>,
}

impl StateDir {
    /// Opens and locks the directory, creates what is missing, and removes what a killed runtime left in
    /// `stage/`.
    pub(crate) fn open(root: Option<&Path>) -> Result<Self, Error> {
        let Some(root) = root else {
            let temporary = TempDir::with_prefix("segue-")
                .map_err(failed("create a directory in", &std::env::temp_dir()))?;
            let mut state = StateDir::open(Some(temporary.path()))?;
            state._temporary = Some(temporary);
            return Ok(state);
        };
        // Only for the owner: write access to this directory is control over what this process runs.
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(failed("create", root))?;
        let root = root.canonicalize().map_err(failed("open", root))?;
        let lock_path = root.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(failed("open", &lock_path))?;
        match lock_with_retry(&lock) {
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
        // We hold the lock, so the runtime that left these is gone: private copies, and unfinished files of
        // the store.
        state.clear(&state.stage(), |_| true)?;
        state.clear(&state.images(), |path| path.extension().is_none_or(|extension| extension != "so"))?;
        Ok(state)
    }

    /// The directory of the private copies.
    pub(crate) fn stage(&self) -> PathBuf {
        self.root.join("stage")
    }

    /// The ledger's file.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.root.join("ledger.sqlite")
    }

    /// The file that exists while a start has not finished.
    pub(crate) fn start_marker(&self) -> PathBuf {
        self.root.join("starting")
    }

    /// The file of the crash reports. A process that ends by a fatal signal, or by a module's `exit`, writes
    /// to it which module's code ran.
    pub(crate) fn crashes(&self) -> PathBuf {
        self.root.join("crashes")
    }

    /// The path of the file with this digest in the store. It may not exist.
    pub(crate) fn image(&self, digest: &Digest) -> PathBuf {
        self.images().join(format!("{}.so", digest.hex()))
    }

    /// Writes bytes to the store, all or none. A damaged file is replaced.
    pub(crate) fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
        let path = self.image(digest);
        if has_content(&path, bytes).unwrap_or(false) {
            return Ok(());
        }
        let write = || -> io::Result<()> {
            let mut file = NamedTempFile::new_in(self.images())?;
            file.write_all(bytes)?;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o400))?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            // So the name, too, survives a power failure.
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

/// Whether a file has exactly these bytes. It compares buffer by buffer, because a file may be large and each
/// load does this.
fn has_content(path: &Path, mut bytes: &[u8]) -> io::Result<bool> {
    let mut file = BufReader::with_capacity(COMPARE_BUFFER, File::open(path)?);
    loop {
        let buffer = file.fill_buf()?;
        if buffer.is_empty() {
            return Ok(bytes.is_empty());
        }
        let Some(rest) = bytes.strip_prefix(buffer) else { return Ok(false) };
        bytes = rest;
        let len = buffer.len();
        file.consume(len);
    }
}

/// Locks the file, and retries for a moment. When this process or the previous one starts a program, the
/// child holds all open files, and so the lock, between `fork` and `exec`.
fn lock_with_retry(lock: &File) -> Result<(), TryLockError> {
    let started = Instant::now();
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_TIMEOUT => {
                thread::sleep(LOCK_RETRY_INTERVAL)
            }
            result => return result,
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
    fn a_second_runtime_is_refused_and_leftover_files_are_removed() {
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
    fn the_store_accepts_the_same_bytes_twice_and_replaces_a_damaged_file() {
        let state = StateDir::open(None).unwrap();
        let digest = Digest::of(b"bytes");
        state.put(&digest, b"bytes").unwrap();
        state.put(&digest, b"bytes").unwrap();
        fs::remove_file(state.image(&digest)).unwrap();
        fs::write(state.image(&digest), b"bytes and more").unwrap();
        assert!(!has_content(&state.image(&digest), b"bytes").unwrap());
        fs::write(state.image(&digest), b"damaged").unwrap();
        state.put(&digest, b"bytes").unwrap();
        assert_eq!(fs::read(state.image(&digest)).unwrap(), b"bytes");
        assert_eq!(fs::read_dir(state.images()).unwrap().count(), 1);
    }

    #[test]
    fn a_temporary_directory_is_removed_with_its_runtime() {
        let state = StateDir::open(None).unwrap();
        let root = state.root.clone();
        assert!(root.exists());
        drop(state);
        assert!(!root.exists());
    }
}
