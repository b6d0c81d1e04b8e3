//! A disk that is full at any write: what serves goes on, the error says so, and nothing that was
//! acknowledged is lost.
//!
//! The state directory is a file system in memory of a fixed size, in a mount namespace of the test's own,
//! with a file that takes what is to be missing.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use segue::{
    Actor, Code, LoadOptions, LoadOutcome, Request, RequestContext, Runtime, Source, Step, Trial, TrialEnd,
    VersionState,
};
use segue_tests::{V1, V2, fixture, only, test_of, until};
use tempfile::TempDir;

/// How large the file system is.
const DISK_BYTES: u64 = 16 << 20;

const LONG: Duration = Duration::from_secs(30);

/// Runs the body with a small disk: in this test program, started again with this one test in a mount
/// namespace of its own.
fn with_small_disk(body: impl FnOnce(&Disk)) {
    if let Some(directory) = env::var_os("SEGUE_TESTS_DISK") {
        let root = PathBuf::from(directory);
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES}"), "none"])
            .arg(&root)
            .status();
        assert!(mounted.unwrap().success(), "a file system in memory can be mounted");
        return body(&Disk { root });
    }
    let test = test_of(&body);
    let directory = TempDir::new().unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user"])
        .arg(env::current_exe().unwrap())
        .args(only(test))
        .env("SEGUE_TESTS_DISK", directory.path())
        .output()
        .expect("util-linux is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{test}: {}\n{stdout}\n{stderr}", output.status);
    assert!(stdout.contains("1 passed"), "there is no test {test}, so nothing was run:\n{stdout}");
}

struct Disk {
    root: PathBuf,
}

impl Disk {
    fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    fn begin(&self) -> Runtime {
        Runtime::builder().state_dir(self.state()).build().unwrap()
    }

    /// Leaves so many bytes free; the system counts them in pages.
    fn leave(&self, bytes: u64) {
        self.clear();
        let free = free_bytes(&self.root);
        fs::write(self.filler(), vec![1; usize::try_from(free.saturating_sub(bytes)).unwrap()]).unwrap();
    }

    fn clear(&self) {
        // It may not be there.
        let _ = fs::remove_file(self.filler());
    }

    fn filler(&self) -> PathBuf {
        self.root.join("filler")
    }
}

fn free_bytes(path: &Path) -> u64 {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(path).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().nth(1).unwrap().trim().parse().unwrap()
}

fn answer(runtime: &Runtime) -> String {
    let reply = runtime.module("greeter").unwrap().call(&Request::get("/ada")).unwrap();
    String::from_utf8(reply.body).unwrap()
}

