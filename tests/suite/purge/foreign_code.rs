//! What C and C++ in a module do past Rust, and what libraries outside of it may do: nothing of it runs after
//! the module left.

use std::{fs, os::unix::process::ExitStatusExt, path::Path, process::Command, thread, time::Duration};

use segue::{Code, Event, ModuleHandle, Pin, PinKind, Request, Runtime};
use segue_tests::{Service, TestHost, V1, V2, dies_in_child, fixture, http, in_child, until, within};
use tempfile::TempDir;

use crate::SEGUE;

fn call(module: &ModuleHandle, query: &str) -> String {
    let reply = module.call(&Request { query, ..Request::get("/") }).unwrap();
    String::from_utf8(reply.body).unwrap()
}

/// Waits until one version is in memory, and the next one may come: that is told a moment after the last one
/// has left.
fn until_old_has_left(runtime: &Runtime) {
    let is_told =
        || runtime.modules().iter().all(|module| module.old.is_none() && module.quarantined.is_empty());
    until("the old version is unloaded", || runtime.images_mapped() == 1 && is_told());
}

fn version(round: usize) -> &'static str {
    if round.is_multiple_of(2) { V1 } else { V2 }
}

#[test]
fn a_handler_that_chains_calls_no_version_that_has_left() {
    in_child(|| {
        let host = TestHost::new();
        host.load("holder", version(0)).unwrap();
        let module = host.module("holder");
        call(&module, "do=chain");
        for round in 1..=30 {
            host.load("holder", version(round)).unwrap();
            call(&module, "do=chain");
            assert_eq!(call(&module, "do=previous"), "0x0", "the host does nothing at it");
            until_old_has_left(&host.runtime);
            call(&module, "do=raise");
            assert_eq!(call(&module, "do=count"), "1");
        }
    });
}

#[test]
fn a_handler_that_chains_gets_that_of_the_host() {
    in_child(|| {
        let host = TestHost::new();
        host.load("holder", V1).unwrap();
        let module = host.module("holder");
        // The runtime itself handles this one, to report crashes.
        call(&module, "do=chain&signal=trap");
        let of_host = call(&module, "do=previous");
        assert_ne!(of_host, "0x0");
        for round in 1..=3 {
            host.load("holder", version(round)).unwrap();
            call(&module, "do=chain&signal=trap");
            assert_eq!(call(&module, "do=previous"), of_host, "version {round}");
            until_old_has_left(&host.runtime);
        }
    });
}

#[test]
fn a_handler_goes_with_its_version() {
    in_child(|| {
        let host = TestHost::new();
        host.load("holder", V1).unwrap();
        call(&host.module("holder"), "do=chain");
        assert!(caught(libc::SIGUSR2));
        host.load("holder", V2).unwrap();
        until_old_has_left(&host.runtime);
        assert!(!caught(libc::SIGUSR2), "the host has no handler");
    });
}

/// Whether this process has a handler of a signal.
fn caught(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(set.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
}

#[test]
fn a_module_that_handles_sigterm_does_not_keep_the_server_from_stopping() {
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("holder", V1), "libholder.so");
    service.wait_for_version("holder", V1);
    // It hands it on, and then it ignores it.
    for query in ["do=chain&signal=term", "do=ignore&signal=term"] {
        assert_eq!(http::get(service.address, &format!("/holder/?{query}")).status, 200);
    }
    service.stop();
}

#[test]
fn a_handler_that_was_chained_past_the_sdk_ends_the_process() {
    let dead = dies_in_child(&[], |_| {
        let host = TestHost::new();
        host.load("holder", V1).unwrap();
        let module = host.module("holder");
        call(&module, "do=chain-past");
        host.load("holder", V2).unwrap();
        call(&module, "do=chain-past");
        until_old_has_left(&host.runtime);
        call(&module, "do=raise");
    });
    assert_eq!(dead.status.signal(), Some(libc::SIGSEGV), "{}", dead.stderr);
}

