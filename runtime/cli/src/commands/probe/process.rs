//! What the system says of this process, and what differs between two moments.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use super::{
    callers::NAME as CALLER,
    report::{Stay, StayKind},
};

/// What a module can leave in a process, at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    /// Names by thread id.
    threads: BTreeMap<u32, String>,
    /// Targets by descriptor.
    descriptors: BTreeMap<u32, String>,
    /// Files that are mapped.
    files: BTreeSet<String>,
    /// How many mappings there are.
    pub(super) mappings: i64,
    /// Taken pthread keys.
    pub(super) keys: usize,
    /// Signals that have a handler, one bit each.
    caught: u64,
    /// Signals that are ignored, one bit each.
    ignored: u64,
    /// Resident memory.
    pub(super) resident_bytes: u64,
}

/// Libraries that libc maps for itself and never unmaps.
const OF_LIBC: [&str; 6] = ["libnss_", "libresolv", "libgcc_s", "locale-archive", "gconv", "libc.mo"];

// === impl Process ===

impl Process {
    /// Looks now. What lies below `own` belongs to the runtime.
    pub(super) fn now(own: &Path, keys: usize) -> io::Result<Self> {
        let own = own.to_string_lossy();
        let is_own = |path: &str| path.starts_with(&*own);
        let mut process = Process { keys, ..Process::default() };
        for task in fs::read_dir("/proc/self/task")? {
            let task = task?;
            let Some(tid) = task.file_name().to_str().and_then(|tid| tid.parse().ok()) else { continue };
            // A thread that has ended meanwhile has no name.
            if let Ok(name) = fs::read_to_string(task.path().join("comm")) {
                process.threads.insert(tid, name.trim_end().to_owned());
            }
        }
        // The listing itself has a descriptor, which is gone when its target is read.
        let descriptors: Vec<_> = fs::read_dir("/proc/self/fd")?.filter_map(Result::ok).collect();
        for descriptor in descriptors {
            let Some(number) = descriptor.file_name().to_str().and_then(|fd| fd.parse().ok()) else {
                continue;
            };
            match fs::read_link(descriptor.path()) {
                Ok(target) if !is_own(&target.to_string_lossy()) => {
                    process.descriptors.insert(number, target.to_string_lossy().into_owned());
                }
                _ => {}
            }
        }
        for line in fs::read_to_string("/proc/self/maps")?.lines() {
            process.mappings += 1;
            if let Some(at) = line.find('/')
                && !is_own(&line[at..])
            {
                process.files.insert(line[at..].to_owned());
            }
        }
        for line in fs::read_to_string("/proc/self/status")?.lines() {
            let Some((field, value)) = line.split_once(':') else { continue };
            let bits = || u64::from_str_radix(value.trim(), 16).unwrap_or(0);
            match field {
                "SigCgt" => process.caught = bits(),
                "SigIgn" => process.ignored = bits(),
                "VmRSS" => {
                    let kib = value.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok());
                    process.resident_bytes = kib.unwrap_or(0) * 1024;
                }
                _ => {}
            }
        }
        Ok(process)
    }

    /// Whether threads are here that were not there.
    pub(super) fn has_new_threads(&self, before: &Process) -> bool {
        self.threads.keys().any(|tid| !before.threads.contains_key(tid))
    }

    /// What is here now and was not there before. While images stay, the runtime's own threads for them go on, and do not count.
    pub(super) fn since(&self, before: &Process, module: &str, images: usize) -> Vec<Stay> {
        let mut stays = Vec::new();
        let mut add = |kind, what: String, advice: &str| {
            stays.push(Stay { kind, what, advice: advice.to_owned() });
        };
        let journeys =
            ["load", "purge", "delete", "on_load", "drop"].map(|verb| cut(&format!("{verb} {module}")));
        let new = self.threads.iter().filter(|(tid, _)| !before.threads.contains_key(tid));
        for (name, many) in counted(new.map(|(_, name)| name.clone())) {
            // A thread that is given no name has that of the thread that started it.
            if journeys.contains(&name) && images > 0 {
                continue;
            }
            let is_nameless = name == CALLER || journeys.contains(&name);
            let what =
                if is_nameless { format!("{many} without a name") } else { format!("{many} named {name:?}") };
            add(StayKind::Thread, what, "end the thread and join it in the module's `Drop`");
        }
        let new = self.descriptors.iter().filter(|(fd, target)| before.descriptors.get(fd) != Some(target));
        for (target, many) in counted(new.map(|(_, target)| kind_of(target))) {
            let advice = "close it in the module's `Drop`: keep it in the module's value, not in a static";
            add(StayKind::Descriptor, format!("{many} open: {target}"), advice);
        }
        let is_of_libc = |file: &&String| OF_LIBC.iter().any(|part| file.contains(part));
        for file in self.files.difference(&before.files).filter(|file| !is_of_libc(file)) {
            add(StayKind::Mapping, file.clone(), "unmap it, or close the library, in the module's `Drop`");
        }
        if self.keys > before.keys {
            let what = format!("{} pthread keys are not given back", self.keys - before.keys);
            add(StayKind::Key, what, "delete the keys in the module's `Drop`; a process has 1024");
        }
        for signal in 1..=64 {
            let is_in = |set: u64| set >> (signal - 1) & 1 == 1;
            let of = |process: &Process| match (is_in(process.caught), is_in(process.ignored)) {
                (true, _) => "has a handler",
                (_, true) => "is ignored",
                _ => "has the default action",
            };
            let (was, is) = (of(before), of(self));
            if was != is {
                let what = format!("{} {is}; before, it {}", segue::signal_name(signal), past(was));
                add(StayKind::Signal, what, "restore the disposition in the module's `Drop`");
            }
        }
        stays
    }
}

