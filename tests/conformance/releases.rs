//! The release handler's: what is kept over a restart, what is undone, and what is known of it all.

use std::{fs, time::Duration};

use segue::{
    Code, Error, Event, LoadOptions, NextEvent, RollbackSource, Source, Trial, TrialEnd, VersionState,
};
use segue_tests::{V1, V2, fixture, until};

use crate::house::{House, LONG, SHORT, code, set, told};

const TRIAL: LoadOptions = LoadOptions {
    policy: segue::Policy::Refuse,
    deadline: LONG,
    trial: Some(Trial { length: Duration::from_secs(3600), at_end: TrialEnd::RollBack }),
};

fn try_out(house: &House, version: &str) {
    house.runtime.load_with(&Source::File(fixture("hooks", version)), &TRIAL).unwrap();
}

fn standing(house: &House) -> (Option<VersionState>, Option<VersionState>) {
    let status = house.runtime.status("hooks").unwrap();
    (status.current.map(|it| it.status), status.old.map(|it| it.status))
}

/// All events that the ledger has.
fn history(house: &House) -> Vec<Event> {
    let mut all = house.runtime.events().from(1);
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
fn r_upgrade() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    // Installed, and the machine restarts: reverted.
    try_out(&house, V2);
    assert_eq!(house.ask("hooks", "/"), told(V2));
    let house = house.restarted();
    assert_eq!((house.ask("hooks", "/"), standing(&house).0), (told(V1), Some(VersionState::Confirmed)));
    let left_behind = |event: &&Event| matches!(event, Event::NotRestored { version, .. } if version == V2);
    assert_eq!(house.events().iter().filter(left_behind).count(), 1);
    // Installed and made permanent: kept.
    try_out(&house, V2);
    assert!(house.runtime.confirm("hooks").unwrap().confirmed);
    assert!(!house.runtime.confirm("hooks").unwrap().confirmed, "there is nothing more to confirm");
    let house = house.restarted();
    assert_eq!(house.ask("hooks", "/"), told(V2));
    // The old one, from the store since nothing of it is in memory; and that is kept, too.
    let back = house.runtime.rollback("hooks").unwrap();
    assert_eq!((back.from, back.recorded, house.ask("hooks", "/")), (RollbackSource::Store, true, told(V1)));
    let house = house.restarted();
    assert_eq!(house.ask("hooks", "/"), told(V1));
    assert_eq!(history(&house).iter().filter(|event| matches!(event, Event::Started { .. })).count(), 4);
}

#[test]
fn r_upgrade_restart() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    assert_eq!(standing(&house), (Some(VersionState::Confirmed), None));
    try_out(&house, V2);
    until("old is kept", || standing(&house) == (Some(VersionState::Trial), Some(VersionState::Warm)));
    // The trial is undone, with no restart at all.
    let back = house.runtime.rollback("hooks").unwrap();
    assert_eq!((back.from, house.ask("hooks", "/")), (RollbackSource::Memory, told(V1)));
    house.old_is_gone("hooks");
    assert_eq!(standing(&house), (Some(VersionState::Confirmed), None));
    try_out(&house, V2);
    house.runtime.confirm("hooks").unwrap();
    house.old_is_gone("hooks");
    assert_eq!(standing(&house), (Some(VersionState::Confirmed), None), "then old is not kept any more");
    // A first version that is on trial, and nothing to go back to.
    house.runtime.load_with(&Source::File(fixture("hooks-a", V1)), &TRIAL).unwrap();
    assert_eq!(code(house.runtime.rollback("hooks-a")), Code::NothingToRollBack);
    let house = house.restarted();
    assert_eq!(house.ask("hooks", "/"), told(V2));
    assert!(house.ask("hooks-a", "/").is_err(), "a trial is never what a restart returns to");
}

#[test]
fn r_install_release_syntax_check() {
    let house = House::new();
    let directory = tempfile::tempdir().unwrap();
    let bad = directory.path().join("bad.so");
    fs::write(&bad, "no module").unwrap();
    // The last of the release is no good. It is seen before anything of the first has run.
    let mut release = set(&["hooks", "hooks-a"], V1);
    release.push(Source::File(bad.clone()));
    assert_eq!(code(house.runtime.load_set(&release, &LoadOptions::default())), Code::BadElf);
    assert!(house.log().is_empty() && house.runtime.modules().is_empty());
    // And it can be seen without a runtime.
    assert_eq!(code(segue::check(&bad)), Code::BadElf);
    assert_eq!(segue::check(&fixture("hooks", V1)).unwrap().metadata.version, V1);
    assert!(house.log().is_empty());
}

