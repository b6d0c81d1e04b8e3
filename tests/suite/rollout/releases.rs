//! Releases, as in OTP's release handler: trials, confirmation, restarts, and what is recorded about them.

use std::{fs, time::Duration};

use segue::{
    Code, Error, Event, LoadOptions, NextEvent, RollbackSource, Source, Trial, TrialEnd, VersionState,
};
use segue_tests::{LONG, SHORT, TestHost, V1, V2, fixture, hooks_answer, refusal, set_of, until};

/// A load on trial for an hour.
const TRIAL: LoadOptions = LoadOptions {
    policy: segue::Policy::Refuse,
    deadline: LONG,
    trial: Some(Trial { length: Duration::from_secs(3600), at_end: TrialEnd::RollBack }),
};

fn load_on_trial(host: &TestHost, version: &str) {
    host.runtime.load_with(&Source::File(fixture("hooks", version)), &TRIAL).unwrap();
}

fn states(host: &TestHost) -> (Option<VersionState>, Option<VersionState>) {
    let status = host.runtime.status("hooks").unwrap();
    (status.current.map(|it| it.status), status.old.map(|it| it.status))
}

/// All events in the ledger.
fn history(host: &TestHost) -> Vec<Event> {
    let mut all = host.runtime.events().from(1);
    let mut expected = 1;
    let events = std::iter::from_fn(move || match all.next(Duration::ZERO) {
        NextEvent::Event(record) => {
            assert_eq!(record.seq, expected, "without a gap");
            expected += 1;
            Some(record.event)
        }
        _ => None,
    });
    events.collect()
}

#[test]
fn otp_50_a_restart_returns_to_the_confirmed_release() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    // Installed and restarted: reverted.
    load_on_trial(&host, V2);
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V2));
    let host = host.restarted();
    assert_eq!((host.ask("hooks", "/"), states(&host).0), (hooks_answer(V1), Some(VersionState::Confirmed)));
    let not_restored = |event: &&Event| matches!(event, Event::NotRestored { version, .. } if version == V2);
    assert_eq!(host.events().iter().filter(not_restored).count(), 1);
    // Installed and confirmed: kept.
    load_on_trial(&host, V2);
    assert!(host.runtime.confirm("hooks").unwrap().confirmed);
    assert!(!host.runtime.confirm("hooks").unwrap().confirmed, "it is confirmed already");
    let host = host.restarted();
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V2));
    // A rollback, from the store because the old version is unloaded: kept too.
    let back = host.runtime.rollback("hooks").unwrap();
    assert_eq!(
        (back.from, back.recorded, host.ask("hooks", "/")),
        (RollbackSource::Store, true, hooks_answer(V1))
    );
    let host = host.restarted();
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
    assert_eq!(history(&host).iter().filter(|event| matches!(event, Event::Started { .. })).count(), 4);
}

#[test]
fn otp_50_a_trial_is_undone_without_a_restart() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    assert_eq!(states(&host), (Some(VersionState::Confirmed), None));
    load_on_trial(&host, V2);
    until("old is kept warm", || states(&host) == (Some(VersionState::Trial), Some(VersionState::Warm)));
    // A rollback ends the trial without a restart.
    let back = host.runtime.rollback("hooks").unwrap();
    assert_eq!((back.from, host.ask("hooks", "/")), (RollbackSource::Memory, hooks_answer(V1)));
    host.wait_until_old_is_gone("hooks");
    assert_eq!(states(&host), (Some(VersionState::Confirmed), None));
    load_on_trial(&host, V2);
    host.runtime.confirm("hooks").unwrap();
    host.wait_until_old_is_gone("hooks");
    assert_eq!(states(&host), (Some(VersionState::Confirmed), None), "old is no longer kept");
    // A first version on trial has no old version to roll back to.
    host.runtime.load_with(&Source::File(fixture("hooks-a", V1)), &TRIAL).unwrap();
    assert_eq!(refusal(host.runtime.rollback("hooks-a")), Code::NothingToRollBack);
    let host = host.restarted();
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V2));
    assert!(host.ask("hooks-a", "/").is_err(), "a restart never restores a version on trial");
}

#[test]
fn otp_51_a_release_is_checked_before_anything_runs() {
    let host = TestHost::new();
    let directory = tempfile::tempdir().unwrap();
    let bad = directory.path().join("bad.so");
    fs::write(&bad, "no module").unwrap();
    // The last file of the release is bad. That is found before any code of the first runs.
    let mut release = set_of(&["hooks", "hooks-a"], V1);
    release.push(Source::File(bad.clone()));
    assert_eq!(refusal(host.runtime.load_set(&release, &LoadOptions::default())), Code::BadElf);
    assert!(host.log().is_empty() && host.runtime.modules().is_empty());
    // It can also be found without a runtime.
    assert_eq!(refusal(segue::check(&bad)), Code::BadElf);
    assert_eq!(segue::check(&fixture("hooks", V1)).unwrap().metadata.version, V1);
    assert!(host.log().is_empty());
}