/// A thread's name as the system keeps it.
fn cut(name: &str) -> String {
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

/// Each text once, with how often it is there.
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
    fn a_descriptor_a_thread_and_a_key_are_noticed_and_nothing_else() {
        let own = tempfile::tempdir().unwrap();
        let before = Process::now(own.path(), 3).unwrap();
        let _ours = File::create(own.path().join("ours")).unwrap();
        let theirs = tempfile::tempdir().unwrap();
        let path = theirs.path().join("theirs");
        let _theirs = File::create(&path).unwrap();
        let ((stop, stopped), (begun, begins)) = (mpsc::channel::<()>(), mpsc::channel());
        let stays = thread::Builder::new().name("stays-here".to_owned());
        let stays = stays.spawn(move || {
            // It has its name from now on.
            begun.send(()).unwrap();
            let _ = stopped.recv();
        });
        let stays = stays.unwrap();
        begins.recv().unwrap();
        let after = Process::now(own.path(), 4).unwrap();
        let found = after.since(&before, "m", 0);
        let of = |kind| found.iter().filter(move |stay| stay.kind == kind).map(|stay| &*stay.what);
        assert!(of(StayKind::Thread).any(|what| what == "1 named \"stays-here\""), "{found:?}");
        assert!(of(StayKind::Descriptor).any(|what| what.ends_with("/theirs")), "{found:?}");
        assert!(!of(StayKind::Descriptor).any(|what| what.ends_with("/ours")), "{found:?}");
        assert_eq!(of(StayKind::Key).collect::<Vec<_>>(), ["1 pthread keys are not given back"]);
        drop(stop);
        stays.join().unwrap();
    }

    #[test]
    fn a_changed_disposition_is_named() {
        let before = Process::default();
        let after = Process { caught: 1 << 9, ignored: 1 << 12, ..Process::default() };
        let what: Vec<String> = after.since(&before, "m", 0).into_iter().map(|stay| stay.what).collect();
        let expected = [
            "SIGUSR1 has a handler; before, it had the default action",
            "SIGPIPE is ignored; before, it had the default action",
        ];
        assert_eq!(what, expected);
        assert_eq!((kind_of("socket:[7]"), kind_of("/a")), ("socket".to_owned(), "/a".to_owned()));
    }
}
