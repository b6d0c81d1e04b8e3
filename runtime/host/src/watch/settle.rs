//! When a file in the modules directory has settled: when whoever writes it is done, as far as one can see.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use segue_loader::Digest;

/// How long a file must be left alone that is being written to, and whose writer did not say that it is done. A pause of
/// its writer that is longer makes it be read half-written; then it is refused, and taken when it changes again.
const QUIET: Duration = Duration::from_millis(250);

/// How long is waited after a writer has closed a file, or renamed it to its place: some do so twice.
const CLOSED_QUIET: Duration = Duration::from_millis(20);

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// When it was last written to: seconds and nanoseconds.
    modified: (i64, i64),
    /// When it last changed in any way. Whoever copies can set the time above as it was (`cp -p`), and this one not.
    changed: (i64, i64),
    size: u64,
    inode: u64,
}

/// The files that changed and have not settled, and the ones that were taken.
#[derive(Default)]
pub(crate) struct Settling {
    due: HashMap<PathBuf, Instant>,
    taken: HashMap<PathBuf, Taken>,
}

/// A file that was taken.
struct Taken {
    stamp: Stamp,
    /// What was read, where nobody has written to the file since, as far as the times tell.
    digest: Option<Digest>,
}

/// What is known of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Somebody wrote to it, or it has just appeared.
    Touched,
    /// Its writer is done: it was closed, or renamed to its place.
    Closed,
}

impl Stamp {
    /// The stamp of a regular file; links are followed.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Some(Stamp { modified, changed, size: metadata.size(), inode: metadata.ino() })
    }

    /// Whether no more than the time of the last change tells the two apart.
    fn is_written_as(&self, other: &Stamp) -> bool {
        Stamp { changed: other.changed, ..*self } == *other
    }
}

impl Settling {
    /// Notes a change of a file.
    pub(crate) fn note(&mut self, path: PathBuf, change: Change, now: Instant) {
        match change {
            Change::Touched => {
                self.due.insert(path, now + QUIET);
            }
            // Whoever puts a new file there all the time must not keep each of them from being taken.
            Change::Closed => {
                let due = self.due.entry(path).or_insert(now + CLOSED_QUIET);
                *due = (*due).min(now + CLOSED_QUIET);
            }
        }
    }

    /// Notes what was found in the directory: a file whose stamp is new was changed without our being told.
    pub(crate) fn note_found(&mut self, path: PathBuf, stamp: Stamp, now: Instant) {
        if self.taken.get(&path).map(|taken| taken.stamp) != Some(stamp) && !self.due.contains_key(&path) {
            self.note(path, Change::Touched, now);
        }
    }

    /// When the next file may have settled.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// Takes the files that have settled.
    pub(crate) fn take_settled(&mut self, now: Instant) -> Vec<PathBuf> {
        let mut settled: Vec<(Option<Stamp>, PathBuf)> =
            self.due.extract_if(|_, due| *due <= now).map(|(path, _)| (Stamp::of(&path), path)).collect();
        // The latest last: where two are files of one module, it is the one that stays.
        settled.sort();
        settled
            .into_iter()
            .filter_map(|(stamp, path)| {
                match stamp {
                    Some(stamp) => {
                        let before = self.taken.remove(&path);
                        let is_new = before.as_ref().is_none_or(|before| before.stamp != stamp);
                        let unwritten = before.filter(|before| before.stamp.is_written_as(&stamp));
                        let digest = unwritten.and_then(|before| before.digest);
                        self.taken.insert(path.clone(), Taken { stamp, digest });
                        is_new.then_some(path)
                    }
                    None => {
                        // It went again. Coming back unchanged, it is new.
                        self.taken.remove(&path);
                        None
                    }
                }
            })
            .collect()
    }

    /// Notes what was read of a file that was taken. False where it is what was taken before and only the file's owner, mode,
    /// links or times have changed: then there is nothing to load, also where something else is current by now.
    pub(crate) fn note_read(&mut self, path: &Path, digest: Digest) -> bool {
        self.taken.get_mut(path).is_none_or(|taken| taken.digest.replace(digest) != Some(digest))
    }

    /// Forgets that a file was taken, and looks at it again when it is left alone.
    pub(crate) fn again(&mut self, path: PathBuf, now: Instant) {
        self.taken.remove(&path);
        self.note(path, Change::Touched, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_settles_once_for_each_state_it_is_in() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.so");
        fs::write(&path, "one").unwrap();
        let mut settling = Settling::default();
        let start = Instant::now();
        settling.note(path.clone(), Change::Touched, start);
        assert!(settling.take_settled(start).is_empty(), "it may still be written to");
        settling.note(path.clone(), Change::Closed, start);
        settling.note(path.clone(), Change::Closed, start + CLOSED_QUIET / 2);
        assert_eq!(settling.take_settled(start + CLOSED_QUIET), std::slice::from_ref(&path));
        settling.note(path.clone(), Change::Closed, start);
        assert!(settling.take_settled(start + QUIET).is_empty(), "nothing has changed");
        settling.note_found(path.clone(), Stamp::of(&path).unwrap(), start);
        assert_eq!(settling.next_due(), None, "what was taken is not found again");
        fs::write(&path, "two and more").unwrap();
        settling.note_found(path.clone(), Stamp::of(&path).unwrap(), start);
        assert_eq!(settling.take_settled(start + QUIET), std::slice::from_ref(&path));
        fs::remove_file(&path).unwrap();
        settling.note(path.clone(), Change::Touched, start);
        assert!(settling.take_settled(start + QUIET).is_empty());
    }

    #[test]
    fn a_file_whose_time_was_set_back_is_taken_for_its_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.so");
        let mut settling = Settling::default();
        let start = Instant::now();
        let take = |bytes: &[u8], settling: &mut Settling| {
            // The clock of a file system goes in steps.
            std::thread::sleep(Duration::from_millis(20));
            fs::write(&path, bytes).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            settling.note(path.clone(), Change::Closed, start);
            assert_eq!(settling.take_settled(start + QUIET), std::slice::from_ref(&path));
            settling.note_read(&path, Digest::of(bytes))
        };
        assert!(take(b"one", &mut settling));
        assert!(take(b"two", &mut settling), "the time of the last write says nothing");
        assert!(!take(b"two", &mut settling), "the same again, by its times not written to");
    }
}
