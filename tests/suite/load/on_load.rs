//! The `on_load` of a first version: callers wait for it, modules call each other in it, and one that fails
//! leaves nothing.

use std::{fs, path::Path, thread};

use segue::{Code, Event, LoadOptions, Phase, Source, Step};
use segue_tests::{
    LONG, SHORT, TestHost, V1, V2, fixture, get, hooks_answer, refusal, response_text, script_in, set_of,
    until,
};
use tempfile::TempDir;

/// A host whose callers wait for a first version without a limit that matters.
fn patient_host() -> TestHost {
    TestHost::with(|builder| builder.first_version_timeout(LONG))
}

#[test]
fn otp_13_first_callers_wait_for_a_chain_of_on_loads() {
    const CALLERS: usize = 150;
    const CHAIN: [&str; 3] = ["hooks-a", "hooks-b", "hooks-c"];
    let host = patient_host();
    host.script("hooks-a", V1, "call hooks-b /\n");
    host.script("hooks-b", V1, "call hooks-c /\n");
    host.script("hooks-c", V1, "hang go\n");
    thread::scope(|scope| {
        let host = &host;
        // The end of the chain first: a call loads nothing.
        let begin = |module| {
            let load = scope.spawn(move || host.load(module, V1));
            until("its on_load runs", || host.logged(&format!("load {module} ")) == 1);
            load
        };
        let loads: Vec<_> = CHAIN.into_iter().rev().map(begin).collect();
        let callers: Vec<_> =
            (0..CALLERS).map(|n| scope.spawn(move || host.ask(CHAIN[n % CHAIN.len()], "/"))).collect();
        thread::sleep(SHORT);
        assert!(!callers.iter().any(|caller| caller.is_finished()), "no caller has an answer yet");
        host.release("go");
        for caller in callers {
            assert_eq!(caller.join().unwrap(), hooks_answer(V1));
        }
        loads.into_iter().for_each(|load| drop(load.join().unwrap().unwrap()));
    });
    assert_eq!(host.logged("load"), CHAIN.len(), "each was started once: {:?}", host.log());
    // Each got the answer of the next one, which was not current when it asked.
    assert_eq!(host.ask("hooks-a", "/remembered"), hooks_answer(V1));
    assert_eq!(host.ask("hooks-b", "/remembered"), hooks_answer(V1));
    assert!(host.refusals().is_empty());
}

#[test]
fn otp_13_two_on_loads_that_call_each_other_do_not_deadlock() {
    // The call that would close the cycle fails: the other module has no current version. Neither waits for
    // ever.
    let host = patient_host();
    host.script("hooks-a", V1, "hang both\ncall hooks-b /\n");
    host.script("hooks-b", V1, "hang both\ncall hooks-a /\n");
    thread::scope(|scope| {
        let loads = ["hooks-a", "hooks-b"].map(|module| scope.spawn(|| host.load(module, V1)));
        until("both run", || host.logged("load") == 2);
        host.release("both");
        loads.into_iter().for_each(|load| drop(load.join().unwrap().unwrap()));
    });
    let remembered = ["hooks-a", "hooks-b"].map(|module| host.ask(module, "/remembered").unwrap());
    let failed = remembered.iter().filter(|it| it.contains("no current version")).count();
    assert_eq!(failed, 1, "one waited for the other: {remembered:?}");
    assert!(remembered.iter().any(|it| *it == hooks_answer(V1).unwrap()), "{remembered:?}");
}

#[test]
fn otp_13_members_of_a_set_do_not_wait_for_each_other() {
    // The members of a set do not wait for each other, because they become current together.
    let host = patient_host();
    host.script("hooks-a", V1, "call hooks-b /\n");
    host.script("hooks-b", V1, "call hooks-a /\n");
    host.load_set(&["hooks-a", "hooks-b"], V1).unwrap();
    for module in ["hooks-a", "hooks-b"] {
        let remembered = host.ask(module, "/remembered").unwrap();
        assert!(remembered.contains("no current version"), "{remembered}");
    }
}