/// The events have no gap, as the ledger has them.
fn assert_whole(runtime: &Runtime) {
    let history = runtime.history(None, usize::MAX).unwrap();
    let numbers: Vec<u64> = history.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn at_each_write_of_a_load_it_is_refused_or_done_and_never_half() {
    with_small_disk(|disk| {
        let file = fs::metadata(fixture("greeter", V2)).unwrap().size().next_multiple_of(4096);
        // The private copy, the file in the store, and the ledger, whose pages are looked at one by one.
        let coarse = [0, file / 2, file, file + file / 2];
        let fine = (0..40).map(|pages| 2 * file + pages * 4096);
        let mut steps = Vec::new();
        for free in coarse.into_iter().chain(fine) {
            disk.clear();
            // It may not be there yet.
            let _ = fs::remove_dir_all(disk.state());
            let runtime = disk.begin();
            runtime.load(fixture("greeter", V1)).unwrap();
            disk.leave(free);
            let loaded = runtime.load(fixture("greeter", V2));
            let expected = match &loaded {
                Ok(loaded) => {
                    assert_eq!(loaded.outcome, LoadOutcome::Loaded);
                    steps.push(None);
                    V2
                }
                Err(error) => {
                    assert_eq!(error.code(), Code::Internal, "{error}");
                    assert!(error.hint().unwrap().contains("space"), "{error}");
                    steps.push(error.step());
                    V1
                }
            };
            assert!(answer(&runtime).contains(expected), "with {free} bytes free: {loaded:?}");
            until("nothing else is mapped", || runtime.images_mapped() == 1);
            disk.clear();
            // What could not be written is written with what comes next.
            runtime.shutdown(LONG).unwrap();
            assert_whole(&runtime);
            drop(runtime);
            let again = disk.begin();
            assert!(answer(&again).contains(expected), "after a restart, with {free} bytes free: {loaded:?}");
            assert_whole(&again);
            again.shutdown(LONG).unwrap();
        }
        for step in [Some(Step::Stage), Some(Step::Record), None] {
            assert!(steps.contains(&step), "no load failed so, or none was done: {steps:?}");
        }
    });
}

#[test]
fn a_rollback_is_done_and_says_that_it_is_not_recorded_until_it_is() {
    with_small_disk(|disk| {
        let runtime = disk.begin();
        runtime.load(fixture("greeter", V1)).unwrap();
        let module = runtime.module("greeter").unwrap();
        let keeps_old = module.enter_owned().unwrap();
        runtime.load(fixture("greeter", V2)).unwrap();
        disk.leave(0);
        let mut done = runtime.rollback("greeter").unwrap();
        // The ledger may have room in what it has taken of the disk already: then it is recorded. Soon it has
        // none.
        while done.recorded {
            done = runtime.rollback("greeter").unwrap();
        }
        let current = done.current.version.clone();
        assert!(answer(&runtime).contains(&current), "it is done all the same");
        disk.clear();
        runtime.stick("greeter").unwrap();
        assert_whole(&runtime);
        drop(keeps_old);
        runtime.shutdown(LONG).unwrap();
        drop((module, runtime));
        let again = disk.begin();
        assert!(answer(&again).contains(&current), "and a restart knows of it");
    });
}

#[test]
fn a_rollback_that_could_not_be_recorded_is_done_once_for_its_key() {
    with_small_disk(|disk| {
        let runtime = disk.begin();
        runtime.load(fixture("greeter", V1)).unwrap();
        let module = runtime.module("greeter").unwrap();
        // Neither leaves: that would make room on the disk.
        let keeps_first = module.enter_owned().unwrap();
        runtime.load(fixture("greeter", V2)).unwrap();
        let keeps_second = module.enter_owned().unwrap();
        let under = |key: &str| {
            runtime.on_behalf_of(RequestContext { actor: Actor::Embedder, key: Some(key.to_owned()) })
        };
        disk.leave(0);
        let mut attempt = 0;
        let (key, done) = loop {
            let key = format!("rollback-{attempt}");
            let done = under(&key).rollback("greeter").unwrap();
            if !done.recorded {
                break (key, done);
            }
            attempt += 1;
        };
        assert_eq!(under(&key).rollback("greeter").unwrap(), done, "sent again");
        assert!(answer(&runtime).contains(&done.current.version), "it was done once");
        disk.clear();
        runtime.stick("greeter").unwrap();
        let again = under(&key).rollback("greeter").unwrap();
        assert_eq!((again.current, again.recorded), (done.current, true));
        assert_whole(&runtime);
        drop((keeps_first, keeps_second));
    });
}

#[test]
fn commands_that_change_what_a_restart_finds_are_refused() {
    with_small_disk(|disk| {
        let runtime = disk.begin();
        runtime.load(fixture("greeter", V1)).unwrap();
        disk.leave(0);
        let mut is_sticky = false;
        let refused = loop {
            let set = if is_sticky { runtime.unstick("greeter") } else { runtime.stick("greeter") };
            match set {
                Ok(set) => is_sticky = set.sticky,
                Err(refused) => break refused,
            }
        };
        assert_eq!((refused.code(), refused.step()), (Code::Internal, Some(Step::Record)), "{refused}");
        assert_eq!(runtime.status("greeter").unwrap().sticky, is_sticky, "nothing has changed");
        if is_sticky {
            disk.clear();
            runtime.unstick("greeter").unwrap();
            disk.leave(0);
            while runtime.stick("greeter").is_ok() && runtime.unstick("greeter").is_ok() {}
        }
        let refused = runtime.delete("greeter");
        assert!(refused.is_err(), "{refused:?}");
        assert!(answer(&runtime).contains(V1), "it serves");
    });
}

#[test]
fn a_trial_that_cannot_be_confirmed_at_its_end_is_when_there_is_room() {
    with_small_disk(|disk| {
        let runtime = disk.begin();
        runtime.load(fixture("greeter", V1)).unwrap();
        let trial = Some(Trial { length: Duration::from_secs(3), at_end: TrialEnd::Confirm });
        let options = LoadOptions { trial, ..LoadOptions::default() };
        runtime.load_with(&Source::File(fixture("greeter", V2)), &options).unwrap();
        disk.leave(0);
        let standing = || runtime.status("greeter").unwrap().current.unwrap().status;
        // Time for the trial's end, and for one try that fails.
        std::thread::sleep(Duration::from_millis(3500));
        assert_eq!(standing(), VersionState::Trial, "nobody can have written that it is confirmed");
        disk.clear();
        until("it is confirmed", || standing() == VersionState::Confirmed);
        drop(runtime);
        let again = disk.begin();
        assert!(answer(&again).contains(V2));
    });
}

#[test]
fn a_runtime_that_cannot_begin_says_so_and_begins_when_it_can() {
    with_small_disk(|disk| {
        let (mut refused, mut begun) = (0, 0);
        for pages in 0..40 {
            disk.clear();
            // It may not be there yet.
            let _ = fs::remove_dir_all(disk.state());
            disk.leave(pages * 4096);
            match Runtime::builder().state_dir(disk.state()).build() {
                Ok(runtime) => {
                    begun += 1;
                    runtime.shutdown(LONG).unwrap();
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.code(), Code::Internal, "{error}");
                    assert!(error.hint().unwrap().contains("space"), "{error}");
                }
            }
            disk.clear();
            let again = disk.begin();
            again.load(fixture("greeter", V1)).unwrap();
            assert!(answer(&again).contains(V1), "with {pages} pages free at first");
            assert_whole(&again);
            again.shutdown(LONG).unwrap();
        }
        assert!(refused > 0 && begun > 0, "{refused} were refused, {begun} began");
    });
}
