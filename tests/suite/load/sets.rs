//! Sets: all of their modules become current at one moment, or none does.

use std::{fs, thread};

use segue::{Code, Error, ErrorObject, LoadOptions, LoadOutcome, Source};
use segue_tests::{SHORT, TestHost, V1, V2, fixture, hooks_answer, refusal, set_of, until};

const FIVE: [&str; 5] = ["greeter", "holder", "sleeper", "textkit", "till"];

fn versions(host: &TestHost, modules: &[&str]) -> Vec<Option<String>> {
    let version = |module: &&str| Some(host.runtime.status(module).ok()?.current?.version);
    modules.iter().map(version).collect()
}

fn all_in(modules: &[&str], version: &str) -> Vec<Option<String>> {
    vec![Some(version.to_owned()); modules.len()]
}

/// The members that an error names, with their codes, sorted by name.
fn members(error: &Error) -> Vec<(String, Code)> {
    let Error::Set { errors } = error else { panic!("not the error of a set: {error}") };
    let mut named: Vec<_> =
        errors.iter().map(|error| (error.module().unwrap_or_default().to_owned(), error.code())).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named
}

#[test]
fn otp_26_a_set_becomes_current_as_one_or_not_at_all() {
    let host = TestHost::new();
    let first = host.load_set(&FIVE, V1).unwrap();
    assert_eq!(first.iter().map(|it| it.module.as_str()).collect::<Vec<_>>(), FIVE, "in the order asked for");
    let inside: Vec<_> = FIVE.map(|module| host.module(module).enter_owned().unwrap()).into();
    let second = host.load_set(&FIVE, V2).unwrap();
    assert!(second.iter().zip(&first).all(|(new, old)| {
        new.outcome == LoadOutcome::Loaded && new.replaced.as_ref().unwrap().generation == old.generation
    }));
    assert_eq!(versions(&host, &FIVE), all_in(&FIVE, V2));
    // A third version is refused for all five, and nothing changes.
    let images = host.runtime.images_mapped();
    let error = host.load_set(&FIVE, V1).unwrap_err();
    assert_eq!(members(&error), FIVE.map(|module| (module.to_owned(), Code::NotPurged)));
    let object = ErrorObject::from(&error);
    assert_eq!((object.code, object.members.len()), (Code::NotPurged, FIVE.len()));
    assert_eq!((versions(&host, &FIVE), host.runtime.images_mapped()), (all_in(&FIVE, V2), images));
    assert_eq!(host.refusals(), [Code::NotPurged; FIVE.len()], "each refusal is recorded for its own module");
    // One member that is in use is enough, and the error names that one.
    let (holder, others): (Vec<_>, Vec<_>) =
        inside.into_iter().zip(FIVE).partition(|(_, module)| *module == "holder");
    drop(others);
    FIVE.iter().filter(|module| **module != "holder").for_each(|module| host.wait_until_old_is_gone(module));
    let error = host.load_set(&FIVE, V1).unwrap_err();
    assert!(matches!(&error, Error::NotPurged { module, .. } if module == "holder"), "{error}");
    assert_eq!(versions(&host, &FIVE), all_in(&FIVE, V2));
    drop(holder);
    host.wait_until_old_is_gone("holder");
    host.load_set(&FIVE, V1).unwrap();
    assert_eq!(versions(&host, &FIVE), all_in(&FIVE, V1));
}

#[test]
fn otp_27_a_set_lists_all_of_its_bad_members() {
    let host = TestHost::new();
    let options = LoadOptions::default();
    assert!(host.runtime.load_set(&[], &options).unwrap().is_empty(), "an empty set");
    // A duplicate is named, and nothing is started.
    let mut sources = set_of(&["hooks", "hooks-a"], V1);
    sources.extend(set_of(&["hooks"], V2));
    let error = host.runtime.load_set(&sources, &options).unwrap_err();
    assert!(matches!(&error, Error::Duplicate { module } if module == "hooks"), "{error}");
    // A bad file and a missing file are both listed, next to a good one.
    let directory = tempfile::tempdir().unwrap();
    let bad = directory.path().join("bad.so");
    fs::write(&bad, "no module").unwrap();
    let none = directory.path().join("none.so");
    let mut sources = set_of(&["hooks"], V1);
    sources.extend([Source::File(bad.clone()), Source::File(none.clone())]);
    let error = host.runtime.load_set(&sources, &options).unwrap_err();
    let Error::Set { errors } = &error else { panic!("{error}") };
    assert_eq!(errors.iter().map(Error::code).collect::<Vec<_>>(), [Code::BadElf, Code::NotFound]);
    let text = error.to_string();
    assert!(text.contains(&*bad.to_string_lossy()) && text.contains(&*none.to_string_lossy()), "{text}");
    assert!(host.runtime.modules().is_empty() && host.log().is_empty());
    assert_eq!((host.runtime.images_mapped(), host.staged()), (0, 0));
    // Control: without the bad files, the good one is loaded.
    host.runtime.load_set(&sources[..1], &options).unwrap();
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
}

