//! A version that crashed the process is not restored by the next start.

use std::{env, fs, os::unix::process::ExitStatusExt, path::Path, time::Duration};

use segue::{Actor, Code, Event, LoadOptions, Request, Runtime, Source, Trial, TrialEnd};
use segue_tests::{Dead, V1, V2, dies_in_child, dies_in_child_of, fixture, test_of};
use tempfile::TempDir;

fn start(home: &Path, crash_window: Duration) -> Runtime {
    Runtime::builder().state_dir(home.join("state")).crash_window(crash_window).build().unwrap()
}

fn current(runtime: &Runtime) -> Option<String> {
    runtime.status("crasher").ok()?.current.map(|current| current.version)
}

fn crash(runtime: &Runtime) {
    let module = runtime.module("crasher").unwrap();
    let answer = module.call(&Request { query: "do=null", ..Request::get("/") });
    panic!("it is still there: {answer:?}");
}

/// Loads these versions, and crashes in the last one after its crash window.
fn crash_settled(home: &Path, versions: &[&str]) {
    let runtime = start(home, Duration::ZERO);
    for version in versions {
        runtime.load(fixture("crasher", version)).unwrap();
    }
    std::thread::sleep(Duration::from_millis(20));
    crash(&runtime);
}

/// Starts a runtime with a modules directory.
fn start_watching(home: &Path) -> Runtime {
    let builder = Runtime::builder().state_dir(home.join("state"));
    builder.modules_dir(home.join("modules")).build().unwrap()
}

/// Puts a version into the modules directory.
fn drop_in(home: &Path, version: &str) {
    fs::create_dir_all(home.join("modules")).unwrap();
    fs::copy(fixture("crasher", version), home.join("modules/libcrasher.so")).unwrap();
}

