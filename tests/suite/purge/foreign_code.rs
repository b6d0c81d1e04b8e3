//! C and C++ in a module, and external libraries: none of the module's code runs after its version is
//! unloaded.

use std::{fs, os::unix::process::ExitStatusExt, path::Path, process::Command, thread, time::Duration};

use segue::{Code, Event, Pin, PinKind, Runtime};
use segue_tests::{
    TestHost, V1, V2, call_with, dies_in_child, fixture, in_child, until, version_of_round, within,
};
use tempfile::TempDir;

use super::{has_handler, wait_until_one_version_is_left};

#[test]
fn a_call_of_unloaded_code_is_attributed_to_the_unloaded_version_and_blocks_nothing() {
    let start = |home: &Path| Runtime::builder().state_dir(home.join("state")).build().unwrap();
    let dead = dies_in_child(&[], |home| {
        let runtime = start(home);
        runtime.load(fixture("holder", V1)).unwrap();
        let module = runtime.module("holder").unwrap();
        call_with(&module, "do=chain-past");
        runtime.load(fixture("holder", V2)).unwrap();
        // Its handler calls that of the first version, which is now unloaded.
        call_with(&module, "do=chain-past");
        wait_until_one_version_is_left(&runtime);
        // Later images are not mapped at the same addresses.
        for round in 0..8 {
            runtime.load(fixture("greeter", version_of_round(round))).unwrap();
        }
        thread::sleep(Duration::from_millis(20));
        call_with(&module, "do=raise");
    });
    assert_eq!(dead.status.signal(), Some(libc::SIGSEGV), "{}", dead.stderr);
    let runtime = start(dead.directory.path());
    let history = runtime.history(None, 100).unwrap();
    let crashes: Vec<_> = history
        .iter()
        .filter_map(|record| match &record.event {
            Event::Crashed { module, version, place, left_ms, .. } => {
                Some((module.clone()?, version.clone()?.version, place.clone()?, (*left_ms)?))
            }
            _ => None,
        })
        .collect();
    let [(module, version, place, left_ms)] = &crashes[..] else { panic!("{history:?}") };
    assert_eq!((&**module, &**version), ("holder", V1), "the unloaded version, not its caller");
    assert!(place.contains("on_chained_signal") && *left_ms >= 20, "{place} {left_ms}");
    assert!(runtime.blocked().unwrap().is_empty());
    let holder = runtime.module("holder").unwrap();
    assert_eq!(holder.enter().unwrap().version().version, V2);
}

#[test]
fn c11_threads_are_listed_and_waited_for() {
    in_child(|| {
        let (host, module) = TestHost::serving("c-library");
        assert_eq!(call_with(&module, "join=42"), "-42", "the result of a thread may be negative");
        for round in 1..=10 {
            let end = host.state.path().join(format!("end-{round}"));
            assert_eq!(call_with(&module, &format!("detach={}", end.display())), "0");
            host.load("c-library", version_of_round(round)).unwrap();
            let held = within("its thread is listed", || {
                let held = host.runtime.pins("c-library").unwrap().held;
                held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Thread))
            });
            assert!(held.pins[0].detail.contains("started by c-library.g"), "{held:?}");
            fs::write(&end, "").unwrap();
            wait_until_one_version_is_left(&host.runtime);
        }
    });
}

#[test]
fn a_module_with_cpp_is_unloaded_after_its_thread_locals_and_threads() {
    in_child(|| {
        let (host, module) = TestHost::serving("cpp-inside");
        let file = host.state.path().join("notes");
        for round in 1..=10 {
            let (caller, query) = (module.clone(), format!("file={}", file.display()));
            thread::spawn(move || assert_eq!(call_with(&caller, &query), "42")).join().unwrap();
            // One line from the thread of the host, one from the thread that the library started.
            assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2 * round);
            call_with(&module, "detach=200");
            host.load("cpp-inside", version_of_round(round)).unwrap();
            wait_until_one_version_is_left(&host.runtime);
        }
    });
}

#[test]
fn a_module_that_links_an_external_library_is_kept_with_the_reason() {
    const ROUNDS: usize = 20;
    in_child(|| {
        let (host, module) = TestHost::serving("cpp-outside");
        assert_eq!(host.runtime.status("cpp-outside").unwrap().releases_left, None);
        for round in 1..=ROUNDS {
            // Its thread runs in code of the old version for a while, unknown to the runtime.
            call_with(&module, "detach=200");
            host.load("cpp-outside", version_of_round(round)).unwrap();
            until("the old version is kept", || {
                let status = host.runtime.status("cpp-outside").unwrap();
                status.old.is_none() && status.quarantined.len() == round
            });
        }
        assert_eq!(host.runtime.images_mapped(), ROUNDS + 1);
        let status = host.runtime.status("cpp-outside").unwrap();
        assert!(status.releases_left.is_some_and(|left| left > 0), "{status:?}");
        let pin = &status.quarantined[0].pins[0];
        assert_eq!(pin.kind, PinKind::Library);
        assert!(pin.detail.starts_with("kept: links libstdc++.so.6"), "{pin:?}");
        assert!(host.runtime.kept_bytes() > 0);
    });
}