#[test]
fn a_call_of_code_that_left_is_blamed_on_the_version_that_left_and_blocks_nothing() {
    let start = |home: &Path| Runtime::builder().state_dir(home.join("state")).build().unwrap();
    let dead = dies_in_child(&[], |home| {
        let runtime = start(home);
        runtime.load(fixture("holder", V1)).unwrap();
        let module = runtime.module("holder").unwrap();
        call(&module, "do=chain-past");
        runtime.load(fixture("holder", V2)).unwrap();
        // Its handler calls that of the first version, which leaves now.
        call(&module, "do=chain-past");
        until_old_has_left(&runtime);
        // Later images do not come to lie where it was.
        for round in 0..8 {
            runtime.load(fixture("greeter", version(round))).unwrap();
        }
        thread::sleep(Duration::from_millis(20));
        call(&module, "do=raise");
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
    assert_eq!((&**module, &**version), ("holder", V1), "not the one that called it");
    assert!(place.contains("on_chained_signal") && *left_ms >= 20, "{place} {left_ms}");
    assert!(runtime.blocked().unwrap().is_empty());
    let holder = runtime.module("holder").unwrap();
    assert_eq!(holder.enter().unwrap().version().version, V2);
}

#[test]
fn threads_of_c11_are_named_and_waited_for() {
    in_child(|| {
        let host = TestHost::new();
        host.load("c-library", V1).unwrap();
        let module = host.module("c-library");
        assert_eq!(call(&module, "join=42"), "-42", "its result has a sign");
        for round in 1..=10 {
            assert_eq!(call(&module, "detach=1"), "0");
            host.load("c-library", version(round)).unwrap();
            let held = within("its thread is named", || {
                let held = host.runtime.pins("c-library").unwrap().held;
                held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Thread))
            });
            assert!(held.pins[0].detail.contains("started by c-library.g"), "{held:?}");
            until_old_has_left(&host.runtime);
        }
    });
}

#[test]
fn cpp_in_a_module_leaves_with_its_thread_locals_and_its_threads() {
    in_child(|| {
        let host = TestHost::new();
        host.load("cpp-inside", V1).unwrap();
        let module = host.module("cpp-inside");
        let file = host.state.path().join("notes");
        for round in 1..=10 {
            let (caller, query) = (module.clone(), format!("file={}", file.display()));
            thread::spawn(move || assert_eq!(call(&caller, &query), "42")).join().unwrap();
            // On the thread of the host, and on the one that the library began.
            assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2 * round);
            call(&module, "detach=200");
            host.load("cpp-inside", version(round)).unwrap();
            until_old_has_left(&host.runtime);
        }
    });
}

