//! Snapshots of this process from `/proc`, and the differences between two of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use crate::{
    probe::{
        callers::NAME as CALLER,
        report::{Stay, StayKind},
    },
    text::count,
};

/// Everything that a module can leave in a process, at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// Names by thread id.
    threads: BTreeMap<u32, String>,
    /// Targets by descriptor.
    descriptors: BTreeMap<u32, String>,
    /// Files that are mapped.
    files: BTreeSet<String>,
    /// The number of mappings.
    pub(super) mappings: i64,
    /// The number of pthread keys in use.
    pub(super) keys: usize,
    /// Signals that have a handler, one bit each.
    caught: u64,
    /// Signals that are ignored, one bit each.
    ignored: u64,
    /// Resident memory, in bytes.
    pub(super) resident_bytes: u64,
}

/// Files that libc maps for itself and never unmaps.
const LIBC_FILES: [&str; 6] = ["libnss_", "libresolv", "libgcc_s", "locale-archive", "gconv", "libc.mo"];

// === impl Snapshot ===

impl Snapshot {
    /// Takes a snapshot. Files below `own` belong to the runtime and are left out.
    pub(super) fn take(own: &Path, keys: usize) -> io::Result<Self> {
        let own = own.to_string_lossy();
        let is_own = |path: &str| path.starts_with(&*own);
        let mut snapshot = Snapshot { keys, ..Snapshot::default() };
        for task in fs::read_dir("/proc/self/task")? {
            let task = task?;
            let Some(tid) = task.file_name().to_str().and_then(|tid| tid.parse().ok()) else { continue };
            // Fails if the thread has ended meanwhile.
            if let Ok(name) = fs::read_to_string(task.path().join("comm")) {
                snapshot.threads.insert(tid, name.trim_end().to_owned());
            }
        }
        // Collect only paths: an entry would keep the listing open, and its own descriptor would count.
        let entries = fs::read_dir("/proc/self/fd")?.filter_map(Result::ok);
        let descriptors: Vec<_> = entries.map(|entry| entry.path()).collect();
        for descriptor in descriptors {
            let number = descriptor.file_name().and_then(|fd| fd.to_str()).and_then(|fd| fd.parse().ok());
            let (Some(number), Ok(target)) = (number, fs::read_link(&descriptor)) else { continue };
            let target = target.to_string_lossy();
            if !is_own(&target) {
                snapshot.descriptors.insert(number, target.into_owned());
            }
        }
        for line in fs::read_to_string("/proc/self/maps")?.lines() {
            snapshot.mappings += 1;
            if let Some(at) = line.find('/')
                && !is_own(&line[at..])
            {
                snapshot.files.insert(line[at..].to_owned());
            }
        }
        for line in fs::read_to_string("/proc/self/status")?.lines() {
            let Some((field, value)) = line.split_once(':') else { continue };
            let bits = || u64::from_str_radix(value.trim(), 16).unwrap_or(0);
            match field {
                "SigCgt" => snapshot.caught = bits(),
                "SigIgn" => snapshot.ignored = bits(),
                "VmRSS" => {
                    let kib = value.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok());
                    snapshot.resident_bytes = kib.unwrap_or(0) * 1024;
                }
                _ => {}
            }
        }
        Ok(snapshot)
    }

    /// Whether there are threads that `before` does not have.
    pub(super) fn has_new_threads(&self, before: &Snapshot) -> bool {
        self.threads.keys().any(|tid| !before.threads.contains_key(tid))
    }

    /// The things that `before` does not have. While images stay, the runtime's own threads for them run, and
    /// are left out.
    pub(super) fn since(&self, before: &Snapshot, module: &str, images: usize) -> Vec<Stay> {
        let mut stays = Vec::new();
        let mut add = |kind, what: String, advice: &str| {
            stays.push(Stay { kind, what, advice: advice.to_owned() });
        };
        let runtime_threads =
            ["load", "purge", "delete", "on_load", "drop"].map(|verb| truncated(&format!("{verb} {module}")));
        let new = self.threads.iter().filter(|(tid, _)| !before.threads.contains_key(tid));
        for (name, number) in counted(new.map(|(_, name)| name.clone())) {
            // A thread without a name of its own has that of the thread that started it.
            if runtime_threads.contains(&name) && images > 0 {
                continue;
            }
            let is_nameless = name == CALLER || runtime_threads.contains(&name);
            let what = match is_nameless {
                true => format!("{number} without a name"),
                false => format!("{number} named {name:?}"),
            };
            add(StayKind::Thread, what, "end the thread and join it in the module's `Drop`");
        }
        let new = self.descriptors.iter().filter(|(fd, target)| before.descriptors.get(fd) != Some(target));
        for (target, number) in counted(new.map(|(_, target)| kind_of(target))) {
            let advice = "close it in the module's `Drop`: keep it in the module's value, not in a static";
            add(StayKind::Descriptor, format!("{number} open: {target}"), advice);
        }
        let is_of_libc = |file: &&String| LIBC_FILES.iter().any(|part| file.contains(part));
        for file in self.files.difference(&before.files).filter(|file| !is_of_libc(file)) {
            add(StayKind::Mapping, file.clone(), "unmap it, or close the library, in the module's `Drop`");
        }
        if self.keys > before.keys {
            let what = format!("{} not deleted", count((self.keys - before.keys) as u64, "pthread key"));
            add(StayKind::Key, what, "delete the keys in the module's `Drop`; a process has 1024");
        }
        for signal in 1..=64 {
            let is_in = |set: u64| set >> (signal - 1) & 1 == 1;
            let state = |snapshot: &Snapshot| match (is_in(snapshot.caught), is_in(snapshot.ignored)) {
                (true, _) => "has a handler",
                (_, true) => "is ignored",
                _ => "has the default action",
            };
            let (was, is) = (state(before), state(self));
            if was != is {
                let what = format!("{} {is}; before, it {}", segue::signal_name(signal), past(was));
                add(StayKind::Signal, what, "restore the disposition in the module's `Drop`");
            }
        }
        stays
    }
}

