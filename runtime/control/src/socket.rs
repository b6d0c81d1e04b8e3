//! The socket's file: made with its mode, by one process at a time, and taken away again.
//!
//! # How it is made
//!
//! The mode must never be wider than 0600, not even for a moment, and the process's umask is not ours to change. On Linux
//! the file that `bind` makes gets the mode of the socket's own inode, so that inode is given mode 0600 first. Elsewhere
//! the file's mode is set between `bind` and `listen`: nobody can connect to a socket that does not listen yet.
//!
//! Looking whether somebody answers on the path, removing a file that a dead process left, and binding are three steps.
//! They are taken under a lock on the directory (`flock`, which leaves nothing behind), so that two runtimes that start at
//! once do not take each other's socket away.

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

/// Read and write for the owner, nothing for anybody else.
const MODE: u32 = 0o600;

/// Connections that the system keeps for us before we take them; a client beyond them is refused by the system.
const BACKLOG: i32 = 128;

/// How long another runtime may be at the same three steps before we give up; it needs less than a millisecond.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The control socket's file, bound by this process. Dropping it takes the file away.
#[derive(Debug)]
pub struct Socket {
    // Dropped first: while the listener lives, no other runtime takes the path, so what is removed is ours.
    file: BoundFile,
    listener: UnixListener,
}

/// Why the socket could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A runtime answers there.
    #[error("{}: another runtime answers on this socket", path.display())]
    InUse {
        /// The socket's path.
        path: PathBuf,
    },
    /// Something is there that is no socket; it is left alone.
    #[error("{}: there is something at this path that is not a socket", path.display())]
    NotASocket {
        /// The socket's path.
        path: PathBuf,
    },
    /// Another process keeps the directory locked.
    #[error("{}: the directory is locked by another process", directory.display())]
    DirectoryLocked {
        /// The directory.
        directory: PathBuf,
    },
    /// The system said no.
    #[error("{action} the control socket {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "binding".
        action: &'static str,
        /// The socket's path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The file, for as long as it is ours.
#[derive(Debug)]
pub(crate) struct BoundFile {
    path: PathBuf,
    /// Device and inode: another runtime may have put its own file there since.
    identity: Option<(u64, u64)>,
}

// === impl Socket ===

impl Socket {
    /// Binds the socket to this path. What a dead process left there is replaced.
    ///
    /// # Errors
    ///
    /// Whatever is at the path and is alive, or no socket, is left as it is: see [`BindError`].
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
        let socket = new_socket().map_err(failed("making"))?;
        let address = SockAddr::unix(&path).map_err(failed("naming"))?;
        socket.bind(&address).map_err(failed("binding"))?;
        let file = BoundFile::new(path.clone());
        if cfg!(not(target_os = "linux")) {
            fs::set_permissions(&path, fs::Permissions::from_mode(MODE)).map_err(failed("guarding"))?;
        }
        socket.listen(BACKLOG).map_err(failed("opening"))?;
        drop(lock);
        Ok(Socket { file, listener: UnixListener::from(OwnedFd::from(socket)) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// What takes the file away when dropped, and the listener, which is to be dropped after it.
    pub(crate) fn into_parts(self) -> (BoundFile, UnixListener) {
        (self.file, self.listener)
    }
}

/// A socket that `bind` will give its mode.
fn new_socket() -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if cfg!(not(target_os = "linux")) {
        return Ok(socket);
    }
    // `File` is the standard library's way to `fchmod`.
    let inode = File::from(OwnedFd::from(socket));
    inode.set_permissions(fs::Permissions::from_mode(MODE))?;
    Ok(socket2::Socket::from(OwnedFd::from(inode)))
}

/// Keeps other runtimes from the same three steps until it is dropped.
fn lock_directory(directory: &Path, path: &Path) -> Result<Option<File>, BindError> {
    let file = File::open(directory).map_err(|source| BindError::Io {
        action: "opening the directory of",
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
            // A file system that cannot lock a directory: two runtimes that start in the same instant are not kept apart.
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}

/// Makes the path free, where what is there may be removed.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    let failed = |action| move |source| BindError::Io { action, path: path.to_owned(), source };
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata.map_err(failed("looking at"))?,
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket { path: path.to_owned() });
    }
    match has_listener(path) {
        Ok(true) => Err(BindError::InUse { path: path.to_owned() }),
        Ok(false) => fs::remove_file(path).map_err(failed("removing the left-over of")),
        Err(source) => Err(failed("asking")(source)),
    }
}

/// Whether a process listens there. It does not wait: a listener whose backlog is full is alive, too.
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
            // Where it cannot be removed, the next runtime sees that nobody answers, and replaces it.
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
    fn only_the_owner_may_connect_and_the_file_goes_with_the_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segue.sock");
        let socket = Socket::bind(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing else is left");
    }

    #[test]
    fn a_live_socket_is_left_alone_and_a_dead_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segue.sock");
        // The standard library leaves the file behind, as a process that is killed does.
        let other = UnixListener::bind(&path).unwrap();
        assert!(matches!(Socket::bind(&path), Err(BindError::InUse { .. })));
        assert!(path.exists());
        drop(other);
        let socket = Socket::bind(&path).unwrap();
        assert_eq!(mode(socket.path()), 0o600);
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segue.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Socket::bind(&path), Err(BindError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let nowhere = directory.path().join("missing/segue.sock");
        assert!(matches!(Socket::bind(nowhere), Err(BindError::Io { .. })));
        let long = directory.path().join("x".repeat(200));
        assert!(matches!(Socket::bind(long), Err(BindError::Io { action: "naming", .. })));
    }

    #[test]
    fn the_file_of_a_successor_stays() {
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
    fn of_many_that_start_at_once_over_a_left_over_one_wins() {
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
