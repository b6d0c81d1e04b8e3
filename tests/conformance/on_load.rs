//! First starts: who calls meanwhile, who calls whom, and what is left where one fails.

use std::{fs, path::Path, thread};

use segue::{Code, Event, LoadOptions, Phase, Source, Step};
use segue_tests::{V1, V2, fixture, until};
use tempfile::TempDir;

use crate::house::{House, LONG, SHORT, code, get, script_in, set, text, told};

/// Callers wait for a first version as long as it takes.
fn patient_house() -> House {
    House::built(|builder| builder.first_version_timeout(LONG))
}

#[test]
fn k_on_load() {
    const CALLERS: usize = 150;
    const CHAIN: [&str; 3] = ["hooks-a", "hooks-b", "hooks-c"];
    let house = patient_house();
    house.script("hooks-a", V1, "call hooks-b /\n");
    house.script("hooks-b", V1, "call hooks-c /\n");
    house.script("hooks-c", V1, "hang go\n");
    thread::scope(|scope| {
        let house = &house;
        // From its end, since nobody is loaded by being called.
        let begin = |module| {
            let load = scope.spawn(move || house.load(module, V1));
            until("its on_load runs", || house.logged(&format!("load {module} ")) == 1);
            load
        };
        let loads: Vec<_> = CHAIN.into_iter().rev().map(begin).collect();
        let callers: Vec<_> =
            (0..CALLERS).map(|n| scope.spawn(move || house.ask(CHAIN[n % CHAIN.len()], "/"))).collect();
        thread::sleep(SHORT);
        assert!(!callers.iter().any(|caller| caller.is_finished()), "nobody has anything to answer yet");
        house.release("go");
        for caller in callers {
            assert_eq!(caller.join().unwrap(), told(V1));
        }
        loads.into_iter().for_each(|load| drop(load.join().unwrap().unwrap()));
    });
    assert_eq!(house.logged("load"), CHAIN.len(), "each was started once: {:?}", house.log());
    // And each was answered by the next one, which had not been current when it asked.
    assert_eq!(house.ask("hooks-a", "/remembered"), told(V1));
    assert_eq!(house.ask("hooks-b", "/remembered"), told(V1));
    assert!(house.refusals().is_empty());
}

#[test]
fn k_on_load_in_a_circle() {
    // Two whose first starts call each other: who would close the circle is told that there is nobody, and
    // none waits in vain.
    let house = patient_house();
    house.script("hooks-a", V1, "hang both\ncall hooks-b /\n");
    house.script("hooks-b", V1, "hang both\ncall hooks-a /\n");
    thread::scope(|scope| {
        let loads = ["hooks-a", "hooks-b"].map(|module| scope.spawn(|| house.load(module, V1)));
        until("both run", || house.logged("load") == 2);
        house.release("both");
        loads.into_iter().for_each(|load| drop(load.join().unwrap().unwrap()));
    });
    let remembered = ["hooks-a", "hooks-b"].map(|module| house.ask(module, "/remembered").unwrap());
    let of_nobody = remembered.iter().filter(|it| it.contains("no current version")).count();
    assert_eq!(of_nobody, 1, "one waited for the other: {remembered:?}");
    assert!(remembered.iter().any(|it| *it == told(V1).unwrap()), "{remembered:?}");
}

#[test]
fn k_on_load_in_a_set() {
    // The members of a set do not wait for each other's first version: they become current together.
    let house = patient_house();
    house.script("hooks-a", V1, "call hooks-b /\n");
    house.script("hooks-b", V1, "call hooks-a /\n");
    house.load_set(&["hooks-a", "hooks-b"], V1).unwrap();
    for module in ["hooks-a", "hooks-b"] {
        let remembered = house.ask(module, "/remembered").unwrap();
        assert!(remembered.contains("no current version"), "{remembered}");
    }
}

