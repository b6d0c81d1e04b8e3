//! What is there after a restart, however the process ended: what was acknowledged, and nothing that was not
//! confirmed.

use std::{
    env, fs,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{self, Command},
    thread,
    time::Duration,
};

use rusqlite::Connection;
use segue::{
    Event, LoadOptions, Phase, PhaseReached, Record, Request, Runtime, Source, Trial, TrialEnd, VersionState,
};
use segue_tests::{V1, V2, dies_in_child, dies_in_child_of, fixture, test_of, until};
use tempfile::TempDir;

/// Ends this process as a power cut would: nothing of it runs any more.
fn kill_this_process() -> ! {
    let killed = Command::new("kill").args(["-9", &process::id().to_string()]).status();
    panic!("this process is still there: {killed:?}");
}

fn runtime(home: &Path) -> Runtime {
    Runtime::builder().state_dir(home.join("state")).build().unwrap()
}

/// The version of a module that answers; none where there is none.
fn answering(runtime: &Runtime, module: &str) -> Option<String> {
    let handle = runtime.module(module).ok()?;
    let guard = handle.enter().ok()?;
    assert!(guard.call(&Request::get("/ada")).unwrap().status < 500);
    Some(guard.version().version.clone())
}

fn trial(length: Duration, at_end: TrialEnd) -> LoadOptions {
    LoadOptions { trial: Some(Trial { length, at_end }), ..LoadOptions::default() }
}

fn load_on_trial(runtime: &Runtime, module: &str, version: &str) {
    let hour = Duration::from_secs(3600);
    runtime.load_with(&Source::File(fixture(module, version)), &trial(hour, TrialEnd::RollBack)).unwrap();
}

/// The ledger says of itself that it is whole, and its events have no gap. All of them, also of earlier
/// runtimes.
fn whole_ledger(home: &Path, runtime: &Runtime) -> Vec<Record> {
    let ledger = Connection::open(home.join("state/ledger.sqlite")).unwrap();
    let check: String = ledger.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let history = runtime.history(None, usize::MAX).unwrap();
    let numbers: Vec<u64> = history.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    history
}

/// Kills a process at a phase of its second load, and tells what a restart then serves.
fn killed_at(phase: Phase, load_second: impl FnOnce(&Runtime)) -> Vec<Option<String>> {
    let test = test_of(&load_second);
    let dead = dies_in_child_of(test, &[("SEGUE_TESTS_PHASE", &format!("{phase:?}"))], |home| {
        let wanted = env::var("SEGUE_TESTS_PHASE").unwrap();
        let is_armed = home.join("armed");
        let at = move |reached: &PhaseReached<'_>| {
            if format!("{:?}", reached.phase) == wanted && is_armed.exists() {
                kill_this_process();
            }
        };
        let runtime = Runtime::builder().state_dir(home.join("state")).observe(at).build().unwrap();
        runtime.load(fixture("greeter", V1)).unwrap();
        runtime.load(fixture("textkit", V1)).unwrap();
        fs::write(home.join("armed"), "").unwrap();
        load_second(&runtime);
        // It goes on where the phase is one of what comes after the acknowledgement.
        thread::sleep(Duration::from_secs(60));
    });
    assert_eq!(dead.status.signal(), Some(9), "{phase:?}: {}\n{}", dead.status, dead.stderr);
    let home = dead.directory.path();
    let mut served = Vec::new();
    // Twice: what a restart does must not change what the next one finds.
    for _ in 0..2 {
        let runtime = runtime(home);
        served = ["greeter", "textkit"].map(|module| answering(&runtime, module)).to_vec();
        whole_ledger(home, &runtime);
        runtime.shutdown(Duration::from_secs(30)).unwrap();
        assert!(segue_tests::names_in(&home.join("state/stage")).is_empty());
    }
    served
}

fn some(versions: [&str; 2]) -> Vec<Option<String>> {
    versions.map(|version| Some(version.to_owned())).to_vec()
}

/// Runs a test for each phase in turn: in a child, only that of the child.
fn at_each(phases: &[Phase], mut test: impl FnMut(Phase)) {
    let only = env::var("SEGUE_TESTS_PHASE").ok();
    for phase in phases {
        if only.as_ref().is_none_or(|only| *only == format!("{phase:?}")) {
            test(*phase);
        }
    }
}

const BEFORE_IT_COUNTS: [Phase; 4] = [Phase::Admitted, Phase::Mapped, Phase::Started, Phase::Stored];
const WHEN_IT_COUNTS: [Phase; 6] =
    [Phase::Recorded, Phase::Published, Phase::Drained, Phase::Detached, Phase::Vacated, Phase::Ended];