/// Runs the body in a child process with this directory. `crasher` is what the module does.
fn run_in(home: &Path, crasher: &str, body: impl FnOnce(&Path)) -> Dead {
    let environment = [("SEGUE_TESTS_HOME", home.to_str().unwrap()), ("SEGUE_CRASHER", crasher)];
    let test = test_of(&body);
    dies_in_child_of(test, &environment, |_| body(Path::new(&env::var_os("SEGUE_TESTS_HOME").unwrap())))
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_version_that_crashes_in_its_crash_window_is_blocked_and_the_one_before_is_restored() {
    let dead = dies_in_child(&[], |home| {
        let runtime = start(home, LONG);
        runtime.load(fixture("crasher", V1)).unwrap();
        runtime.load(fixture("crasher", V2)).unwrap();
        crash(&runtime);
    });
    assert_eq!(dead.status.signal(), Some(11), "{}", dead.stderr);
    let runtime = start(dead.directory.path(), LONG);
    assert_eq!(current(&runtime).as_deref(), Some(V1));
    let history = runtime.history(Some("crasher"), 100).unwrap();
    let crashed = history.iter().find_map(|record| match &record.event {
        Event::Crashed { signal, version, place, .. } => {
            Some((signal.clone(), version.clone(), place.clone()))
        }
        _ => None,
    });
    let (signal, version, place) = crashed.expect("the crash is recorded");
    assert_eq!((&*signal, &*version.unwrap().version), ("SIGSEGV", V2));
    assert!(place.is_some_and(|place| place.contains("crasher::write_at_null+0x")), "the function is named");
    let by = history.iter().find(|record| matches!(record.event, Event::Blocked { .. })).unwrap().by.clone();
    assert!(matches!(by, Actor::Runtime { .. }), "{by:?}");

    let refused = runtime.load(fixture("crasher", V2)).unwrap_err();
    assert_eq!(refused.code(), Code::Blocked);
    assert!(refused.to_string().contains("SIGSEGV"), "{refused}");
    let blocked = runtime.blocked().unwrap();
    assert_eq!((blocked.len(), &*blocked[0].version), (1, V2));
    assert!(runtime.unblock(&blocked[0].digest).unwrap().unblocked);
    assert!(!runtime.unblock(&blocked[0].digest).unwrap().unblocked, "it is no longer blocked");
    runtime.load(fixture("crasher", V2)).unwrap();
}

#[test]
fn a_version_that_crashes_on_trial_is_blocked_after_any_time() {
    let dead = dies_in_child(&[], |home| {
        let runtime = start(home, Duration::ZERO);
        runtime.load(fixture("crasher", V1)).unwrap();
        let trial = Some(Trial { length: LONG, at_end: TrialEnd::RollBack });
        let options = LoadOptions { trial, ..LoadOptions::default() };
        runtime.load_with(&Source::File(fixture("crasher", V2)), &options).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        crash(&runtime);
    });
    assert_eq!(dead.status.signal(), Some(11), "{}", dead.stderr);
    let runtime = start(dead.directory.path(), Duration::ZERO);
    assert_eq!(current(&runtime).as_deref(), Some(V1));
    assert_eq!(runtime.load(fixture("crasher", V2)).unwrap_err().code(), Code::Blocked);
}

#[test]
fn a_version_that_crashes_after_its_crash_window_is_restored() {
    let dead = dies_in_child(&[], |home| {
        crash_settled(home, &[V1, V2]);
    });
    assert_eq!(dead.status.signal(), Some(11), "{}", dead.stderr);
    let runtime = start(dead.directory.path(), Duration::ZERO);
    assert_eq!(current(&runtime).as_deref(), Some(V2));
    let history = runtime.history(Some("crasher"), 100).unwrap();
    assert!(history.iter().any(|record| matches!(record.event, Event::Crashed { .. })), "{history:?}");
    assert!(runtime.blocked().unwrap().is_empty());
}

#[test]
fn a_restored_version_that_crashes_is_restored_again() {
    let dead = dies_in_child(&[], |home| {
        let runtime = start(home, LONG);
        runtime.load(fixture("crasher", V1)).unwrap();
        runtime.shutdown(LONG).unwrap();
        drop(runtime);
        crash(&start(home, LONG));
    });
    assert_eq!(dead.status.signal(), Some(11), "{}", dead.stderr);
    let runtime = start(dead.directory.path(), LONG);
    assert_eq!(current(&runtime).as_deref(), Some(V1), "one bad request must not block every version");
}

#[test]
fn two_reports_of_one_process_count_as_one_crash() {
    let dead = dies_in_child(&[], |home| {
        crash_settled(home, &[V1]);
    });
    let reports = dead.directory.path().join("state/crashes");
    let first = fs::read_to_string(&reports).unwrap();
    let second = first.replace("SIGSEGV", "SIGABRT");
    assert_ne!(first, second);
    fs::write(&reports, first + &second).unwrap();
    let runtime = start(dead.directory.path(), Duration::ZERO);
    let history = runtime.history(Some("crasher"), 100).unwrap();
    let recorded = history.iter().filter(|record| matches!(record.event, Event::Crashed { .. })).count();
    assert_eq!((recorded, runtime.blocked().unwrap().len()), (2, 0), "{history:?}");
    assert_eq!(current(&runtime).as_deref(), Some(V1));
}

#[test]
fn a_restored_version_that_crashes_two_starts_in_a_row_is_blocked() {
    let home = TempDir::new().unwrap();
    let run = |crasher: &str| {
        run_in(home.path(), crasher, |home| {
            let runtime = start(home, LONG);
            for version in [V1, V2] {
                runtime.load(fixture("crasher", version)).unwrap();
            }
        })
    };
    let first = run("nothing");
    assert!(first.status.success(), "{}", first.stderr);
    for _ in 0..2 {
        let dead = run("constructor");
        assert_eq!(dead.status.signal(), Some(11), "{}", dead.stderr);
    }
    let runtime = start(home.path(), LONG);
    assert_eq!(current(&runtime).as_deref(), Some(V1));
    let blocked = runtime.blocked().unwrap();
    assert_eq!((blocked.len(), &*blocked[0].version), (1, V2));
    assert!(blocked[0].why.contains("at its start"), "{blocked:?}");
}

#[test]
fn a_file_of_the_modules_directory_that_crashes_a_start_is_blocked() {
    for (what, signal, status, reason) in
        [("constructor", Some(11), None, "SIGSEGV"), ("on-load-exit", None, Some(3), "exit(3)")]
    {
        let dead = dies_in_child(&[("SEGUE_CRASHER", what)], |home| {
            drop_in(home, V1);
            drop(start_watching(home));
        });
        assert_eq!((dead.status.signal(), dead.status.code()), (signal, status), "{}", dead.stderr);
        let runtime = start_watching(dead.directory.path());
        assert_eq!(current(&runtime), None);
        let blocked = runtime.blocked().unwrap();
        assert_eq!(blocked.len(), 1);
        assert!(blocked[0].why.contains(reason), "{blocked:?}");
    }
}

#[test]
fn a_file_during_whose_load_two_starts_were_killed_is_not_loaded_by_the_third() {
    let home = TempDir::new().unwrap();
    let run = |crasher: &str| {
        run_in(home.path(), crasher, |home| {
            eprintln!("current: {:?}", current(&start_watching(home)));
        })
    };
    drop_in(home.path(), V1);
    let serves = |version: &str| format!("current: {:?}", Some(version));
    assert!(run("nothing").stderr.contains(&serves(V1)), "the first version serves");
    drop_in(home.path(), V2);
    for _ in 0..2 {
        let dead = run("on-load-kill");
        assert_eq!(dead.status.signal(), Some(9), "the file is loaded: {}", dead.stderr);
    }
    for _ in 0..2 {
        let third = run("on-load-kill-of-nobody");
        assert!(third.stderr.contains(&serves(V1)), "the version before serves: {}", third.stderr);
    }
    let runtime = start_watching(home.path());
    let history = runtime.history(Some("crasher"), 100).unwrap();
    let not_restored = history.iter().filter_map(|record| match &record.event {
        Event::NotRestored { version, why, .. } => Some((version.as_str(), why.contains("killed"))),
        _ => None,
    });
    assert_eq!(not_restored.collect::<Vec<_>>(), [(V2, true)], "it is recorded once");
    runtime.load(fixture("crasher", V2)).unwrap();
}

#[test]
fn a_version_that_is_loaded_again_has_a_crash_window_again() {
    let dead = dies_in_child(&[], |home| {
        let runtime = start(home, LONG);
        for version in [V1, V2] {
            runtime.load(fixture("crasher", version)).unwrap();
        }
        runtime.shutdown(LONG).unwrap();
        drop(runtime);
        let runtime = start(home, LONG);
        runtime.load(fixture("crasher", V1)).unwrap();
        crash(&runtime);
    });
    assert_eq!(dead.status.signal(), Some(11), "{}", dead.stderr);
    let runtime = start(dead.directory.path(), LONG);
    assert_eq!(current(&runtime).as_deref(), Some(V2));
    assert_eq!(runtime.blocked().unwrap()[0].version, V1);
}