#[test]
fn otp_52_the_state_of_each_release_is_known() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let session = host.module("hooks").enter_owned().unwrap();
    load_on_trial(&host, V2);
    assert_eq!(states(&host), (Some(VersionState::Trial), Some(VersionState::Draining)));
    drop(session);
    until("old is kept warm", || states(&host).1 == Some(VersionState::Warm));
    host.runtime.confirm("hooks").unwrap();
    host.wait_until_old_is_gone("hooks");
    let host = host.restarted();
    let recorded = history(&host).into_iter().filter_map(|event| match event {
        Event::Loaded { current, trial_ms: None, .. } => Some(format!("loaded {}", current.version)),
        Event::Loaded { current, trial_ms: Some(_), .. } => Some(format!("tried {}", current.version)),
        Event::Confirmed { current, .. } => Some(format!("confirmed {}", current.version)),
        Event::Stopped { .. } => Some("stopped".to_owned()),
        _ => None,
    });
    let recorded: Vec<String> = recorded.collect();
    let (tried, confirmed, first) =
        (format!("tried {V2}"), format!("confirmed {V2}"), format!("loaded {V1}"));
    assert_eq!(recorded, [first, tried, confirmed, "stopped".to_owned(), format!("loaded {V2}")]);
}

#[test]
fn otp_56_many_modules_are_purged_updated_and_removed_together() {
    const MANY: [&str; 6] = ["hooks", "hooks-a", "hooks-b", "hooks-c", "sleeper", "holder"];
    let host = TestHost::new();
    host.load_set(&MANY, V1).unwrap();
    let sessions = MANY.map(|module| host.module(module).enter_owned().unwrap());
    host.load_set(&MANY, V2).unwrap();
    assert!(matches!(host.load_set(&MANY, V1), Err(Error::Set { errors }) if errors.len() == MANY.len()));
    // All are purged first, at once, so that the release does not wait.
    drop(sessions);
    std::thread::scope(|scope| {
        let purges = MANY.map(|module| scope.spawn(|| host.runtime.purge(module, LONG).unwrap()));
        purges.into_iter().for_each(|purge| assert_eq!(purge.join().unwrap().lingering, 0));
    });
    assert_eq!(host.runtime.images_mapped(), MANY.len());
    host.load_set(&MANY, V1).unwrap();
    // Then all are removed.
    for module in MANY {
        host.wait_until_old_is_gone(module);
        assert!(host.runtime.delete(module).unwrap().deleted);
    }
    until("all are unloaded", || host.runtime.images_mapped() == 0);
}

#[test]
fn otp_58_status_names_the_file_that_was_loaded() {
    let host = TestHost::new();
    let directory = tempfile::tempdir().unwrap();
    let source = || host.runtime.status("hooks").unwrap().current.unwrap().source;
    let put = |name: &str, version| {
        let path = directory.path().join(name);
        fs::copy(fixture("hooks", version), &path).unwrap();
        path
    };
    let (first, second, same) = (put("1.so", V1), put("2.so", V2), put("2-again.so", V2));
    host.runtime.load(&first).unwrap();
    let session = host.module("hooks").enter_owned().unwrap();
    host.runtime.load(&second).unwrap();
    assert_eq!(source(), second.display().to_string());
    host.runtime.rollback("hooks").unwrap();
    assert_eq!(source(), first.display().to_string());
    host.wait_until_old_is_gone("hooks");
    drop(session);
    host.runtime.load(&second).unwrap();
    // The same file at another path: the source stays, and the load is recorded as unchanged.
    host.runtime.load(&same).unwrap();
    assert_eq!(source(), second.display().to_string());
    let offered = same.display().to_string();
    assert!(
        host.events()
            .iter()
            .any(|event| matches!(event, Event::Unchanged { source, .. } if *source == offered))
    );
}

#[test]
fn otp_59_one_component_goes_up_and_down_alone() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    host.load("hooks-a", V1).unwrap();
    // Up and down, one module alone.
    host.load("hooks", V2).unwrap();
    host.wait_until_old_is_gone("hooks");
    assert_eq!(host.runtime.rollback("hooks").unwrap().from, RollbackSource::Store);
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
    host.wait_until_old_is_gone("hooks");
    let session = host.module("hooks").enter_owned().unwrap();
    host.load("hooks", V2).unwrap();
    assert_eq!(host.runtime.rollback("hooks").unwrap().from, RollbackSource::Memory);
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
    drop(session);
    let other = host.runtime.status("hooks-a").unwrap().current.unwrap();
    assert_eq!((other.generation, host.logged("load hooks-a ")), (2, 1), "the other module did not change");
}

#[test]
fn otp_60_a_load_that_waits_too_long_for_old_changes_nothing() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let straggler = host.module("hooks").enter_owned().unwrap();
    host.load("hooks", V2).unwrap();
    let options = LoadOptions { policy: segue::Policy::Wait, deadline: SHORT, trial: None };
    let error = host.runtime.load_with(&Source::File(fixture("hooks", V1)), &options).unwrap_err();
    assert!(matches!(&error, Error::Deadline { module: Some(module), .. } if module == "hooks"), "{error}");
    assert_eq!((host.ask("hooks", "/"), host.refusals()), (hooks_answer(V2), vec![Code::Deadline]));
    drop(straggler);
    host.load_after_old("hooks", V1).unwrap();
}
