//! A disk that is full at any write: the current version serves, the error names the cause, and nothing that
//! was acknowledged is lost.
//!
//! The state directory is a tmpfs of a fixed size, in a mount namespace of the test. A filler file takes all
//! but the space that a test leaves.

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

/// The size of the file system.
const DISK_BYTES: u64 = 16 << 20;

const LONG: Duration = Duration::from_secs(30);

/// Runs the body with a small disk: this test program is started again with only this test, in a mount
/// namespace of its own.
fn with_small_disk(body: impl FnOnce(&Disk)) {
    if let Some(directory) = env::var_os("SEGUE_TESTS_DISK") {
        let root = PathBuf::from(directory);
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES}"), "none"])
            .arg(&root)
            .status();
        assert!(mounted.unwrap().success(), "a tmpfs can be mounted");
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

    fn start(&self) -> Runtime {
        Runtime::builder().state_dir(self.state()).build().unwrap()
    }

    /// Leaves this many bytes free, rounded to pages.
    fn leave_free(&self, bytes: u64) {
        self.clear();
        let free = free_bytes(&self.root);
        fs::write(self.filler(), vec![1; usize::try_from(free.saturating_sub(bytes)).unwrap()]).unwrap();
    }

    fn clear(&self) {
        // There may be none.
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

/// Checks that the events in the ledger have no gap.
fn assert_no_gap(runtime: &Runtime) {
    let history = runtime.history(None, usize::MAX).unwrap();
    let numbers: Vec<u64> = history.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_load_on_a_full_disk_is_refused_or_complete() {
    with_small_disk(|disk| {
        let file = fs::metadata(fixture("greeter", V2)).unwrap().size().next_multiple_of(4096);
        // Coarse steps for the private copy and the file in the store; single pages for the ledger.
        let coarse = [0, file / 2, file, file + file / 2];
        let fine = (0..40).map(|pages| 2 * file + pages * 4096);
        let mut steps = Vec::new();
        for free in coarse.into_iter().chain(fine) {
            disk.clear();
            // There may be none yet.
            let _ = fs::remove_dir_all(disk.state());
            let runtime = disk.start();
            runtime.load(fixture("greeter", V1)).unwrap();
            disk.leave_free(free);
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
            until("no other version is mapped", || runtime.images_mapped() == 1);
            disk.clear();
            // The next write adds what could not be written.
            runtime.shutdown(LONG).unwrap();
            assert_no_gap(&runtime);
            drop(runtime);
            let again = disk.start();
            assert!(answer(&again).contains(expected), "after a restart, with {free} bytes free: {loaded:?}");
            assert_no_gap(&again);
            again.shutdown(LONG).unwrap();
        }
        for step in [Some(Step::Stage), Some(Step::Record), None] {
            assert!(steps.contains(&step), "some load failed at {step:?}, or one succeeded: {steps:?}");
        }
    });
}

#[test]
fn a_rollback_on_a_full_disk_is_done_and_recorded_later() {
    with_small_disk(|disk| {
        let runtime = disk.start();
        runtime.load(fixture("greeter", V1)).unwrap();
        let module = runtime.module("greeter").unwrap();
        let keeps_old = module.enter_owned().unwrap();
        runtime.load(fixture("greeter", V2)).unwrap();
        disk.leave_free(0);
        let mut rolled_back = runtime.rollback("greeter").unwrap();
        // The ledger's file may have free pages, in which the first rollbacks are recorded.
        while rolled_back.recorded {
            rolled_back = runtime.rollback("greeter").unwrap();
        }
        let current = rolled_back.current.version.clone();
        assert!(answer(&runtime).contains(&current), "the rollback is done");
        disk.clear();
        runtime.stick("greeter").unwrap();
        assert_no_gap(&runtime);
        drop(keeps_old);
        runtime.shutdown(LONG).unwrap();
        drop((module, runtime));
        let again = disk.start();
        assert!(answer(&again).contains(&current), "a restart returns to it");
    });
}

#[test]
fn a_rollback_that_is_not_recorded_runs_once_for_its_key() {
    with_small_disk(|disk| {
        let runtime = disk.start();
        runtime.load(fixture("greeter", V1)).unwrap();
        let module = runtime.module("greeter").unwrap();
        // Keep both loaded: an unload would free space on the disk.
        let keeps_first = module.enter_owned().unwrap();
        runtime.load(fixture("greeter", V2)).unwrap();
        let keeps_second = module.enter_owned().unwrap();
        let with_key = |key: &str| {
            runtime.on_behalf_of(RequestContext { actor: Actor::Embedder, key: Some(key.to_owned()) })
        };
        disk.leave_free(0);
        let mut attempt = 0;
        let (key, rolled_back) = loop {
            let key = format!("rollback-{attempt}");
            let rolled_back = with_key(&key).rollback("greeter").unwrap();
            if !rolled_back.recorded {
                break (key, rolled_back);
            }
            attempt += 1;
        };
        assert_eq!(with_key(&key).rollback("greeter").unwrap(), rolled_back, "the same key again");
        assert!(answer(&runtime).contains(&rolled_back.current.version), "it ran once");
        disk.clear();
        runtime.stick("greeter").unwrap();
        let again = with_key(&key).rollback("greeter").unwrap();
        assert_eq!((again.current, again.recorded), (rolled_back.current, true));
        assert_no_gap(&runtime);
        drop((keeps_first, keeps_second));
    });
}

#[test]
fn commands_that_a_restart_must_know_are_refused_on_a_full_disk() {
    with_small_disk(|disk| {
        let runtime = disk.start();
        runtime.load(fixture("greeter", V1)).unwrap();
        disk.leave_free(0);
        let mut is_sticky = false;
        let refused = loop {
            let changed = if is_sticky { runtime.unstick("greeter") } else { runtime.stick("greeter") };
            match changed {
                Ok(changed) => is_sticky = changed.sticky,
                Err(refused) => break refused,
            }
        };
        assert_eq!((refused.code(), refused.step()), (Code::Internal, Some(Step::Record)), "{refused}");
        assert_eq!(runtime.status("greeter").unwrap().sticky, is_sticky, "nothing changed");
        if is_sticky {
            disk.clear();
            runtime.unstick("greeter").unwrap();
            disk.leave_free(0);
            while runtime.stick("greeter").is_ok() && runtime.unstick("greeter").is_ok() {}
        }
        let refused = runtime.delete("greeter");
        assert!(refused.is_err(), "{refused:?}");
        assert!(answer(&runtime).contains(V1), "the current version serves");
    });
}

#[test]
fn a_trial_that_ends_on_a_full_disk_is_confirmed_when_there_is_space() {
    with_small_disk(|disk| {
        let runtime = disk.start();
        runtime.load(fixture("greeter", V1)).unwrap();
        let trial = Some(Trial { length: Duration::from_secs(3), at_end: TrialEnd::Confirm });
        let options = LoadOptions { trial, ..LoadOptions::default() };
        runtime.load_with(&Source::File(fixture("greeter", V2)), &options).unwrap();
        disk.leave_free(0);
        let status = || runtime.status("greeter").unwrap().current.unwrap().status;
        // Enough for the end of the trial and one failed attempt.
        std::thread::sleep(Duration::from_millis(3500));
        assert_eq!(status(), VersionState::Trial, "the confirmation cannot be written yet");
        disk.clear();
        until("it is confirmed", || status() == VersionState::Confirmed);
        drop(runtime);
        let again = disk.start();
        assert!(answer(&again).contains(V2));
    });
}

#[test]
fn a_start_on_a_full_disk_fails_and_succeeds_when_there_is_space() {
    with_small_disk(|disk| {
        let (mut refused, mut started) = (0, 0);
        for pages in 0..40 {
            disk.clear();
            // There may be none yet.
            let _ = fs::remove_dir_all(disk.state());
            disk.leave_free(pages * 4096);
            match Runtime::builder().state_dir(disk.state()).build() {
                Ok(runtime) => {
                    started += 1;
                    runtime.shutdown(LONG).unwrap();
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.code(), Code::Internal, "{error}");
                    assert!(error.hint().unwrap().contains("space"), "{error}");
                }
            }
            disk.clear();
            let again = disk.start();
            again.load(fixture("greeter", V1)).unwrap();
            assert!(answer(&again).contains(V1), "with {pages} pages free at first");
            assert_no_gap(&again);
            again.shutdown(LONG).unwrap();
        }
        assert!(refused > 0 && started > 0, "{refused} refused, {started} started");
    });
}