#[test]
fn otp_14_callers_of_an_image_from_bytes_wait_for_its_on_load() {
    let host = patient_host();
    host.script("hooks", V1, "hang go\n");
    let digest = host.runtime.put_image(&fs::read(fixture("hooks", V1)).unwrap()).unwrap();
    thread::scope(|scope| {
        let load = scope.spawn(|| host.runtime.load_with(&Source::Stored(digest), &LoadOptions::default()));
        until("its on_load runs", || host.logged("load") == 1);
        let second = scope.spawn(|| host.ask("hooks", "/"));
        thread::sleep(SHORT);
        assert!(!second.is_finished() && !load.is_finished());
        host.release("go");
        assert_eq!(second.join().unwrap(), hooks_answer(V1));
        load.join().unwrap().unwrap();
    });
    assert!(host.runtime.delete("hooks").unwrap().deleted);
    host.wait_until_old_is_gone("hooks");
    assert!(!host.runtime.purge("hooks", LONG).unwrap().purged, "it was unloaded without a purge");
    assert_eq!((host.logged("drop"), host.runtime.images_mapped()), (1, 0));
    // Control: a caller gives up after the timeout.
    let host = TestHost::with(|builder| builder.first_version_timeout(SHORT));
    host.script("hooks", V1, "hang go\n");
    thread::scope(|scope| {
        let load = scope.spawn(|| host.load("hooks", V1));
        until("its on_load runs", || host.logged("load") == 1);
        assert!(host.ask("hooks", "/").is_err());
        host.release("go");
        load.join().unwrap().unwrap();
    });
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
}

#[test]
fn otp_14_first_callers_wait_until_the_version_is_current() {
    // That its `on_load` has succeeded is not enough.
    for phase in [Phase::Started, Phase::Stored, Phase::Recorded] {
        let host = patient_host();
        host.script("hooks", V1, "hang go\n");
        thread::scope(|scope| {
            let load = scope.spawn(|| host.load("hooks", V1));
            until("its on_load runs", || host.logged("load") == 1);
            let hooks = host.module("hooks");
            let caller = scope.spawn(move || response_text(hooks.call(&get("/"))));
            host.gate.close("hooks", phase);
            host.release("go");
            host.gate.wait_for_version();
            thread::sleep(SHORT);
            assert!(!caller.is_finished(), "{phase:?}");
            host.gate.open();
            assert_eq!(caller.join().unwrap(), hooks_answer(V1));
            load.join().unwrap().unwrap();
        });
    }
}

/// Puts three modules into a modules directory before a runtime watches it.
fn drop_in_three(modules: &Path) {
    for module in ["hooks-a", "hooks-b", "hooks-c"] {
        let name = fixture(module, V1).file_name().unwrap().to_owned();
        fs::copy(fixture(module, V1), modules.join(name)).unwrap();
    }
}

#[test]
fn otp_15_a_start_serves_the_modules_whose_on_load_succeeds() {
    let (modules, state) = (tempfile::tempdir().unwrap(), TempDir::new().unwrap());
    drop_in_three(modules.path());
    script_in(state.path(), "hooks-b", V1, "fail at boot\n");
    let host = TestHost::in_state(state, |builder| builder.modules_dir(modules.path()));
    // All have run before the runtime serves. If one fails, OTP does not boot; here the failure is recorded
    // and the others serve.
    assert_eq!(host.logged("load"), 3, "{:?}", host.log());
    assert_eq!(host.refusals(), [Code::OnLoadFailed]);
    assert_eq!(
        ["hooks-a", "hooks-c"].map(|module| host.ask(module, "/")),
        [hooks_answer(V1), hooks_answer(V1)]
    );
    assert!(host.ask("hooks-b", "/").is_err());
}

#[test]
fn otp_15_a_start_finds_modules_in_any_order() {
    // At a start, every module is known before the first `on_load` runs. An `on_load` may call a module that
    // is loaded after it.
    let (modules, state) = (tempfile::tempdir().unwrap(), TempDir::new().unwrap());
    drop_in_three(modules.path());
    fs::create_dir_all(state.path().join("hooks")).unwrap();
    script_in(state.path(), "hooks-a", V1, "call hooks-b /\n");
    script_in(state.path(), "hooks-b", V1, "call hooks-c /\n");
    let host = TestHost::in_state(state, |builder| builder.modules_dir(modules.path()));
    let remembered = |host: &TestHost| ["hooks-a", "hooks-b"].map(|module| host.ask(module, "/remembered"));
    assert_eq!(remembered(&host), [hooks_answer(V1), hooks_answer(V1)], "loaded from the modules directory");
    // A restore is in the order of names, so `hooks-a` is the first.
    let host = host.restarted();
    assert_eq!(remembered(&host), [hooks_answer(V1), hooks_answer(V1)], "restored from the ledger");
    assert!(host.refusals().is_empty());
}