#[test]
fn killed_at_each_step_of_a_load_it_comes_back_whole() {
    let load = |runtime: &Runtime| drop(runtime.load(fixture("greeter", V2)).unwrap());
    at_each(&BEFORE_IT_COUNTS, |phase| assert_eq!(killed_at(phase, load), some([V1, V1]), "{phase:?}"));
    // From the ledger's entry on it has happened, whether or not somebody was told.
    at_each(&WHEN_IT_COUNTS, |phase| assert_eq!(killed_at(phase, load), some([V2, V1]), "{phase:?}"));
}

#[test]
fn killed_at_each_step_of_a_set_all_of_it_comes_back_or_nothing() {
    let load = |runtime: &Runtime| {
        let set = ["greeter", "textkit"].map(|module| Source::File(fixture(module, V2)));
        drop(runtime.load_set(&set, &LoadOptions::default()).unwrap());
    };
    at_each(&BEFORE_IT_COUNTS, |phase| assert_eq!(killed_at(phase, load), some([V1, V1]), "{phase:?}"));
    at_each(&WHEN_IT_COUNTS[..2], |phase| {
        assert_eq!(killed_at(phase, load), some([V2, V2]), "{phase:?}");
    });
}

#[test]
fn killed_on_trial_it_goes_back_to_what_was_confirmed() {
    let load = |runtime: &Runtime| load_on_trial(runtime, "greeter", V2);
    at_each(&[Phase::Stored, Phase::Recorded, Phase::Published], |phase| {
        assert_eq!(killed_at(phase, load), some([V1, V1]), "{phase:?}");
    });
}

#[test]
fn killed_at_any_time_it_serves_what_was_acknowledged_last_or_what_came_after() {
    for round in 0..12u64 {
        // Any length will do; these are spread.
        let ms = 30 + round * 37 % 200;
        let dead = dies_in_child(&[("SEGUE_TESTS_MS", &ms.to_string())], |home| {
            let ms = env::var("SEGUE_TESTS_MS").unwrap().parse().unwrap();
            let runtime = runtime(home);
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(ms));
                kill_this_process();
            });
            let mut told = fs::File::create(home.join("told")).unwrap();
            for turn in 0.. {
                let version = if turn % 2 == 0 { V1 } else { V2 };
                writeln!(told, "asked {version}").unwrap();
                let options = LoadOptions { policy: segue::Policy::Wait, ..LoadOptions::default() };
                runtime.load_with(&Source::File(fixture("greeter", version)), &options).unwrap();
                writeln!(told, "acknowledged {version}").unwrap();
            }
        });
        assert_eq!(dead.status.signal(), Some(9), "{}", dead.stderr);
        let home = dead.directory.path();
        let told = fs::read_to_string(home.join("told")).unwrap_or_default();
        let last = |what: &str| told.lines().filter_map(|line| line.strip_prefix(what)).next_back();
        let (asked, acknowledged) = (last("asked "), last("acknowledged "));
        let runtime = runtime(home);
        let served = answering(&runtime, "greeter");
        assert!(
            served.as_deref() == acknowledged || served.as_deref() == asked,
            "after {ms} ms {served:?} is served, {acknowledged:?} was acknowledged, {asked:?} asked for"
        );
        whole_ledger(home, &runtime);
    }
}

#[test]
fn a_trial_keeps_old_warm_and_ends_as_it_was_told_to() {
    let home = TempDir::new().unwrap();
    let runtime = runtime(home.path());
    runtime.load(fixture("greeter", V1)).unwrap();
    load_on_trial(&runtime, "greeter", V2);
    let status = || runtime.status("greeter").unwrap();
    until("old is warm", || status().old.is_some_and(|old| old.status == VersionState::Warm));
    assert_eq!(status().current.unwrap().status, VersionState::Trial);
    let refused = runtime.load(fixture("greeter", V1)).unwrap_err();
    assert_eq!(refused.code(), segue::Code::NotPurged);
    assert!(refused.to_string().contains("kept for a rollback"), "{refused}");

    let confirmed = runtime.confirm("greeter").unwrap();
    assert!(confirmed.confirmed);
    assert!(!runtime.confirm("greeter").unwrap().confirmed, "there is nothing to confirm any more");
    until("old leaves", || status().old.is_none());
    assert_eq!(status().current.unwrap().status, VersionState::Confirmed);

    // Back in one store while it is warm; and what was on trial leaves.
    load_on_trial(&runtime, "greeter", V1);
    until("old is warm", || status().old.is_some_and(|old| old.status == VersionState::Warm));
    let back = runtime.rollback("greeter").unwrap();
    assert_eq!((back.from, back.recorded, &*back.current.version), (segue::RollbackSource::Memory, true, V2));
    until("the trial's version leaves", || status().old.is_none());

    for (at_end, expected) in [(TrialEnd::RollBack, V2), (TrialEnd::Confirm, V1)] {
        let short = trial(Duration::from_millis(50), at_end);
        runtime.load_with(&Source::File(fixture("greeter", V1)), &short).unwrap();
        until("the trial is over", || status().current.unwrap().status == VersionState::Confirmed);
        assert_eq!(answering(&runtime, "greeter").as_deref(), Some(expected), "{at_end:?}");
        until("old leaves", || status().old.is_none());
    }
}

