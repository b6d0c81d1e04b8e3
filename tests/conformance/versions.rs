//! Two versions side by side, and what is told of them.

use segue::{Code, Digest, LoadOutcome, OwnedCallGuard, VersionState};
use segue_tests::{SIX, V1, V2, fixture, names_in};

use crate::house::{House, LONG, SHORT, code, get, text, told};

#[test]
fn e_versions() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    let hooks = house.module("hooks");
    let first = hooks.enter().unwrap();
    house.load("hooks", V2).unwrap();
    let second = hooks.enter().unwrap();
    let both_answer = || {
        assert_eq!((text(first.call(&get("/"))), text(second.call(&get("/")))), (told(V1), told(V2)));
    };
    both_answer();
    // Where OTP says `not_purged` to the file that is current already, there is nothing to do here.
    assert_eq!(house.load("hooks", V2).unwrap().outcome, LoadOutcome::Unchanged);
    for third in [SIX[2], V1] {
        assert_eq!(code(house.load("hooks", third)), Code::NotPurged);
        both_answer();
    }
    assert_eq!(house.runtime.images_mapped(), 2, "a version that is refused leaves nothing in memory");
    drop((first, second));
    house.old_is_gone("hooks");
    assert!(!house.runtime.purge("hooks", LONG).unwrap().purged, "it has left by itself");
    assert!(house.runtime.delete("hooks").unwrap().deleted);
    house.old_is_gone("hooks");
    assert!(!house.runtime.purge("hooks", LONG).unwrap().purged);
    assert_eq!(house.runtime.images_mapped(), 0);
}

#[test]
fn k_upgrade() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    house.load("hooks-a", V1).unwrap();
    let hooks = house.module("hooks");
    // What is only in the first version, and what is only in the second: by an external call, and by another
    // module's.
    let external = || {
        let (first, second) = (format!("/in-{V1}"), format!("/in-{V2}"));
        let other = |path: &str| house.ask("hooks-a", &format!("/ask?module=hooks&path={path}"));
        let mine = [text(hooks.call(&get(&first))), text(hooks.call(&get(&second)))];
        assert_eq!(mine.clone().map(|it| it.ok()), [other(&first), other(&second)].map(|it| it.ok()));
        mine
    };
    let is_undefined = |answer: &Result<String, String>| {
        assert!(answer.as_ref().unwrap_err().contains("has no /in-"), "{answer:?}");
    };
    let inside_first = hooks.enter().unwrap();
    let closure = hooks.enter_owned().unwrap();
    let of = |guard: &OwnedCallGuard| text(guard.call(&get("/closure?n=0")));
    let [first, second] = external();
    assert_eq!(first, told(V1));
    is_undefined(&second);

    house.load("hooks", V2).unwrap();
    let [first, second] = external();
    is_undefined(&first);
    assert_eq!(second, told(V2));
    assert_eq!(
        text(inside_first.call(&get(&format!("/in-{V1}")))),
        told(V1),
        "a frame of the first is in the first"
    );
    assert_eq!(of(&closure).unwrap(), format!("0 of {V1}"));

    // A purge takes nothing from under a closure: in Erlang it would be a `badfun` from now on.
    drop(inside_first);
    let report = house.runtime.purge("hooks", SHORT).unwrap();
    assert_eq!((report.purged, report.lingering), (false, 1));
    assert_eq!(of(&closure).unwrap(), format!("0 of {V1}"));
    drop(closure);

    let inside_second = hooks.enter().unwrap();
    assert!(house.runtime.delete("hooks").unwrap().deleted);
    for nobody in external() {
        assert!(nobody.unwrap_err().contains("no current version"));
    }
    assert_eq!(text(inside_second.call(&get(&format!("/in-{V2}")))), told(V2));
    drop(inside_second);
    house.old_is_gone("hooks");
    house.load("hooks", V1).unwrap();
    assert_eq!(external()[0], told(V1));
}

