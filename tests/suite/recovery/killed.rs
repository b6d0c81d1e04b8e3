//! A process that is killed: the next start serves every version that was acknowledged, and none that was not
//! confirmed.

use std::{
    env, fs,
    io::Write,
    os::unix::process::ExitStatusExt,
    process::{self, Command},
    thread,
    time::Duration,
};

use segue::{LoadOptions, Phase, PhaseReached, Runtime, Source};
use segue_tests::{V1, V2, dies_in_child, dies_in_child_of, fixture, test_of};

use super::{answering, check_ledger, load_on_trial, runtime};

/// Kills this process, so that no more of its code runs.
fn kill_this_process() -> ! {
    let killed = Command::new("kill").args(["-9", &process::id().to_string()]).status();
    panic!("this process still runs: {killed:?}");
}

/// Kills a process at a phase of its second load; returns the versions that a restart then serves.
fn killed_at(phase: Phase, load_second: impl FnOnce(&Runtime)) -> Vec<Option<String>> {
    let test = test_of(&load_second);
    let dead = dies_in_child_of(test, &[("SEGUE_TESTS_PHASE", &format!("{phase:?}"))], |home| {
        let phase = env::var("SEGUE_TESTS_PHASE").unwrap();
        let is_armed = home.join("armed");
        let at = move |reached: &PhaseReached<'_>| {
            if format!("{:?}", reached.phase) == phase && is_armed.exists() {
                kill_this_process();
            }
        };
        let runtime = Runtime::builder().state_dir(home.join("state")).observe(at).build().unwrap();
        runtime.load(fixture("greeter", V1)).unwrap();
        runtime.load(fixture("textkit", V1)).unwrap();
        fs::write(home.join("armed"), "").unwrap();
        load_second(&runtime);
        // Phases after the acknowledgement are reached in the background.
        thread::sleep(Duration::from_secs(60));
    });
    assert_eq!(dead.status.signal(), Some(9), "{phase:?}: {}\n{}", dead.status, dead.stderr);
    let home = dead.directory.path();
    let mut served = Vec::new();
    // Twice: a restart must not change what the next one restores.
    for _ in 0..2 {
        let runtime = runtime(home);
        served = ["greeter", "textkit"].map(|module| answering(&runtime, module)).to_vec();
        check_ledger(home, &runtime);
        runtime.shutdown(Duration::from_secs(30)).unwrap();
        assert!(segue_tests::names_in(&home.join("state/stage")).is_empty());
    }
    served
}

fn some(versions: [&str; 2]) -> Vec<Option<String>> {
    versions.map(|version| Some(version.to_owned())).to_vec()
}

/// Runs a test for each phase; in a child, only for the phase of the child.
fn at_each(phases: &[Phase], mut test: impl FnMut(Phase)) {
    let only = env::var("SEGUE_TESTS_PHASE").ok();
    for phase in phases {
        if only.as_ref().is_none_or(|only| *only == format!("{phase:?}")) {
            test(*phase);
        }
    }
}

const BEFORE_THE_RECORD: [Phase; 4] = [Phase::Admitted, Phase::Mapped, Phase::Started, Phase::Stored];
const FROM_THE_RECORD_ON: [Phase; 6] =
    [Phase::Recorded, Phase::Published, Phase::Drained, Phase::Detached, Phase::Vacated, Phase::Ended];

#[test]
fn a_load_killed_at_any_phase_is_restored_completely_or_not_at_all() {
    let load = |runtime: &Runtime| drop(runtime.load(fixture("greeter", V2)).unwrap());
    at_each(&BEFORE_THE_RECORD, |phase| assert_eq!(killed_at(phase, load), some([V1, V1]), "{phase:?}"));
    // Once the ledger has the load, a restart restores it, acknowledged or not.
    at_each(&FROM_THE_RECORD_ON, |phase| assert_eq!(killed_at(phase, load), some([V2, V1]), "{phase:?}"));
}

#[test]
fn a_set_killed_at_any_phase_is_restored_completely_or_not_at_all() {
    let load = |runtime: &Runtime| {
        let set = ["greeter", "textkit"].map(|module| Source::File(fixture(module, V2)));
        drop(runtime.load_set(&set, &LoadOptions::default()).unwrap());
    };
    at_each(&BEFORE_THE_RECORD, |phase| assert_eq!(killed_at(phase, load), some([V1, V1]), "{phase:?}"));
    at_each(&FROM_THE_RECORD_ON[..2], |phase| {
        assert_eq!(killed_at(phase, load), some([V2, V2]), "{phase:?}");
    });
}

#[test]
fn a_version_killed_on_trial_is_not_restored() {
    let load = |runtime: &Runtime| load_on_trial(runtime, "greeter", V2);
    at_each(&[Phase::Stored, Phase::Recorded, Phase::Published], |phase| {
        assert_eq!(killed_at(phase, load), some([V1, V1]), "{phase:?}");
    });
}

#[test]
fn a_process_killed_at_any_time_restores_the_last_acknowledged_version_or_the_next() {
    for round in 0..12u64 {
        // Any length will do; these vary.
        let ms = 30 + round * 37 % 200;
        let dead = dies_in_child(&[("SEGUE_TESTS_MS", &ms.to_string())], |home| {
            let ms = env::var("SEGUE_TESTS_MS").unwrap().parse().unwrap();
            let runtime = runtime(home);
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(ms));
                kill_this_process();
            });
            let mut log = fs::File::create(home.join("log")).unwrap();
            for turn in 0.. {
                let version = if turn % 2 == 0 { V1 } else { V2 };
                writeln!(log, "requested {version}").unwrap();
                let options = LoadOptions { policy: segue::Policy::Wait, ..LoadOptions::default() };
                runtime.load_with(&Source::File(fixture("greeter", version)), &options).unwrap();
                writeln!(log, "acknowledged {version}").unwrap();
            }
        });
        assert_eq!(dead.status.signal(), Some(9), "{}", dead.stderr);
        let home = dead.directory.path();
        let log = fs::read_to_string(home.join("log")).unwrap_or_default();
        let last = |what: &str| log.lines().filter_map(|line| line.strip_prefix(what)).next_back();
        let (requested, acknowledged) = (last("requested "), last("acknowledged "));
        let runtime = runtime(home);
        let served = answering(&runtime, "greeter");
        assert!(
            served.as_deref() == acknowledged || served.as_deref() == requested,
            "after {ms} ms: {served:?} served, {acknowledged:?} acknowledged, {requested:?} requested"
        );
        check_ledger(home, &runtime);
    }
}
