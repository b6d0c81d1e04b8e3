//! A restart: which versions it restores after trials, rollbacks, deletes and changes of the modules
//! directory.

use std::{fs, path::Path, time::Duration};

use segue::{Event, Phase, Runtime, Source, TrialEnd, VersionState};
use segue_tests::{V1, V2, fixture, until};
use tempfile::TempDir;

use super::{answering, check_ledger, load_on_trial, runtime, trial};

#[test]
fn a_trial_keeps_old_warm_and_ends_as_configured() {
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
    assert!(!runtime.confirm("greeter").unwrap().confirmed, "it is confirmed already");
    until("the old version is unloaded", || status().old.is_none());
    assert_eq!(status().current.unwrap().status, VersionState::Confirmed);

    // While old is warm, a rollback is one store. The version on trial is unloaded.
    load_on_trial(&runtime, "greeter", V1);
    until("old is warm", || status().old.is_some_and(|old| old.status == VersionState::Warm));
    let back = runtime.rollback("greeter").unwrap();
    assert_eq!((back.from, back.recorded, &*back.current.version), (segue::RollbackSource::Memory, true, V2));
    until("the version on trial is unloaded", || status().old.is_none());

    for (at_end, expected) in [(TrialEnd::RollBack, V2), (TrialEnd::Confirm, V1)] {
        let short = trial(Duration::from_millis(50), at_end);
        runtime.load_with(&Source::File(fixture("greeter", V1)), &short).unwrap();
        until("the trial is over", || status().current.unwrap().status == VersionState::Confirmed);
        assert_eq!(answering(&runtime, "greeter").as_deref(), Some(expected), "{at_end:?}");
        until("the old version is unloaded", || status().old.is_none());
    }
}

#[test]
fn a_first_version_on_trial_stays_current_and_is_not_restored() {
    let home = TempDir::new().unwrap();
    let first = runtime(home.path());
    let short = trial(Duration::from_millis(20), TrialEnd::RollBack);
    first.load_with(&Source::File(fixture("greeter", V1)), &short).unwrap();
    until("the end of the trial is recorded", || {
        first.history(None, 100).unwrap().iter().any(|it| matches!(it.event, Event::TrialOver { .. }))
    });
    assert_eq!(answering(&first, "greeter").as_deref(), Some(V1), "there is no other version");
    first.shutdown(Duration::from_secs(30)).unwrap();
    drop(first);
    let second = runtime(home.path());
    assert_eq!(answering(&second, "greeter"), None);
    let history = second.history(Some("greeter"), 100).unwrap();
    assert!(history.iter().any(|it| matches!(&it.event, Event::NotRestored { .. })), "{history:?}");
}

#[test]
fn a_rollback_to_an_unloaded_version_loads_it_again_and_is_restored() {
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
    check_ledger(home.path(), &again);
}

#[test]
fn a_deleted_module_stays_deleted_and_generations_go_on() {
    let home = TempDir::new().unwrap();
    let last = {
        let runtime = runtime(home.path());
        let loaded = runtime.load(fixture("greeter", V1)).unwrap();
        let deleted = runtime.delete("greeter").unwrap();
        assert!(deleted.deleted);
        assert!(!runtime.delete("greeter").unwrap().deleted, "it is deleted already");
        assert_eq!(answering(&runtime, "greeter"), None);
        runtime.shutdown(Duration::from_secs(30)).unwrap();
        loaded.generation
    };
    let again = runtime(home.path());
    assert_eq!(answering(&again, "greeter"), None);
    assert!(again.load(fixture("greeter", V1)).unwrap().generation > last);
}

#[test]
fn a_start_loads_a_new_file_of_the_modules_directory_and_else_follows_the_ledger() {
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
    until("the second version is loaded", || answering(&runtime, "greeter").as_deref() == Some(V2));
    until("the old version is unloaded", || runtime.status("greeter").unwrap().old.is_none());
    runtime.rollback("greeter").unwrap();
    end(runtime);
    // The file is still the second version, but the rollback counts.
    let runtime = start();
    assert_eq!(answering(&runtime, "greeter").as_deref(), Some(V1));
    end(runtime);
    fs::copy(fixture("textkit", V1), modules.join("libtextkit.so")).unwrap();
    put(V1);
    put(V2);
    let runtime = start();
    assert_eq!(answering(&runtime, "greeter").as_deref(), Some(V1), "a file with the same bytes is not new");
    assert_eq!(answering(&runtime, "textkit").as_deref(), Some(V1), "this file is new");
    end(runtime);
}

#[test]
fn a_file_that_was_current_when_it_appeared_does_not_undo_a_rollback() {
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
    assert_eq!(answering(&start(), "greeter").as_deref(), Some(V1), "the rollback counts");
}

/// Makes the second version current, and damages the file of the first in the store.
fn damage_first_version(home: &Path, runtime: &Runtime) {
    let first = runtime.load(fixture("greeter", V1)).unwrap();
    runtime.load(fixture("greeter", V2)).unwrap();
    until("the old version is unloaded", || runtime.status("greeter").unwrap().old.is_none());
    let stored = home.join("state/images").join(format!("{}.so", first.digest.hex()));
    fs::remove_file(&stored).unwrap();
    fs::write(&stored, "damaged").unwrap();
}

#[test]
fn a_damaged_file_in_the_store_is_repaired_by_loading_the_original() {
    let home = TempDir::new().unwrap();
    {
        let runtime = runtime(home.path());
        damage_first_version(home.path(), &runtime);
        runtime.load(fixture("greeter", V1)).unwrap();
        runtime.shutdown(Duration::from_secs(30)).unwrap();
    }
    assert_eq!(answering(&runtime(home.path()), "greeter").as_deref(), Some(V1), "it was acknowledged");
}

#[test]
fn a_failed_rollback_is_in_the_history() {
    let home = TempDir::new().unwrap();
    let runtime = runtime(home.path());
    damage_first_version(home.path(), &runtime);
    let refused = runtime.rollback("greeter").unwrap_err();
    let history = runtime.history(None, 100).unwrap();
    let recorded = history.iter().rev().find_map(|record| match &record.event {
        Event::Refused { error, .. } => Some(error.code),
        _ => None,
    });
    assert_eq!(recorded, Some(refused.code()), "{history:?}");
}

#[test]
fn a_panic_of_an_observer_does_not_stop_a_load() {
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
fn two_runtimes_cannot_share_a_state_directory() {
    let home = TempDir::new().unwrap();
    let first = runtime(home.path());
    first.load(fixture("greeter", V1)).unwrap();
    let Err(refused) = Runtime::builder().state_dir(home.path().join("state")).build() else {
        panic!("a second runtime started in the same directory");
    };
    assert!(refused.to_string().contains("another runtime uses this state directory"), "{refused}");
    assert_eq!(answering(&first, "greeter").as_deref(), Some(V1));
}