#[test]
fn threads_of_an_external_library_are_listed_while_they_run() {
    in_child(|| {
        let host = TestHost::new();
        host.load("cpp-outside", V1).unwrap();
        call_with(&host.module("cpp-outside"), "detach=4000");
        // The second version has no such thread, and is kept too.
        for version in [V2, V1] {
            host.load("cpp-outside", version).unwrap();
        }
        let threads_of = |generation: usize| -> Option<Vec<Pin>> {
            let mut held = host.runtime.pins("cpp-outside").unwrap().held;
            held.retain(|held| held.pins.first().is_some_and(|pin| pin.kind == PinKind::Library));
            held.sort_by_key(|held| held.generation);
            let pins = held.into_iter().nth(generation)?.pins;
            Some(pins.into_iter().filter(|pin| pin.kind == PinKind::Thread).collect())
        };
        assert_eq!(
            within("both versions are kept", || threads_of(1)),
            [],
            "the second version has no thread"
        );
        let threads = threads_of(0).unwrap();
        let [thread] = &threads[..] else { panic!("{threads:?}") };
        assert!(thread.detail.contains("(cpp-worker)"), "{thread:?}");
        assert!(thread.detail.contains("started by libstdc++.so.6 or by this module"), "{thread:?}");
        until("the thread has ended and is no longer listed", || threads_of(0).unwrap().is_empty());
        assert_eq!(host.runtime.images_mapped(), 3);
    });
}

#[test]
fn a_module_that_promises_too_much_is_still_waited_for() {
    in_child(|| {
        let host = TestHost::new();
        host.load("cpp-promised", V1).unwrap();
        call_with(&host.module("cpp-promised"), "past-the-sdk=2000");
        host.load("cpp-promised", V2).unwrap();
        let thread = within("its thread is listed", || {
            let held = host.runtime.pins("cpp-promised").unwrap().held;
            held.into_iter().flat_map(|held| held.pins).find(|pin| pin.kind == PinKind::Thread)
        });
        assert!(thread.detail.contains("in a way that the runtime does not track"), "{thread:?}");
        wait_until_one_version_is_left(&host.runtime);
    });
}

#[test]
fn handlers_registered_by_c_code_do_not_run_after_the_unload() {
    let dead = dies_in_child(&[], |directory| {
        let host = TestHost::new();
        let file = directory.join("notes");
        host.load("c-library", version_of_round(0)).unwrap();
        assert!(has_handler(libc::SIGUSR1), "a constructor installed the handler");
        for round in 1..=20 {
            let module = host.module("c-library");
            assert_eq!(call_with(&module, &format!("leave=1&file={}", file.display())), "0");
            host.load("c-library", version_of_round(round)).unwrap();
            wait_until_one_version_is_left(&host.runtime);
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert_eq!(lines, round, "the exit handler has run");
            // A fork calls the handlers of `pthread_atfork`.
            assert!(Command::new("true").status().unwrap().success());
            assert!(
                has_handler(libc::SIGUSR1) && !has_handler(libc::SIGUSR2),
                "only the handler of the next version is left"
            );
        }
        // The end of the process would run exit handlers; this exits past the test program.
        std::process::exit(7);
    });
    assert_eq!(dead.status.code(), Some(7), "{} {}", dead.stdout, dead.stderr);
}

#[test]
fn the_memory_of_kept_versions_is_limited() {
    let state = TempDir::new().unwrap();
    let runtime = Runtime::builder().state_dir(state.path()).kept_bytes_max(1).build().unwrap();
    let load = |version| runtime.load(fixture("cpp-outside", version));
    load(V1).unwrap();
    load(V2).unwrap();
    until("the first version is kept", || runtime.status("cpp-outside").unwrap().releases_left == Some(0));
    let refused = load(V1).unwrap_err();
    assert_eq!(refused.code(), Code::NotPurged);
    assert!(refused.to_string().contains("one more would exceed the 1 allowed"), "{refused}");
    // A module whose versions are unloaded is not limited.
    runtime.load(fixture("holder", V1)).unwrap();
    runtime.load(fixture("holder", V2)).unwrap();
}

#[test]
fn a_module_whose_author_promises_it_is_unloaded_and_its_library_stays() {
    in_child(|| {
        let library = || fs::read_to_string("/proc/self/maps").unwrap().matches("libstdc++.so").count();
        let host = TestHost::new();
        assert_eq!(library(), 0, "the test itself has no C++");
        host.load("cpp-promised", V1).unwrap();
        let module = host.module("cpp-promised");
        for round in 1..=10 {
            assert_eq!(call_with(&module, ""), "f(int)");
            host.load("cpp-promised", version_of_round(round)).unwrap();
            wait_until_one_version_is_left(&host.runtime);
        }
        let once = library();
        host.runtime.delete("cpp-promised").unwrap();
        until("the last version is unloaded", || host.runtime.images_mapped() == 0);
        assert_eq!(library(), once, "the library is mapped once and stays");
    });
}

#[test]
fn idle_threads_do_not_stop_releases() {
    let (host, module) = TestHost::serving("holder");
    for round in 1..=8 {
        call_with(&module, "do=thread&ms=20000");
        host.load("holder", version_of_round(round)).unwrap();
        host.runtime.purge("holder", std::time::Duration::ZERO).unwrap();
        until("only its thread keeps each version", || {
            let kept = host.runtime.status("holder").unwrap().quarantined;
            let is_thread = |pins: &[Pin]| pins.first().is_some_and(|pin| pin.kind == PinKind::Thread);
            kept.len() == round && kept.iter().all(|version| is_thread(&version.pins))
        });
    }
    let status = host.runtime.status("holder").unwrap();
    assert_eq!(status.quarantined.len(), 8, "{status:?}");
    assert!(status.releases_left.is_some());
}