#[test]
fn k_on_load_binary() {
    let house = patient_house();
    house.script("hooks", V1, "hang go\n");
    let digest = house.runtime.put_image(&fs::read(fixture("hooks", V1)).unwrap()).unwrap();
    thread::scope(|scope| {
        let load = scope.spawn(|| house.runtime.load_with(&Source::Stored(digest), &LoadOptions::default()));
        until("its on_load runs", || house.logged("load") == 1);
        let second = scope.spawn(|| house.ask("hooks", "/"));
        thread::sleep(SHORT);
        assert!(!second.is_finished() && !load.is_finished());
        house.release("go");
        assert_eq!(second.join().unwrap(), told(V1));
        load.join().unwrap().unwrap();
    });
    assert!(house.runtime.delete("hooks").unwrap().deleted);
    house.old_is_gone("hooks");
    assert!(!house.runtime.purge("hooks", LONG).unwrap().purged, "it went by itself");
    assert_eq!((house.logged("drop"), house.runtime.images_mapped()), (1, 0));
    // The control: where nobody comes, whoever waits is told so in the end.
    let house = House::built(|builder| builder.first_version_timeout(SHORT));
    house.script("hooks", V1, "hang go\n");
    thread::scope(|scope| {
        let load = scope.spawn(|| house.load("hooks", V1));
        until("its on_load runs", || house.logged("load") == 1);
        assert!(house.ask("hooks", "/").is_err());
        house.release("go");
        load.join().unwrap().unwrap();
    });
    assert_eq!(house.ask("hooks", "/"), told(V1));
}

#[test]
fn k_on_load_between_its_end_and_the_publish() {
    // Who waits for the first version waits until it is current: its `on_load` has agreed, and that alone is
    // not enough.
    for phase in [Phase::Started, Phase::Stored, Phase::Recorded] {
        let house = patient_house();
        house.script("hooks", V1, "hang go\n");
        thread::scope(|scope| {
            let load = scope.spawn(|| house.load("hooks", V1));
            until("its on_load runs", || house.logged("load") == 1);
            let hooks = house.module("hooks");
            let caller = scope.spawn(move || text(hooks.call(&get("/"))));
            house.gate.close("hooks", phase);
            house.release("go");
            house.gate.holds();
            thread::sleep(SHORT);
            assert!(!caller.is_finished(), "{phase:?}");
            house.gate.open();
            assert_eq!(caller.join().unwrap(), told(V1));
            load.join().unwrap().unwrap();
        });
    }
}

/// Puts three modules into a modules directory that nobody watches yet.
fn drop_in_three(modules: &Path) {
    for module in ["hooks-a", "hooks-b", "hooks-c"] {
        let name = fixture(module, V1).file_name().unwrap().to_owned();
        fs::copy(fixture(module, V1), modules.join(name)).unwrap();
    }
}

#[test]
fn k_on_load_embedded() {
    let (modules, state) = (tempfile::tempdir().unwrap(), TempDir::new().unwrap());
    drop_in_three(modules.path());
    script_in(state.path(), "hooks-b", V1, "fail at boot\n");
    let house = House::in_state(state, |builder| builder.modules_dir(modules.path()));
    // All have run before anybody is served. Where one fails, OTP does not boot; here it is told, and the
    // others serve.
    assert_eq!(house.logged("load"), 3, "{:?}", house.log());
    assert_eq!(house.refusals(), [Code::OnLoadFailed]);
    assert_eq!(["hooks-a", "hooks-c"].map(|module| house.ask(module, "/")), [told(V1), told(V1)]);
    assert!(house.ask("hooks-b", "/").is_err());
}

#[test]
fn k_on_load_embedded_in_any_order() {
    // At a start each is known to be coming before any has started: whom one calls in its start may come
    // after it.
    let (modules, state) = (tempfile::tempdir().unwrap(), TempDir::new().unwrap());
    drop_in_three(modules.path());
    fs::create_dir_all(state.path().join("hooks")).unwrap();
    script_in(state.path(), "hooks-a", V1, "call hooks-b /\n");
    script_in(state.path(), "hooks-b", V1, "call hooks-c /\n");
    let house = House::in_state(state, |builder| builder.modules_dir(modules.path()));
    let remembered = |house: &House| ["hooks-a", "hooks-b"].map(|module| house.ask(module, "/remembered"));
    assert_eq!(remembered(&house), [told(V1), told(V1)], "of files that lie there");
    // Of what the ledger knows: by their names `hooks-a` is the first.
    let house = house.restarted();
    assert_eq!(remembered(&house), [told(V1), told(V1)], "and of what is restored");
    assert!(house.refusals().is_empty());
}