#[test]
fn k_is_loaded() {
    let house = House::new();
    assert!(house.runtime.modules().is_empty());
    assert_eq!(code(house.runtime.status("hooks")), Code::NotFound);
    for module in ["till", "hooks", "sleeper"] {
        house.load(module, V1).unwrap();
    }
    house.load("hooks", V2).unwrap();
    house.old_is_gone("hooks");
    // A file that was refused is not loaded, and a module that is only called for is not either.
    assert_eq!(code(house.load("vetoes-load", V1)), Code::OnLoadFailed);
    house.load("desk", V1).unwrap();
    let all = house.runtime.modules();
    let names: Vec<&str> = all.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(names, ["desk", "hooks", "sleeper", "till"], "each once, and nothing else");
    for (module, version) in [("hooks", V2), ("sleeper", V1), ("till", V1)] {
        let current = house.runtime.status(module).unwrap().current.unwrap();
        assert_eq!((current.version.as_str(), current.status), (version, VersionState::Confirmed));
        assert_eq!(current.source, fixture(module, version).display().to_string());
    }
}

#[test]
fn k_module_status() {
    let house = House::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hooks.so");
    let put = |version| {
        // Each time a file with times, and an inode, of its own.
        let _ = std::fs::remove_file(&file);
        std::fs::copy(fixture("hooks", version), &file).unwrap();
    };
    let digest = || Digest::of(&std::fs::read(&file).unwrap());
    let loaded = || house.runtime.status("hooks").unwrap().current.unwrap().digest;
    put(V1);
    house.runtime.load(&file).unwrap();
    assert_eq!(digest(), loaded());
    // Removed: what is loaded is loaded.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(house.ask("hooks", "/"), told(V1));
    assert_eq!(code(house.runtime.load(&file)), Code::NotFound);
    // There again, the same: loaded. Touched: loaded.
    put(V1);
    assert_eq!(house.runtime.load(&file).unwrap().outcome, LoadOutcome::Unchanged);
    let touch = std::fs::File::options().write(true).open(&file).unwrap();
    touch.set_modified(std::time::SystemTime::now()).unwrap();
    drop(touch);
    assert_eq!(house.runtime.load(&file).unwrap().outcome, LoadOutcome::Unchanged);
    // Another: modified, until it is loaded.
    put(V2);
    assert_ne!(digest(), loaded());
    assert_eq!(house.runtime.load(&file).unwrap().outcome, LoadOutcome::Loaded);
    assert_eq!(digest(), loaded());
}

#[test]
fn k_object_code() {
    let house = House::new();
    let loaded = house.load("hooks", V1).unwrap();
    let bytes = std::fs::read(fixture("hooks", V1)).unwrap();
    assert_eq!(loaded.digest, Digest::of(&bytes));
    let current = house.runtime.status("hooks").unwrap().current.unwrap();
    assert_eq!(current.source, fixture("hooks", V1).display().to_string(), "where_is_file");
    let images = house.state.path().join("images");
    let names = names_in(&images);
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(loaded.digest.to_string().ends_with(names[0].trim_end_matches(".so")), "{names:?}");
    assert_eq!(std::fs::read(images.join(&names[0])).unwrap(), bytes, "the file as it was offered");
}

#[test]
fn e_t_check_old_code() {
    let house = House::new();
    let has_old = || house.runtime.status("hooks").unwrap().old.is_some();
    house.load("hooks", V1).unwrap();
    assert!(!has_old(), "one version");
    let inside = house.module("hooks").enter_owned().unwrap();
    house.load("hooks", V2).unwrap();
    assert!(has_old());
    drop(inside);
    house.old_is_gone("hooks");
    let inside = house.module("hooks").enter_owned().unwrap();
    house.runtime.delete("hooks").unwrap();
    assert!(has_old(), "of a module that was deleted, too");
    drop(inside);
    house.old_is_gone("hooks");
    let status = house.runtime.status("hooks").unwrap();
    assert!(status.current.is_none() && status.quarantined.is_empty());
}

#[test]
fn e_fun_confusion() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    let hooks = house.module("hooks");
    let first = hooks.enter_owned().unwrap();
    house.load("hooks", V2).unwrap();
    let second = hooks.enter_owned().unwrap();
    // The same table of closures, at the same numbers, in turns.
    for n in (0..4).chain((0..4).rev()) {
        let target = format!("/closure?n={n}");
        assert_eq!(text(second.call(&get(&target))).unwrap(), format!("{n} of {V2}"));
        assert_eq!(text(first.call(&get(&target))).unwrap(), format!("{n} of {V1}"));
    }
    drop(first);
    house.old_is_gone("hooks");
    assert_eq!(text(second.call(&get("/closure?n=1"))).unwrap(), format!("1 of {V2}"));
}