/// A thread's name as the kernel keeps it.
fn truncated(name: &str) -> String {
    let mut end = name.len().min(15);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

fn past(state: &str) -> &str {
    match state {
        "has a handler" => "had a handler",
        "is ignored" => "was ignored",
        _ => "had the default action",
    }
}

/// A descriptor's target without its number: `socket`, `pipe`, `anon_inode:[eventpoll]`, or a path.
fn kind_of(target: &str) -> String {
    let numbered = ["socket:[", "pipe:["].iter().any(|kind| target.starts_with(kind));
    if numbered { target.split(':').next().unwrap_or(target).to_owned() } else { target.to_owned() }
}

/// Each text once, with its count.
fn counted(texts: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use std::{fs::File, sync::mpsc, thread};

    use super::*;

    #[test]
    fn new_descriptors_threads_and_keys_are_found_and_nothing_else() {
        let own = tempfile::tempdir().unwrap();
        let before = Snapshot::take(own.path(), 3).unwrap();
        let _ours = File::create(own.path().join("ours")).unwrap();
        let theirs = tempfile::tempdir().unwrap();
        let path = theirs.path().join("theirs");
        let _theirs = File::create(&path).unwrap();
        let ((stop, stopped), (started, has_started)) = (mpsc::channel::<()>(), mpsc::channel());
        let stays = thread::Builder::new().name("stays-here".to_owned());
        let stays = stays.spawn(move || {
            // The thread has its name by now.
            started.send(()).unwrap();
            let _ = stopped.recv();
        });
        let stays = stays.unwrap();
        has_started.recv().unwrap();
        let after = Snapshot::take(own.path(), 4).unwrap();
        let found = after.since(&before, "m", 0);
        let of = |kind| found.iter().filter(move |stay| stay.kind == kind).map(|stay| &*stay.what);
        assert!(of(StayKind::Thread).any(|what| what == "1 named \"stays-here\""), "{found:?}");
        assert!(of(StayKind::Descriptor).any(|what| what.ends_with("/theirs")), "{found:?}");
        assert!(!of(StayKind::Descriptor).any(|what| what.ends_with("/ours")), "{found:?}");
        assert!(!of(StayKind::Descriptor).any(|what| what.ends_with("/fd")), "{found:?}");
        assert_eq!(of(StayKind::Key).collect::<Vec<_>>(), ["1 pthread key not deleted"]);
        drop(stop);
        stays.join().unwrap();
    }

    #[test]
    fn a_changed_signal_disposition_is_found() {
        let before = Snapshot::default();
        let after = Snapshot { caught: 1 << 9, ignored: 1 << 12, ..Snapshot::default() };
        let what: Vec<String> = after.since(&before, "m", 0).into_iter().map(|stay| stay.what).collect();
        let expected = [
            "SIGUSR1 has a handler; before, it had the default action",
            "SIGPIPE is ignored; before, it had the default action",
        ];
        assert_eq!(what, expected);
        assert_eq!((kind_of("socket:[7]"), kind_of("/a")), ("socket".to_owned(), "/a".to_owned()));
    }
}