#[test]
fn k_on_load_errors() {
    let modules = tempfile::tempdir().unwrap();
    let house = House::built(|builder| builder.modules_dir(modules.path()));
    let (file, other) = (fixture("hooks", V1), fixture("hooks-a", V1));
    let digest = house.runtime.put_image(&fs::read(&file).unwrap()).unwrap();
    let stored = Source::Stored(digest);
    let options = LoadOptions::default();
    let mut expected = 0;
    for script in ["fail in vain\n", "panic in vain\n", "something else\n"] {
        house.script("hooks", V1, script);
        let refused = [
            house.runtime.load(&file).map(drop),
            house.runtime.load_with(&stored, &options).map(drop),
            house.runtime.load_set(std::slice::from_ref(&stored), &options).map(drop),
            house.runtime.load_set(&[Source::File(other.clone()), stored.clone()], &options).map(drop),
        ];
        for error in refused.map(Result::unwrap_err) {
            assert_eq!(
                (error.code(), error.step(), error.module()),
                (Code::OnLoadFailed, Some(Step::OnLoad), Some("hooks"))
            );
        }
        // And by way of the modules directory.
        fs::copy(&file, modules.path().join("libhooks.so")).unwrap();
        expected += 5;
        until("the file there is refused too", || house.refusals().len() >= expected);
        assert_eq!(house.refusals(), vec![Code::OnLoadFailed; expected], "each of them is told once");
        fs::remove_file(modules.path().join("libhooks.so")).unwrap();
        assert_eq!(code(house.runtime.module("hooks").map(drop)), Code::NotFound, "there is no such module");
        assert!(house.runtime.modules().is_empty(), "nor the other one of the set");
        assert_eq!((house.runtime.images_mapped(), house.staged()), (0, 0));
    }
    // One that hangs: its time is over, and it is told as such, once. It leaves when it comes to its end,
    // whatever that is.
    for (module, end) in [("hooks-b", ""), ("hooks-c", "fail after all\n")] {
        house.script(module, V1, &format!("hang {module}\n{end}"));
        let hurried = LoadOptions { deadline: SHORT * 4, ..LoadOptions::default() };
        let error = house.runtime.load_set(&set(&[module], V1), &hurried).unwrap_err();
        assert_eq!((error.code(), error.step()), (Code::Deadline, Some(Step::OnLoad)));
        assert_eq!(house.refusals().len(), expected + 1);
        expected += 1;
        assert_eq!(house.runtime.status(module).unwrap().quarantined.len(), 1);
        assert!(house.ask(module, "/").unwrap_err().contains("no current version"));
        house.release(module);
        until("it has left", || house.runtime.images_mapped() == 0);
    }
    // The control: without a word about it the same file is loaded.
    house.script("hooks", V1, "");
    house.runtime.load(&file).unwrap();
    assert_eq!(house.ask("hooks", "/"), told(V1));
}

#[test]
fn k_on_load_self_call() {
    let house = patient_house();
    house.script("hooks", V1, "call hooks /\n");
    house.script("hooks", V2, "call hooks /\n");
    house.load("hooks", V1).unwrap();
    let remembered = house.ask("hooks", "/remembered").unwrap();
    assert!(remembered.starts_with("error: ") && remembered.contains("no current version"), "{remembered}");
    house.load("hooks", V2).unwrap();
    assert_eq!(house.ask("hooks", "/remembered"), told(V1), "the version before it has answered");
    house.old_is_gone("hooks");
    // One that does so and fails leaves no call inside.
    house.script("hooks", V1, "call hooks /\nfail in vain\n");
    assert_eq!(code(house.load("hooks", V1)), Code::OnLoadFailed);
    assert_eq!((house.inside("hooks"), text(house.module("hooks").call(&get("/")))), (0, told(V2)));
    let purged = house.events().iter().filter(|event| matches!(event, Event::Purged { .. })).count();
    assert_eq!(purged, 1, "what never was current is not told as purged");
}
