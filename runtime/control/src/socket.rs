//! The socket file: created with mode 0600 by one process at a time, and removed on drop.
//!
//! # How it is created
//!
//! The mode must never be wider than 0600, not even for a moment, and a library must not change the process's
//! umask. On Linux the file that `bind` creates gets the mode of the socket's own inode, so that inode is set
//! to mode 0600 first. On other systems the file's mode is set between `bind` and `listen`: no client can
//! connect before `listen`.
//!
//! `bind` takes three steps: it checks whether a process listens on the path, removes a stale file, and
//! binds. A lock on the directory (`flock`, which creates no file) covers all three. Without it, two runtimes
//! that start at the same time could remove each other's socket.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, SockAddr, Type};

/// Read and write for the owner only.
const MODE: u32 = 0o600;

/// Connections that may wait to be accepted. The system refuses further clients.
const BACKLOG: i32 = 128;

/// How long to wait for the lock on the directory. The three steps take another runtime less than a
/// millisecond.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The control socket's file, bound by this process. Dropping it removes the file.
#[derive(Debug)]
pub struct Socket {
    // Dropped first: while the listener exists, no other runtime takes the path, so the removed file is ours.
    file: BoundFile,
    listener: UnixListener,
}

/// Why the socket could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another process listens on the path.
    #[error("cannot bind the control socket {}: another runtime listens on it", path.display())]
    InUse {
        /// The socket's path.
        path: PathBuf,
    },
    /// The path is not a socket. It was not changed.
    #[error("cannot bind the control socket {}: the path exists and is not a socket", path.display())]
    NotASocket {
        /// The socket's path.
        path: PathBuf,
    },
    /// Another process holds the lock on the directory.
    #[error(
        "cannot create the control socket: another process has locked the directory {}",
        directory.display()
    )]
    DirectoryLocked {
        /// The directory.
        directory: PathBuf,
    },
    /// A system call failed.
    #[error("cannot {action} the control socket {}: {source}", path.display())]
    Io {
        /// The step that failed, as a verb: "bind".
        action: &'static str,
        /// The socket's path.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

/// The socket file. Dropping it removes the file if it is still the one that this process bound.
#[derive(Debug)]
pub(crate) struct BoundFile {
    path: PathBuf,
    /// Device and inode. Another runtime may have bound its own file at the path since.
    identity: Option<(u64, u64)>,
}

// === impl Socket ===

impl Socket {
    /// Binds the socket to this path. A socket file on which no process listens is replaced.
    ///
    /// # Errors
    ///
    /// [`BindError`]. A socket in use, or a file that is not a socket, is never changed.
    pub fn bind(path: impl Into<PathBuf>) -> Result<Self, BindError> {
        let path = path.into();
        let failed = |action| {
            let path = path.clone();
            move |source| BindError::Io { action, path, source }
        };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let lock = lock_directory(directory, &path)?;
        remove_stale(&path)?;
        let socket = new_socket().map_err(failed("create"))?;
        let address = SockAddr::unix(&path).map_err(failed("use the path of"))?;
        socket.bind(&address).map_err(failed("bind"))?;
        let file = BoundFile::new(path.clone());
        if cfg!(not(target_os = "linux")) {
            fs::set_permissions(&path, fs::Permissions::from_mode(MODE))
                .map_err(failed("set the mode of"))?;
        }
        socket.listen(BACKLOG).map_err(failed("listen on"))?;
        drop(lock);
        Ok(Socket { file, listener: UnixListener::from(OwnedFd::from(socket)) })
    }

    /// The path of the socket file.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The file, which is removed when dropped, and the listener. Drop the file before the listener.
    pub(crate) fn into_parts(self) -> (BoundFile, UnixListener) {
        (self.file, self.listener)
    }
}

/// A socket whose file gets mode 0600 on `bind`, on Linux.
fn new_socket() -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if cfg!(not(target_os = "linux")) {
        return Ok(socket);
    }
    // `File` wraps `fchmod`.
    let inode = File::from(OwnedFd::from(socket));
    inode.set_permissions(fs::Permissions::from_mode(MODE))?;
    Ok(socket2::Socket::from(OwnedFd::from(inode)))
}

/// Locks the directory against other runtimes until the file is dropped. `None` if its file system cannot
/// lock directories; then two runtimes that start at the same time are not protected from each other.
fn lock_directory(directory: &Path, path: &Path) -> Result<Option<File>, BindError> {
    let file = File::open(directory).map_err(|source| BindError::Io {
        action: "open the directory of",
        path: path.to_owned(),
        source,
    })?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_TIMEOUT => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(BindError::DirectoryLocked { directory: directory.to_owned() });
            }
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}

/// Removes a socket file on which no process listens.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    let failed = |action| move |source| BindError::Io { action, path: path.to_owned(), source };
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata.map_err(failed("read the metadata of"))?,
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket { path: path.to_owned() });
    }
    match has_listener(path) {
        Ok(true) => Err(BindError::InUse { path: path.to_owned() }),
        Ok(false) => fs::remove_file(path).map_err(failed("remove the stale file of")),
        Err(source) => Err(failed("connect to")(source)),
    }
}

/// Whether a process listens on the path. It does not wait: if the backlog is full, the listener exists.
fn has_listener(path: &Path) -> io::Result<bool> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(error),
    }
}

// === impl BoundFile ===

impl BoundFile {
    fn new(path: PathBuf) -> Self {
        let identity = identity(&path);
        BoundFile { path, identity }
    }
}

impl Drop for BoundFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // If the file cannot be removed, the next runtime finds no listener and replaces it.
            drop(fs::remove_file(&self.path));
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_has_mode_0600_and_is_removed_with_the_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segue.sock");
        let socket = Socket::bind(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "no other file remains");
    }

    #[test]
    fn a_socket_in_use_is_kept_and_a_stale_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segue.sock");
        // The standard library does not remove the file, as when a process is killed.
        let other = UnixListener::bind(&path).unwrap();
        assert!(matches!(Socket::bind(&path), Err(BindError::InUse { .. })));
        assert!(path.exists());
        drop(other);
        let socket = Socket::bind(&path).unwrap();
        assert_eq!(mode(socket.path()), 0o600);
    }

    #[test]
    fn a_file_that_is_not_a_socket_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segue.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Socket::bind(&path), Err(BindError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let nowhere = directory.path().join("missing/segue.sock");
        assert!(matches!(Socket::bind(nowhere), Err(BindError::Io { .. })));
        let long = directory.path().join("x".repeat(200));
        assert!(matches!(Socket::bind(long), Err(BindError::Io { action: "use the path of", .. })));
    }

    #[test]
    fn the_file_of_another_runtime_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segue.sock");
        let first = Socket::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = Socket::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn one_of_many_concurrent_binds_replaces_a_stale_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segue.sock");
        drop(UnixListener::bind(&path).unwrap());
        let sockets: Vec<_> = std::thread::scope(|scope| {
            let starters: Vec<_> = (0..8).map(|_| scope.spawn(|| Socket::bind(&path))).collect();
            starters.into_iter().map(|starter| starter.join().unwrap()).collect()
        });
        assert_eq!(sockets.iter().filter(|socket| socket.is_ok()).count(), 1);
        assert!(sockets.iter().all(|socket| matches!(socket, Ok(_) | Err(BindError::InUse { .. }))));
        std::os::unix::net::UnixStream::connect(&path).unwrap();
    }
}
