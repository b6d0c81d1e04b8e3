//! Resources other than calls that could keep an image in memory or dangle after its unload. Each is
//! released, or listed as a pin.

use std::{fs, process::Command, thread, time::Duration};

use crossbeam_channel::bounded;
use segue::{Code, Event, PinKind, Runtime};
use segue_tests::{TestHost, V1, V2, call_with, dies_in_child, in_child, until, within};

/// The leaked bytes and dropped destructors of the version that was purged last.
fn last_purged(runtime: &Runtime) -> Option<(u64, u64)> {
    runtime.events().recent(0).into_iter().rev().find_map(|record| match record.event {
        Event::Purged { leaked_bytes, destructors_dropped, .. } => Some((leaked_bytes, destructors_dropped)),
        _ => None,
    })
}

#[test]
fn an_exit_handler_runs_at_the_purge_and_its_thread_locals_are_destroyed() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        let file = host.state.path().join("notes");
        call_with(&module, &format!("do=atexit&file={}", file.display()));
        assert!(!file.exists());
        host.load("holder", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        assert_eq!(fs::read_to_string(&file).unwrap(), "exit handler\nits thread-local\n");
        // libc must not call the handler again at the end of this process.
    });
}

#[test]
fn a_backtrace_captured_in_a_module_does_not_keep_its_version() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        call_with(&module, "do=backtrace");
        host.load("holder", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        let (leaked, _) = within("it is recorded", || last_purged(&host.runtime));
        assert!(leaked > 1 << 20, "std keeps the parsed debug info in a static: {leaked} bytes");
    });
}

#[test]
fn mappings_of_a_module_do_not_accumulate_over_loads() {
    in_child(|| {
        const ROUNDS: usize = 30;
        let (host, module) = TestHost::serving("holder");
        let mappings = || fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let mut warm = 0;
        for round in 0..ROUNDS {
            // To name functions, std maps their files and keeps the mappings in a static.
            call_with(&module, "do=backtrace");
            host.load("holder", if round % 2 == 0 { V2 } else { V1 }).unwrap();
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
            if round == ROUNDS / 3 {
                warm = mappings();
            }
        }
        assert!(mappings() < warm + ROUNDS / 3, "{warm} mappings grew to {}", mappings());
    });
}

#[test]
fn leaked_memory_is_counted_and_freed_at_the_purge() {
    let (host, module) = TestHost::serving("holder");
    let live = || host.runtime.status("holder").unwrap().current.unwrap().live_bytes.unwrap();
    let before = live();
    assert!(before > 0, "a module has statics");
    call_with(&module, "do=leak&bytes=1000000");
    assert!((1_000_000..1_010_000).contains(&(live() - before)), "{before}, then {}", live());
    let inside = module.enter().unwrap();
    host.load("holder", V2).unwrap();
    let runtime = host.runtime.clone();
    let purging = thread::spawn(move || runtime.purge("holder", Duration::from_secs(30)).unwrap());
    thread::sleep(Duration::from_millis(50));
    drop(inside);
    let purged = purging.join().unwrap();
    assert!(purged.purged && purged.unmapped);
    assert!(purged.leaked_bytes.is_some_and(|bytes| bytes >= 1_000_000), "{purged:?}");
    assert_eq!(last_purged(&host.runtime).map(|(leaked, _)| leaked), purged.leaked_bytes);
}

#[test]
fn descriptors_that_a_version_leaves_open_are_reported_by_kind() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        let before = segue::descriptors_left_open();
        let purge = |version| {
            host.load("holder", version).unwrap();
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
            within("it is recorded", || {
                host.runtime.events().recent(0).into_iter().rev().find_map(|record| match record.event {
                    Event::Purged { left_open, .. } => Some(left_open.to_string()),
                    _ => None,
                })
            })
        };
        call_with(&module, "do=leave-open");
        assert_eq!(purge(V2), "1 file, 2 sockets");
        assert_eq!(segue::descriptors_left_open() - before, 3);
        call_with(&module, "do=nothing");
        until("the next version leaves nothing open", || purge(V1).is_empty());
    });
}

#[test]
fn a_load_is_refused_when_the_process_runs_out_of_descriptors() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        let limit = "--nofile=256";
        let done = Command::new("prlimit").args(["--pid", &std::process::id().to_string(), limit]).status();
        assert!(done.unwrap().success());
        let mut open = Vec::new();
        while segue::descriptors_in_use().0 < 256 - 16 {
            open.push(fs::File::open("/dev/null").unwrap());
        }
        let refused = host.load("holder", V2).unwrap_err();
        assert_eq!(refused.code(), Code::Busy);
        assert!(refused.to_string().contains("of this process's 256 file descriptors are open"), "{refused}");
        assert_eq!(call_with(&module, "do=nothing"), V1, "the current version serves");
        drop(open);
        host.load("holder", V2).unwrap();
    });
}

#[test]
fn buffered_output_is_written_before_its_version_is_unloaded() {
    let dead = dies_in_child(&[], |_| {
        let (host, module) = TestHost::serving("holder");
        call_with(&module, "do=print");
        host.load("holder", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        // An abort writes no buffers.
        std::process::abort();
    });
    assert!(dead.stdout.contains("no end of line"), "{} {}", dead.stdout, dead.stderr);
}

#[test]
fn an_image_that_the_dynamic_linker_keeps_is_unloaded_when_its_last_thread_ends() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        let (leave, may_leave) = bounded::<()>(0);
        let (called, has_called) = bounded(1);
        let caller = thread::spawn(move || {
            call_with(&module, "do=libc-thread-local");
            called.send(()).unwrap();
            let _ = may_leave.recv();
        });
        has_called.recv().unwrap();
        host.load("holder", V2).unwrap();
        let held = within("the dynamic linker is listed as a pin", || {
            let pins = host.runtime.pins("holder").unwrap();
            pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Flag))
        });
        assert!(held.pins[0].detail.contains("dynamic linker"), "{held:?}");
        assert_eq!(host.runtime.images_mapped(), 2);
        drop(leave);
        caller.join().unwrap();
        until("it is unloaded without another load", || host.runtime.images_mapped() == 1);
        until("it is no longer listed", || host.runtime.status("holder").unwrap().quarantined.is_empty());
        assert_eq!(host.staged(), 1);
    });
}

#[test]
fn an_unnamed_thread_is_listed_under_its_modules_name() {
    let (host, module) = TestHost::serving("holder");
    call_with(&module, "do=thread&ms=1500");
    host.load("holder", V2).unwrap();
    let held = within("the thread is listed as a pin", || {
        let pins = host.runtime.pins("holder").unwrap();
        pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Thread))
    });
    assert!(held.pins[0].detail.contains("(holder.g1)"), "{held:?}");
    until("the old version is unloaded", || host.runtime.images_mapped() == 1);
}

#[test]
fn a_c_library_in_a_module_may_create_a_key_and_a_thread() {
    in_child(|| {
        let (host, module) = TestHost::serving("c-library");
        let file = host.state.path().join("notes");
        for round in 1..=5 {
            let (module, query) = (module.clone(), format!("file={}", file.display()));
            // The thread ends before the unload, so its value is destroyed on it.
            thread::spawn(move || assert_eq!(call_with(&module, &query), "0")).join().unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), round);
            host.load("c-library", if round % 2 == 0 { V1 } else { V2 }).unwrap();
            until("its thread has ended, and the version is unloaded", || host.runtime.images_mapped() == 1);
        }
    });
}