#[test]
fn a_module_that_links_a_library_outside_stays_with_the_reason_and_more_than_four_can_follow() {
    const ROUNDS: usize = 20;
    in_child(|| {
        let host = TestHost::new();
        host.load("cpp-outside", V1).unwrap();
        let module = host.module("cpp-outside");
        assert_eq!(host.runtime.status("cpp-outside").unwrap().releases_left, None);
        for round in 1..=ROUNDS {
            // Its thread runs in code of the old version for a while, and nobody knows of it.
            call(&module, "detach=200");
            host.load("cpp-outside", version(round)).unwrap();
            until("old is kept", || {
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
fn threads_of_a_library_outside_are_named_while_they_run() {
    in_child(|| {
        let host = TestHost::new();
        host.load("cpp-outside", V1).unwrap();
        call(&host.module("cpp-outside"), "detach=4000");
        // The second one has no such thread, and is kept too.
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
        assert_eq!(within("both are kept", || threads_of(1)), [], "it has none");
        let named = threads_of(0).unwrap();
        let [thread] = &named[..] else { panic!("{named:?}") };
        assert!(thread.detail.contains("(cpp-worker)"), "{thread:?}");
        assert!(thread.detail.contains("started by libstdc++.so.6 or by this module"), "{thread:?}");
        until("it has ended, and is not named any more", || threads_of(0).unwrap().is_empty());
        assert_eq!(host.runtime.images_mapped(), 3);
    });
}

#[test]
fn a_module_that_promises_too_much_is_waited_for() {
    in_child(|| {
        let host = TestHost::new();
        host.load("cpp-promised", V1).unwrap();
        call(&host.module("cpp-promised"), "past-the-sdk=2000");
        host.load("cpp-promised", V2).unwrap();
        let thread = within("its thread is named", || {
            let held = host.runtime.pins("cpp-promised").unwrap().held;
            held.into_iter().flat_map(|held| held.pins).find(|pin| pin.kind == PinKind::Thread)
        });
        assert!(thread.detail.contains("in a way that the runtime does not track"), "{thread:?}");
        until_old_has_left(&host.runtime);
    });
}

#[test]
fn what_c_code_registers_for_later_does_not_run_after_its_version() {
    let dead = dies_in_child(&[], |directory| {
        let host = TestHost::new();
        let file = directory.join("notes");
        host.load("c-library", version(0)).unwrap();
        assert!(caught(libc::SIGUSR1), "a constructor installed it");
        for round in 1..=20 {
            let module = host.module("c-library");
            assert_eq!(call(&module, &format!("leave=1&file={}", file.display())), "0");
            host.load("c-library", version(round)).unwrap();
            until_old_has_left(&host.runtime);
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert_eq!(lines, round, "its exit handler has run");
            // A fork calls what `pthread_atfork` has registered.
            assert!(Command::new("true").status().unwrap().success());
            assert!(caught(libc::SIGUSR1) && !caught(libc::SIGUSR2), "the next one's, and nobody's");
        }
        // And so does the end of the process, past the test program.
        std::process::exit(7);
    });
    assert_eq!(dead.status.code(), Some(7), "{} {}", dead.stdout, dead.stderr);
}

#[test]
fn what_stays_has_a_limit_of_memory() {
    let state = TempDir::new().unwrap();
    let runtime = Runtime::builder().state_dir(state.path()).kept_bytes_max(1).build().unwrap();
    let load = |version| runtime.load(fixture("cpp-outside", version));
    load(V1).unwrap();
    load(V2).unwrap();
    until("the first is kept", || runtime.status("cpp-outside").unwrap().releases_left == Some(0));
    let refused = load(V1).unwrap_err();
    assert_eq!(refused.code(), Code::NotPurged);
    assert!(refused.to_string().contains("one more would exceed the 1 allowed"), "{refused}");
    // A module whose versions leave is not concerned.
    runtime.load(fixture("holder", V1)).unwrap();
    runtime.load(fixture("holder", V2)).unwrap();
}

#[test]
fn a_module_whose_author_promises_it_leaves_and_its_library_stays() {
    in_child(|| {
        let library = || fs::read_to_string("/proc/self/maps").unwrap().matches("libstdc++.so").count();
        let host = TestHost::new();
        assert_eq!(library(), 0, "the test itself has no C++");
        host.load("cpp-promised", V1).unwrap();
        let module = host.module("cpp-promised");
        for round in 1..=10 {
            assert_eq!(call(&module, ""), "f(int)");
            host.load("cpp-promised", version(round)).unwrap();
            until_old_has_left(&host.runtime);
        }
        let once = library();
        host.runtime.delete("cpp-promised").unwrap();
        until("the last one has left memory", || host.runtime.images_mapped() == 0);
        assert_eq!(library(), once, "it is mapped once, and stays");
    });
}

#[test]
fn idle_threads_do_not_stop_the_releases() {
    let host = TestHost::new();
    host.load("holder", V1).unwrap();
    let module = host.module("holder");
    for round in 1..=8 {
        call(&module, "do=thread&ms=20000");
        host.load("holder", version(round)).unwrap();
        host.runtime.purge("holder", std::time::Duration::ZERO).unwrap();
        until("nobody is inside any more, but its thread", || {
            let kept = host.runtime.status("holder").unwrap().quarantined;
            let is_thread = |pins: &[Pin]| pins.first().is_some_and(|pin| pin.kind == PinKind::Thread);
            kept.len() == round && kept.iter().all(|version| is_thread(&version.pins))
        });
    }
    let status = host.runtime.status("holder").unwrap();
    assert_eq!(status.quarantined.len(), 8, "{status:?}");
    assert!(status.releases_left.is_some());
}
