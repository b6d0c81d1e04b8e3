//! Several modules as one: all of them become current, or none does.

use std::{fs, thread};

use segue::{Code, Error, ErrorObject, LoadOptions, LoadOutcome, Source};
use segue_tests::{V1, V2, fixture, until};

use crate::house::{House, SHORT, code, set, told};

const FIVE: [&str; 5] = ["greeter", "holder", "sleeper", "textkit", "till"];

fn versions(house: &House, modules: &[&str]) -> Vec<Option<String>> {
    let version = |module: &&str| Some(house.runtime.status(module).ok()?.current?.version);
    modules.iter().map(version).collect()
}

fn all_in(modules: &[&str], version: &str) -> Vec<Option<String>> {
    vec![Some(version.to_owned()); modules.len()]
}

/// The members that an error names, with why, in the order of their names.
fn members(error: &Error) -> Vec<(String, Code)> {
    let Error::Set { errors } = error else { panic!("not of a set: {error}") };
    let mut named: Vec<_> =
        errors.iter().map(|error| (error.module().unwrap_or_default().to_owned(), error.code())).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named
}

#[test]
fn m_basic_atomic_load() {
    let house = House::new();
    let first = house.load_set(&FIVE, V1).unwrap();
    assert_eq!(first.iter().map(|it| it.module.as_str()).collect::<Vec<_>>(), FIVE, "in the order asked for");
    let inside: Vec<_> = FIVE.map(|module| house.module(module).enter_owned().unwrap()).into();
    let second = house.load_set(&FIVE, V2).unwrap();
    assert!(second.iter().zip(&first).all(|(new, old)| {
        new.outcome == LoadOutcome::Loaded && new.replaced.as_ref().unwrap().generation == old.generation
    }));
    assert_eq!(versions(&house, &FIVE), all_in(&FIVE, V2));
    // A third: not purged, said of all five, and nothing has changed.
    let images = house.runtime.images_mapped();
    let error = house.load_set(&FIVE, V1).unwrap_err();
    assert_eq!(members(&error), FIVE.map(|module| (module.to_owned(), Code::NotPurged)));
    let object = ErrorObject::from(&error);
    assert_eq!((object.code, object.members.len()), (Code::NotPurged, FIVE.len()));
    assert_eq!((versions(&house, &FIVE), house.runtime.images_mapped()), (all_in(&FIVE, V2), images));
    assert_eq!(
        house.refusals(),
        [Code::NotPurged; FIVE.len()],
        "each of them is told, in its own module's story"
    );
    // One that is in use is enough, and it is the one that is named.
    let (holder, others): (Vec<_>, Vec<_>) =
        inside.into_iter().zip(FIVE).partition(|(_, module)| *module == "holder");
    drop(others);
    FIVE.iter().filter(|module| **module != "holder").for_each(|module| house.old_is_gone(module));
    let error = house.load_set(&FIVE, V1).unwrap_err();
    assert!(matches!(&error, Error::NotPurged { module, .. } if module == "holder"), "{error}");
    assert_eq!(versions(&house, &FIVE), all_in(&FIVE, V2));
    drop(holder);
    house.old_is_gone("holder");
    house.load_set(&FIVE, V1).unwrap();
    assert_eq!(versions(&house, &FIVE), all_in(&FIVE, V1));
}

#[test]
fn m_basic_errors() {
    let house = House::new();
    let options = LoadOptions::default();
    assert!(house.runtime.load_set(&[], &options).unwrap().is_empty(), "a set of none");
    // Duplicates are listed, and nothing of any is started.
    let mut sources = set(&["hooks", "hooks-a"], V1);
    sources.extend(set(&["hooks"], V2));
    let error = house.runtime.load_set(&sources, &options).unwrap_err();
    assert!(matches!(&error, Error::Duplicate { module } if module == "hooks"), "{error}");
    // A bad file and no file: both are listed, beside one that is good.
    let directory = tempfile::tempdir().unwrap();
    let bad = directory.path().join("bad.so");
    fs::write(&bad, "no module").unwrap();
    let none = directory.path().join("none.so");
    let mut sources = set(&["hooks"], V1);
    sources.extend([Source::File(bad.clone()), Source::File(none.clone())]);
    let error = house.runtime.load_set(&sources, &options).unwrap_err();
    let Error::Set { errors } = &error else { panic!("{error}") };
    assert_eq!(errors.iter().map(Error::code).collect::<Vec<_>>(), [Code::BadElf, Code::NotFound]);
    let words = error.to_string();
    assert!(words.contains(&*bad.to_string_lossy()) && words.contains(&*none.to_string_lossy()), "{words}");
    assert!(house.runtime.modules().is_empty() && house.log().is_empty());
    assert_eq!((house.runtime.images_mapped(), house.staged()), (0, 0));
    // The control: without the bad ones it is loaded.
    house.runtime.load_set(&sources[..1], &options).unwrap();
    assert_eq!(house.ask("hooks", "/"), told(V1));
}