#[test]
fn a_first_version_on_trial_stays_and_is_not_returned_to() {
    let home = TempDir::new().unwrap();
    let first = runtime(home.path());
    let short = trial(Duration::from_millis(20), TrialEnd::RollBack);
    first.load_with(&Source::File(fixture("greeter", V1)), &short).unwrap();
    until("its end is told", || {
        first.history(None, 100).unwrap().iter().any(|it| matches!(it.event, Event::TrialOver { .. }))
    });
    assert_eq!(answering(&first, "greeter").as_deref(), Some(V1), "there is nothing better");
    first.shutdown(Duration::from_secs(30)).unwrap();
    drop(first);
    let second = runtime(home.path());
    assert_eq!(answering(&second, "greeter"), None);
    let left = second.history(Some("greeter"), 100).unwrap();
    assert!(left.iter().any(|it| matches!(&it.event, Event::NotRestored { .. })), "{left:?}");
}

#[test]
fn a_rollback_after_old_has_left_loads_it_again_and_a_restart_knows() {
    let home = TempDir::new().unwrap();
    {
        let runtime = runtime(home.path());
        runtime.load(fixture("greeter", V1)).unwrap();
        runtime.load(fixture("greeter", V2)).unwrap();
        until("the old version is unloaded", || runtime.status("greeter").unwrap().old.is_none());
        let back = runtime.rollback("greeter").unwrap();
        assert_eq!(
            (back.from, &*back.current.version, &*back.old.version),
            (segue::RollbackSource::Store, V1, V2)
        );
        assert_eq!(answering(&runtime, "greeter").as_deref(), Some(V1));
        runtime.shutdown(Duration::from_secs(30)).unwrap();
    }
    let again = runtime(home.path());
    assert_eq!(answering(&again, "greeter").as_deref(), Some(V1));
    whole_ledger(home.path(), &again);
}

#[test]
fn what_was_deleted_stays_so_and_generations_go_on() {
    let home = TempDir::new().unwrap();
    let last = {
        let runtime = runtime(home.path());
        let loaded = runtime.load(fixture("greeter", V1)).unwrap();
        let deleted = runtime.delete("greeter").unwrap();
        assert!(deleted.deleted);
        assert!(!runtime.delete("greeter").unwrap().deleted, "there is nothing to delete any more");
        assert_eq!(answering(&runtime, "greeter"), None);
        runtime.shutdown(Duration::from_secs(30)).unwrap();
        loaded.generation
    };
    let again = runtime(home.path());
    assert_eq!(answering(&again, "greeter"), None);
    assert!(again.load(fixture("greeter", V1)).unwrap().generation > last);
}

#[test]
fn a_file_in_the_modules_directory_counts_when_it_is_new_and_the_ledger_otherwise() {
    let home = TempDir::new().unwrap();
    let modules = home.path().join("modules");
    fs::create_dir(&modules).unwrap();
    let put = |version| {
        fs::copy(fixture("greeter", version), modules.join(".half")).unwrap();
        fs::rename(modules.join(".half"), modules.join("libgreeter.so")).unwrap();
    };
    let start = || {
        let builder = Runtime::builder().state_dir(home.path().join("state"));
        builder.modules_dir(&modules).build().unwrap()
    };
    let end = |runtime: Runtime| runtime.shutdown(Duration::from_secs(30)).unwrap();
    put(V1);
    let runtime = start();
    assert_eq!(answering(&runtime, "greeter").as_deref(), Some(V1));
    put(V2);
    until("the second is taken", || answering(&runtime, "greeter").as_deref() == Some(V2));
    until("the old version is unloaded", || runtime.status("greeter").unwrap().old.is_none());
    runtime.rollback("greeter").unwrap();
    end(runtime);
    // The file is the second's still; but it was gone back from.
    let runtime = start();
    assert_eq!(answering(&runtime, "greeter").as_deref(), Some(V1));
    end(runtime);
    fs::copy(fixture("textkit", V1), modules.join("libtextkit.so")).unwrap();
    put(V1);
    put(V2);
    let runtime = start();
    assert_eq!(
        answering(&runtime, "greeter").as_deref(),
        Some(V1),
        "the same bytes in the file are nothing new"
    );
    assert_eq!(answering(&runtime, "textkit").as_deref(), Some(V1), "and this is");
    end(runtime);
}

