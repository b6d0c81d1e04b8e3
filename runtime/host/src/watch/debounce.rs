//! Decides when a changed file of the modules directory is complete, as far as that can be seen from outside.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use segue_loader::Digest;

/// How long a file must be unchanged if its writer has not closed it. If a writer pauses for longer, the file
/// is read half-written and refused, and read again after its next change.
const QUIET_PERIOD: Duration = Duration::from_millis(250);

/// How long to wait after a writer has closed a file or renamed it to its final name. Some writers do so
/// twice.
const CLOSED_QUIET_PERIOD: Duration = Duration::from_millis(20);

/// Distinguishes two states of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    /// When it was last written: seconds and nanoseconds.
    modified: (i64, i64),
    /// When its content or attributes last changed. A copy can preserve `modified` (`cp -p`), but not this.
    changed: (i64, i64),
    size: u64,
    inode: u64,
}

/// The changed files that are not complete yet, and the files that were taken.
#[derive(Default)]
pub(super) struct Debouncer {
    due: HashMap<PathBuf, Instant>,
    taken: HashMap<PathBuf, TakenFile>,
}

/// A file that was taken, to be read and loaded.
struct TakenFile {
    stamp: Stamp,
    /// The digest of what was read. `None` if the file has been written since, as far as its times show.
    digest: Option<Digest>,
}

/// A change of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileChange {
    /// It was written, or has just appeared.
    Written,
    /// Its writer has closed it, or renamed it to its final name.
    Complete,
}

// === impl Stamp ===

impl Stamp {
    /// The stamp of a regular file. Follows symbolic links.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Some(Stamp { modified, changed, size: metadata.size(), inode: metadata.ino() })
    }

    /// Whether the stamps differ in `changed` at most.
    fn is_written_as(&self, other: &Stamp) -> bool {
        Stamp { changed: other.changed, ..*self } == *other
    }
}

// === impl Debouncer ===

impl Debouncer {
    /// Notes a reported change of a file.
    pub(super) fn note(&mut self, path: PathBuf, change: FileChange, now: Instant) {
        match change {
            FileChange::Written => {
                self.due.insert(path, now + QUIET_PERIOD);
            }
            // The earlier time wins. Otherwise a writer that keeps replacing the file would delay it for
            // ever.
            FileChange::Complete => {
                let due = self.due.entry(path).or_insert(now + CLOSED_QUIET_PERIOD);
                *due = (*due).min(now + CLOSED_QUIET_PERIOD);
            }
        }
    }

    /// Notes a file that a scan found. If its stamp is new, the file changed without a report.
    pub(super) fn note_found(&mut self, path: PathBuf, stamp: Stamp, now: Instant) {
        if self.taken.get(&path).map(|taken| taken.stamp) != Some(stamp) && !self.due.contains_key(&path) {
            self.note(path, FileChange::Written, now);
        }
    }

    /// When the next file is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// Takes the files that are due and have changed since they were last taken, the latest last. So of two
    /// files of one module, the later one stays current.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<PathBuf> {
        let mut due: Vec<(Option<Stamp>, PathBuf)> =
            self.due.extract_if(|_, due| *due <= now).map(|(path, _)| (Stamp::of(&path), path)).collect();
        due.sort();
        due.into_iter()
            .filter_map(|(stamp, path)| match stamp {
                Some(stamp) => {
                    let before = self.taken.remove(&path);
                    let is_new = before.as_ref().is_none_or(|before| before.stamp != stamp);
                    let unwritten = before.filter(|before| before.stamp.is_written_as(&stamp));
                    let digest = unwritten.and_then(|before| before.digest);
                    self.taken.insert(path.clone(), TakenFile { stamp, digest });
                    is_new.then_some(path)
                }
                None => {
                    // It is gone. If it returns unchanged, it counts as new.
                    self.taken.remove(&path);
                    None
                }
            })
            .collect()
    }

    /// Notes the digest of a taken file that was read, and returns whether there is anything to load. There
    /// is not if the bytes are those that were read before and only the owner, the mode, the links or the
    /// times have changed, even if another version is current by now.
    pub(super) fn note_read(&mut self, path: &Path, digest: Digest) -> bool {
        self.taken.get_mut(path).is_none_or(|taken| taken.digest.replace(digest) != Some(digest))
    }

    /// Takes the file again after it has been unchanged for the quiet period.
    pub(super) fn retry(&mut self, path: PathBuf, now: Instant) {
        self.taken.remove(&path);
        self.note(path, FileChange::Written, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_once_after_each_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.so");
        fs::write(&path, "one").unwrap();
        let mut debouncer = Debouncer::default();
        let start = Instant::now();
        debouncer.note(path.clone(), FileChange::Written, start);
        assert!(debouncer.take_due(start).is_empty(), "it may still be being written");
        debouncer.note(path.clone(), FileChange::Complete, start);
        debouncer.note(path.clone(), FileChange::Complete, start + CLOSED_QUIET_PERIOD / 2);
        assert_eq!(debouncer.take_due(start + CLOSED_QUIET_PERIOD), std::slice::from_ref(&path));
        debouncer.note(path.clone(), FileChange::Complete, start);
        assert!(debouncer.take_due(start + QUIET_PERIOD).is_empty(), "nothing has changed");
        debouncer.note_found(path.clone(), Stamp::of(&path).unwrap(), start);
        assert_eq!(debouncer.next_due(), None, "a scan does not report a file that was taken");
        fs::write(&path, "two and more").unwrap();
        debouncer.note_found(path.clone(), Stamp::of(&path).unwrap(), start);
        assert_eq!(debouncer.take_due(start + QUIET_PERIOD), std::slice::from_ref(&path));
        fs::remove_file(&path).unwrap();
        debouncer.note(path.clone(), FileChange::Written, start);
        assert!(debouncer.take_due(start + QUIET_PERIOD).is_empty());
    }

    #[test]
    fn a_file_whose_modification_time_was_set_back_is_compared_by_digest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.so");
        let mut debouncer = Debouncer::default();
        let start = Instant::now();
        let take = |bytes: &[u8], debouncer: &mut Debouncer| {
            // The clock of a file system has coarse steps.
            std::thread::sleep(Duration::from_millis(20));
            fs::write(&path, bytes).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            debouncer.note(path.clone(), FileChange::Complete, start);
            assert_eq!(debouncer.take_due(start + QUIET_PERIOD), std::slice::from_ref(&path));
            debouncer.note_read(&path, Digest::of(bytes))
        };
        assert!(take(b"one", &mut debouncer));
        assert!(take(b"two", &mut debouncer), "the modification time does not show the write");
        assert!(!take(b"two", &mut debouncer), "the same bytes, and the times show no write");
    }
}