#[test]
fn m_on_load_failing() {
    const THREE: [&str; 3] = ["hooks-a", "hooks-b", "hooks-c"];
    let house = House::new();
    house.load_set(&THREE[..2], V1).unwrap();
    // OTP takes no `on_load` in a set at all. Here all of them run, and one that fails fails the set.
    house.script("hooks-b", V2, "fail in vain\n");
    let error = house.load_set(&THREE, V2).unwrap_err();
    assert!(matches!(&error, Error::OnLoad { module, .. } if module == "hooks-b"), "{error}");
    let before = [Some(V1.to_owned()), Some(V1.to_owned()), None];
    assert_eq!(versions(&house, &THREE), before);
    assert_eq!((house.runtime.images_mapped(), house.staged()), (2, 2));
    assert_eq!(
        house.logged("load hooks-a 1.1.0"),
        house.logged("drop hooks-a 1.1.0"),
        "who had started has ended"
    );
    // Two that fail are both listed.
    house.script("hooks-c", V2, "panic in vain\n");
    let failed = [("hooks-b".to_owned(), Code::OnLoadFailed), ("hooks-c".to_owned(), Code::OnLoadFailed)];
    assert_eq!(members(&house.load_set(&THREE, V2).unwrap_err()), failed);
    assert_eq!(versions(&house, &THREE), before);
    // One whose `on_load` goes on is waited for, as long as the set may wait; then none has changed.
    house.script("hooks-b", V2, "hang go\n");
    house.script("hooks-c", V2, "");
    thread::scope(|scope| {
        let pending = scope.spawn(|| house.load("hooks-b", V2));
        until("its on_load runs", || house.logged("load hooks-b 1.1.0") == 3);
        let hurried = LoadOptions { deadline: SHORT, ..LoadOptions::default() };
        let error = house.runtime.load_set(&set(&THREE, V2), &hurried).unwrap_err();
        assert!(
            matches!(&error, Error::Deadline { module: Some(module), .. } if module == "hooks-b"),
            "{error}"
        );
        assert_eq!(versions(&house, &THREE), before);
        house.release("go");
        pending.join().unwrap().unwrap();
    });
    house.old_is_gone("hooks-b");
    // The control; and of one that is current already it says so.
    let loaded = house.load_set(&THREE, V2).unwrap();
    let outcomes: Vec<LoadOutcome> = loaded.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [LoadOutcome::Loaded, LoadOutcome::Unchanged, LoadOutcome::Loaded]);
    assert_eq!(versions(&house, &THREE), all_in(&THREE, V2));
}

#[test]
fn m_ensure_modules_loaded() {
    let house = House::new();
    let modules = ["hooks", "vetoes-load", "hooks-a", "panics-on-load", "sleeper", "impostor"];
    // Each for itself, all at once: the good ones are loaded, and of each bad one it is said why not.
    let loaded = thread::scope(|scope| {
        let loads = modules.map(|module| scope.spawn(|| house.load(module, V1)));
        loads.map(|load| load.join().unwrap().map(|loaded| loaded.outcome).map_err(|error| error.code()))
    });
    let (good, failed) = (Ok(LoadOutcome::Loaded), Err(Code::OnLoadFailed));
    assert_eq!(loaded, [good, failed, good, failed, good, Err(Code::NameMismatch)]);
    assert_eq!(house.runtime.modules().len(), 3);
    assert_eq!(house.refusals().len(), 3);
    assert_eq!(code(house.runtime.load_set(&set(&modules, V2), &LoadOptions::default())), Code::NameMismatch);
    assert_eq!(house.load("hooks", V1).unwrap().outcome, LoadOutcome::Unchanged, "and once more is nothing");
    assert_eq!(
        fixture("hooks", V1).display().to_string(),
        house.runtime.status("hooks").unwrap().current.unwrap().source
    );
}