#[test]
fn a_file_that_was_current_when_it_was_put_there_does_not_undo_a_rollback() {
    let home = TempDir::new().unwrap();
    let modules = home.path().join("modules");
    fs::create_dir(&modules).unwrap();
    let start = || {
        let builder = Runtime::builder().state_dir(home.path().join("state"));
        builder.modules_dir(&modules).build().unwrap()
    };
    let runtime = start();
    runtime.load(fixture("greeter", V1)).unwrap();
    runtime.load(fixture("greeter", V2)).unwrap();
    fs::copy(fixture("greeter", V2), modules.join(".half")).unwrap();
    fs::rename(modules.join(".half"), modules.join("libgreeter.so")).unwrap();
    until("the file is seen", || {
        let history = runtime.history(Some("greeter"), 100).unwrap();
        history.iter().any(|record| matches!(record.event, Event::Unchanged { .. }))
    });
    until("the old version is unloaded", || runtime.status("greeter").unwrap().old.is_none());
    runtime.rollback("greeter").unwrap();
    runtime.shutdown(Duration::from_secs(30)).unwrap();
    drop(runtime);
    assert_eq!(answering(&start(), "greeter").as_deref(), Some(V1), "it was gone back from");
}

/// The second version is current, the first has left memory, and its file in the store is damaged.
fn with_a_damaged_first(home: &Path, runtime: &Runtime) {
    let first = runtime.load(fixture("greeter", V1)).unwrap();
    runtime.load(fixture("greeter", V2)).unwrap();
    until("the old version is unloaded", || runtime.status("greeter").unwrap().old.is_none());
    let stored = home.join("state/images").join(format!("{}.so", first.digest.hex()));
    fs::remove_file(&stored).unwrap();
    fs::write(&stored, "damaged").unwrap();
}

#[test]
fn a_damaged_file_of_the_store_is_made_whole_by_a_load_of_the_same() {
    let home = TempDir::new().unwrap();
    {
        let runtime = runtime(home.path());
        with_a_damaged_first(home.path(), &runtime);
        runtime.load(fixture("greeter", V1)).unwrap();
        runtime.shutdown(Duration::from_secs(30)).unwrap();
    }
    assert_eq!(answering(&runtime(home.path()), "greeter").as_deref(), Some(V1), "it was acknowledged");
}

#[test]
fn a_rollback_that_fails_is_in_the_history() {
    let home = TempDir::new().unwrap();
    let runtime = runtime(home.path());
    with_a_damaged_first(home.path(), &runtime);
    let refused = runtime.rollback("greeter").unwrap_err();
    let history = runtime.history(None, 100).unwrap();
    let told = history.iter().rev().find_map(|record| match &record.event {
        Event::Refused { error, .. } => Some(error.code),
        _ => None,
    });
    assert_eq!(told, Some(refused.code()), "{history:?}");
}

#[test]
fn an_observer_that_panics_keeps_no_version_from_being_current() {
    let runtime = Runtime::builder()
        .observe(|reached| assert_ne!(reached.phase, Phase::Recorded, "an observer panics on purpose"))
        .build()
        .unwrap();
    for version in [V1, V2] {
        runtime.load(fixture("greeter", version)).unwrap();
        assert_eq!(answering(&runtime, "greeter").as_deref(), Some(version));
    }
    assert!(runtime.rollback("greeter").unwrap().recorded);
}

#[test]
fn two_runtimes_do_not_share_a_state_directory() {
    let home = TempDir::new().unwrap();
    let first = runtime(home.path());
    first.load(fixture("greeter", V1)).unwrap();
    let Err(refused) = Runtime::builder().state_dir(home.path().join("state")).build() else {
        panic!("a second runtime was given the same directory");
    };
    assert!(refused.to_string().contains("another runtime uses this state directory"), "{refused}");
    assert_eq!(answering(&first, "greeter").as_deref(), Some(V1));
}