#[test]
fn r_release_handler_which_releases() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    let session = house.module("hooks").enter_owned().unwrap();
    try_out(&house, V2);
    assert_eq!(standing(&house), (Some(VersionState::Trial), Some(VersionState::Draining)));
    drop(session);
    until("old is kept warm", || standing(&house).1 == Some(VersionState::Warm));
    house.runtime.confirm("hooks").unwrap();
    house.old_is_gone("hooks");
    let house = house.restarted();
    let told = history(&house).into_iter().filter_map(|event| match event {
        Event::Loaded { current, trial_ms: None, .. } => Some(format!("loaded {}", current.version)),
        Event::Loaded { current, trial_ms: Some(_), .. } => Some(format!("tried {}", current.version)),
        Event::Confirmed { current, .. } => Some(format!("confirmed {}", current.version)),
        Event::Stopped { .. } => Some("stopped".to_owned()),
        _ => None,
    });
    let told: Vec<String> = told.collect();
    let (tried, confirmed, first) =
        (format!("tried {V2}"), format!("confirmed {V2}"), format!("loaded {V1}"));
    assert_eq!(told, [first, tried, confirmed, "stopped".to_owned(), format!("loaded {V2}")]);
}

#[test]
fn r_otp_9395_update_many_mods() {
    const MANY: [&str; 6] = ["hooks", "hooks-a", "hooks-b", "hooks-c", "sleeper", "holder"];
    let house = House::new();
    house.load_set(&MANY, V1).unwrap();
    let sessions = MANY.map(|module| house.module(module).enter_owned().unwrap());
    house.load_set(&MANY, V2).unwrap();
    assert!(matches!(house.load_set(&MANY, V1), Err(Error::Set { errors }) if errors.len() == MANY.len()));
    // Purged before, all at once; then the release itself has nothing to wait for.
    drop(sessions);
    std::thread::scope(|scope| {
        let purges = MANY.map(|module| scope.spawn(|| house.runtime.purge(module, LONG).unwrap()));
        purges.into_iter().for_each(|purge| assert_eq!(purge.join().unwrap().lingering, 0));
    });
    assert_eq!(house.runtime.images_mapped(), MANY.len());
    house.load_set(&MANY, V1).unwrap();
    // And as many are removed.
    for module in MANY {
        house.old_is_gone(module);
        assert!(house.runtime.delete(module).unwrap().deleted);
    }
    until("all have left", || house.runtime.images_mapped() == 0);
}

#[test]
fn r_otp_5761() {
    let house = House::new();
    let directory = tempfile::tempdir().unwrap();
    let source = || house.runtime.status("hooks").unwrap().current.unwrap().source;
    let put = |name: &str, version| {
        let path = directory.path().join(name);
        fs::copy(fixture("hooks", version), &path).unwrap();
        path
    };
    let (first, second, same) = (put("1.so", V1), put("2.so", V2), put("2-again.so", V2));
    house.runtime.load(&first).unwrap();
    let session = house.module("hooks").enter_owned().unwrap();
    house.runtime.load(&second).unwrap();
    assert_eq!(source(), second.display().to_string());
    house.runtime.rollback("hooks").unwrap();
    assert_eq!(source(), first.display().to_string());
    house.old_is_gone("hooks");
    drop(session);
    house.runtime.load(&second).unwrap();
    // The same from elsewhere: what is in memory came from where it came from, and the offer is told.
    house.runtime.load(&same).unwrap();
    assert_eq!(source(), second.display().to_string());
    let offered = same.display().to_string();
    assert!(
        house
            .events()
            .iter()
            .any(|event| matches!(event, Event::Unchanged { source, .. } if *source == offered))
    );
}

#[test]
fn r_eval_appup() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    house.load("hooks-a", V1).unwrap();
    // Up and down, one component alone.
    house.load("hooks", V2).unwrap();
    house.old_is_gone("hooks");
    assert_eq!(house.runtime.rollback("hooks").unwrap().from, RollbackSource::Store);
    assert_eq!(house.ask("hooks", "/"), told(V1));
    house.old_is_gone("hooks");
    let session = house.module("hooks").enter_owned().unwrap();
    house.load("hooks", V2).unwrap();
    assert_eq!(house.runtime.rollback("hooks").unwrap().from, RollbackSource::Memory);
    assert_eq!(house.ask("hooks", "/"), told(V1));
    drop(session);
    let of_the_other = house.runtime.status("hooks-a").unwrap().current.unwrap();
    assert_eq!(
        (of_the_other.generation, house.logged("load hooks-a ")),
        (2, 1),
        "nothing has happened to it"
    );
}

#[test]
fn r_supervisor_which_children_timeout() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    let unresponsive = house.module("hooks").enter_owned().unwrap();
    house.load("hooks", V2).unwrap();
    let options = LoadOptions { policy: segue::Policy::Wait, deadline: SHORT, trial: None };
    let error = house.runtime.load_with(&Source::File(fixture("hooks", V1)), &options).unwrap_err();
    assert!(matches!(&error, Error::Deadline { module: Some(module), .. } if module == "hooks"), "{error}");
    assert_eq!((house.ask("hooks", "/"), house.refusals()), (told(V2), vec![Code::Deadline]));
    drop(unresponsive);
    house.follow("hooks", V1).unwrap();
}