#[test]
fn otp_28_an_on_load_that_fails_fails_its_set() {
    const THREE: [&str; 3] = ["hooks-a", "hooks-b", "hooks-c"];
    let host = TestHost::new();
    host.load_set(&THREE[..2], V1).unwrap();
    // OTP allows no `on_load` in a set. Here each one runs, and one that fails fails the set.
    host.script("hooks-b", V2, "fail on purpose\n");
    let error = host.load_set(&THREE, V2).unwrap_err();
    assert!(matches!(&error, Error::OnLoad { module, .. } if module == "hooks-b"), "{error}");
    let before = [Some(V1.to_owned()), Some(V1.to_owned()), None];
    assert_eq!(versions(&host, &THREE), before);
    assert_eq!((host.runtime.images_mapped(), host.staged()), (2, 2));
    assert_eq!(
        host.logged("load hooks-a 1.1.0"),
        host.logged("drop hooks-a 1.1.0"),
        "a member that had started has ended"
    );
    // If two fail, both are listed.
    host.script("hooks-c", V2, "panic on purpose\n");
    let failed = [("hooks-b".to_owned(), Code::OnLoadFailed), ("hooks-c".to_owned(), Code::OnLoadFailed)];
    assert_eq!(members(&host.load_set(&THREE, V2).unwrap_err()), failed);
    assert_eq!(versions(&host, &THREE), before);
    // The set waits for a member whose `on_load` still runs, up to its deadline. Then no module has changed.
    host.script("hooks-b", V2, "hang go\n");
    host.script("hooks-c", V2, "");
    thread::scope(|scope| {
        let pending = scope.spawn(|| host.load("hooks-b", V2));
        until("its on_load runs", || host.logged("load hooks-b 1.1.0") == 3);
        let options = LoadOptions { deadline: SHORT, ..LoadOptions::default() };
        let error = host.runtime.load_set(&set_of(&THREE, V2), &options).unwrap_err();
        assert!(
            matches!(&error, Error::Deadline { module: Some(module), .. } if module == "hooks-b"),
            "{error}"
        );
        assert_eq!(versions(&host, &THREE), before);
        host.release("go");
        pending.join().unwrap().unwrap();
    });
    host.wait_until_old_is_gone("hooks-b");
    // Control. A member that is current already is reported as unchanged.
    let loaded = host.load_set(&THREE, V2).unwrap();
    let outcomes: Vec<LoadOutcome> = loaded.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [LoadOutcome::Loaded, LoadOutcome::Unchanged, LoadOutcome::Loaded]);
    assert_eq!(versions(&host, &THREE), all_in(&THREE, V2));
}

#[test]
fn otp_29_modules_loaded_at_once_succeed_or_fail_one_by_one() {
    let host = TestHost::new();
    let modules = ["hooks", "vetoes-load", "hooks-a", "panics-on-load", "sleeper", "impostor"];
    // Each on its own, all at once: the good ones are loaded, and each bad one has its own error.
    let loaded = thread::scope(|scope| {
        let loads = modules.map(|module| scope.spawn(|| host.load(module, V1)));
        loads.map(|load| load.join().unwrap().map(|loaded| loaded.outcome).map_err(|error| error.code()))
    });
    let (good, failed) = (Ok(LoadOutcome::Loaded), Err(Code::OnLoadFailed));
    assert_eq!(loaded, [good, failed, good, failed, good, Err(Code::NameMismatch)]);
    assert_eq!(host.runtime.modules().len(), 3);
    assert_eq!(host.refusals().len(), 3);
    assert_eq!(
        refusal(host.runtime.load_set(&set_of(&modules, V2), &LoadOptions::default())),
        Code::NameMismatch
    );
    assert_eq!(
        host.load("hooks", V1).unwrap().outcome,
        LoadOutcome::Unchanged,
        "loading it again changes nothing"
    );
    assert_eq!(
        fixture("hooks", V1).display().to_string(),
        host.runtime.status("hooks").unwrap().current.unwrap().source
    );
}