#[test]
fn otp_16_an_on_load_that_fails_leaves_nothing() {
    let modules = tempfile::tempdir().unwrap();
    let host = TestHost::with(|builder| builder.modules_dir(modules.path()));
    let (file, other) = (fixture("hooks", V1), fixture("hooks-a", V1));
    let digest = host.runtime.put_image(&fs::read(&file).unwrap()).unwrap();
    let stored = Source::Stored(digest);
    let options = LoadOptions::default();
    let mut expected = 0;
    for script in ["fail on purpose\n", "panic on purpose\n", "something else\n"] {
        host.script("hooks", V1, script);
        let refused = [
            host.runtime.load(&file).map(drop),
            host.runtime.load_with(&stored, &options).map(drop),
            host.runtime.load_set(std::slice::from_ref(&stored), &options).map(drop),
            host.runtime.load_set(&[Source::File(other.clone()), stored.clone()], &options).map(drop),
        ];
        for error in refused.map(Result::unwrap_err) {
            assert_eq!(
                (error.code(), error.step(), error.module()),
                (Code::OnLoadFailed, Some(Step::OnLoad), Some("hooks"))
            );
        }
        // The same file in the modules directory.
        fs::copy(&file, modules.path().join("libhooks.so")).unwrap();
        expected += 5;
        until("the file in the modules directory is refused too", || host.refusals().len() >= expected);
        assert_eq!(host.refusals(), vec![Code::OnLoadFailed; expected], "each refusal is recorded once");
        fs::remove_file(modules.path().join("libhooks.so")).unwrap();
        assert_eq!(
            refusal(host.runtime.module("hooks").map(drop)),
            Code::NotFound,
            "there is no such module"
        );
        assert!(host.runtime.modules().is_empty(), "the other member of the set is not loaded either");
        assert_eq!((host.runtime.images_mapped(), host.staged()), (0, 0));
    }
    // An `on_load` that hangs times out, and that is recorded once. The version is unloaded when it returns,
    // whatever it returns.
    for (module, last_step) in [("hooks-b", ""), ("hooks-c", "fail after all\n")] {
        host.script(module, V1, &format!("hang {module}\n{last_step}"));
        let options = LoadOptions { deadline: SHORT * 4, ..LoadOptions::default() };
        let error = host.runtime.load_set(&set_of(&[module], V1), &options).unwrap_err();
        assert_eq!((error.code(), error.step()), (Code::Deadline, Some(Step::OnLoad)));
        assert_eq!(host.refusals().len(), expected + 1);
        expected += 1;
        assert_eq!(host.runtime.status(module).unwrap().quarantined.len(), 1);
        assert!(host.ask(module, "/").unwrap_err().contains("no current version"));
        host.release(module);
        until("it is unloaded", || host.runtime.images_mapped() == 0);
    }
    // Control: without a script, the same file is loaded.
    host.script("hooks", V1, "");
    host.runtime.load(&file).unwrap();
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
}

#[test]
fn otp_19_an_on_load_that_calls_its_own_module_reaches_the_version_before() {
    let host = patient_host();
    host.script("hooks", V1, "call hooks /\n");
    host.script("hooks", V2, "call hooks /\n");
    host.load("hooks", V1).unwrap();
    let remembered = host.ask("hooks", "/remembered").unwrap();
    assert!(remembered.starts_with("error: ") && remembered.contains("no current version"), "{remembered}");
    host.load("hooks", V2).unwrap();
    assert_eq!(host.ask("hooks", "/remembered"), hooks_answer(V1), "the version before it answered");
    host.wait_until_old_is_gone("hooks");
    // An `on_load` that calls and then fails leaves no call inside.
    host.script("hooks", V1, "call hooks /\nfail on purpose\n");
    assert_eq!(refusal(host.load("hooks", V1)), Code::OnLoadFailed);
    assert_eq!(
        (host.calls_inside("hooks"), response_text(host.module("hooks").call(&get("/")))),
        (0, hooks_answer(V2))
    );
    let purged = host.events().iter().filter(|event| matches!(event, Event::Purged { .. })).count();
    assert_eq!(purged, 1, "a version that was never current is not recorded as purged");
}
