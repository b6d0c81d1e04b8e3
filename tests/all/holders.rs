//! Everything beside calls that can keep an image in memory, or dangle when it goes: each leaves, or is
//! named.

use std::{fs, os::unix::process::ExitStatusExt, process::Command, thread, time::Duration};

use crossbeam_channel::bounded;
use segue::{Code, Event, ModuleHandle, PinKind, Request, Runtime, Step, VersionState};
use segue_tests::{Bench, V1, V2, dies_in_child, fixture, in_child, until, within};

fn call(module: &ModuleHandle, query: &str) -> String {
    let reply = module.call(&Request { query, ..Request::get("/") }).unwrap();
    String::from_utf8(reply.body).unwrap()
}

/// A runtime with the first version of `holder`.
fn holder() -> (Bench, ModuleHandle) {
    let bench = Bench::new();
    bench.runtime.load(fixture("holder", V1)).unwrap();
    let module = bench.runtime.module("holder").unwrap();
    (bench, module)
}

/// What the events say of the last version that left memory: its leaked bytes and dropped destructors.
fn last_purged(runtime: &Runtime) -> Option<(u64, u64)> {
    runtime.events().recent(0).into_iter().rev().find_map(|record| match record.event {
        Event::Purged { leaked_bytes, destructors_dropped, .. } => Some((leaked_bytes, destructors_dropped)),
        _ => None,
    })
}

#[test]
fn a_signal_handler_past_the_sdk_is_named_and_lets_go_when_another_takes_its_place() {
    let test = "holders::a_signal_handler_past_the_sdk_is_named_and_lets_go_when_another_takes_its_place";
    in_child(test, || {
        let (bench, module) = holder();
        call(&module, "do=chain-past");
        bench.runtime.load(fixture("holder", V2)).unwrap();
        let held = within("the signal is told", || {
            let pins = bench.runtime.pins("holder").unwrap();
            pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Signal))
        });
        assert!(held.pins[0].detail.contains("SIGUSR2"), "{held:?}");
        assert_eq!(held.status, VersionState::Pinned);
        assert_eq!(bench.runtime.images_mapped(), 2, "its handler's code is there");
        assert!(
            bench.runtime.status("holder").unwrap().old.is_none(),
            "and it does not keep the place of old"
        );
        call(&module, "do=chain-past");
        until("old has left memory", || bench.runtime.images_mapped() == 1);
        until("and is held by nobody", || bench.runtime.pins("holder").unwrap().held.is_empty());
    });
}

#[test]
fn an_exit_handler_runs_at_the_purge_and_what_it_leaves_is_destroyed() {
    in_child("holders::an_exit_handler_runs_at_the_purge_and_what_it_leaves_is_destroyed", || {
        let (bench, module) = holder();
        let file = bench.state.path().join("notes");
        call(&module, &format!("do=atexit&file={}", file.display()));
        assert!(!file.exists());
        bench.runtime.load(fixture("holder", V2)).unwrap();
        until("old has left memory", || bench.runtime.images_mapped() == 1);
        assert_eq!(fs::read_to_string(&file).unwrap(), "exit handler\nits thread-local\n");
        // libc has forgotten the handler: at the end of this process it is not called again.
    });
}

#[test]
fn a_backtrace_captured_in_the_module_does_not_keep_it() {
    in_child("holders::a_backtrace_captured_in_the_module_does_not_keep_it", || {
        let (bench, module) = holder();
        call(&module, "do=backtrace");
        bench.runtime.load(fixture("holder", V2)).unwrap();
        until("old has left memory", || bench.runtime.images_mapped() == 1);
        let (leaked, _) = within("it is told", || last_purged(&bench.runtime));
        assert!(leaked > 1 << 20, "std keeps the parsed debug info in a static: {leaked} bytes");
    });
}

#[test]
fn what_a_module_has_mapped_does_not_become_more_with_every_load() {
    in_child("holders::what_a_module_has_mapped_does_not_become_more_with_every_load", || {
        const ROUNDS: usize = 30;
        let (bench, module) = holder();
        let mappings = || fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let mut warm = 0;
        for round in 0..ROUNDS {
            // To name functions, std maps the files that they are in, and keeps them so in a static.
            call(&module, "do=backtrace");
            bench.runtime.load(fixture("holder", if round % 2 == 0 { V2 } else { V1 })).unwrap();
            until("old has left memory", || bench.runtime.images_mapped() == 1);
            if round == ROUNDS / 3 {
                warm = mappings();
            }
        }
        assert!(mappings() < warm + ROUNDS / 3, "{warm} mappings have become {}", mappings());
    });
}

#[test]
fn what_is_leaked_is_counted_while_it_lives_and_given_back_at_the_purge() {
    let (bench, module) = holder();
    let live = || bench.runtime.status("holder").unwrap().current.unwrap().live_bytes.unwrap();
    let before = live();
    assert!(before > 0, "a module has some statics of its own");
    call(&module, "do=leak&bytes=1000000");
    assert!((1_000_000..1_010_000).contains(&(live() - before)), "{before} and then {}", live());
    let inside = module.enter().unwrap();
    bench.runtime.load(fixture("holder", V2)).unwrap();
    let runtime = bench.runtime.clone();
    let purging = thread::spawn(move || runtime.purge("holder", Duration::from_secs(30)).unwrap());
    thread::sleep(Duration::from_millis(50));
    drop(inside);
    let purged = purging.join().unwrap();
    assert!(purged.purged && purged.unmapped);
    assert!(purged.leaked_bytes.is_some_and(|bytes| bytes >= 1_000_000), "{purged:?}");
    assert_eq!(last_purged(&bench.runtime).map(|(leaked, _)| leaked), purged.leaked_bytes);
}

#[test]
fn descriptors_that_a_version_leaves_open_are_told_by_kind() {
    in_child("holders::descriptors_that_a_version_leaves_open_are_told_by_kind", || {
        let (bench, module) = holder();
        let before = segue::descriptors_left_open();
        let purge = |version| {
            bench.runtime.load(fixture("holder", version)).unwrap();
            until("old has left memory", || bench.runtime.images_mapped() == 1);
            within("it is told", || {
                bench.runtime.events().recent(0).into_iter().rev().find_map(|record| match record.event {
                    Event::Purged { left_open, .. } => Some(left_open.to_string()),
                    _ => None,
                })
            })
        };
        call(&module, "do=leave-open");
        assert_eq!(purge(V2), "1 file, 2 sockets");
        assert_eq!(segue::descriptors_left_open() - before, 3);
        call(&module, "do=nothing");
        until("the next one leaves nothing open", || purge(V1).is_empty());
    });
}

#[test]
fn a_load_is_refused_when_the_process_runs_out_of_descriptors() {
    in_child("holders::a_load_is_refused_when_the_process_runs_out_of_descriptors", || {
        let (bench, module) = holder();
        let limit = "--nofile=256";
        let done = Command::new("prlimit").args(["--pid", &std::process::id().to_string(), limit]).status();
        assert!(done.unwrap().success());
        let mut open = Vec::new();
        while segue::descriptors_in_use().0 < 256 - 16 {
            open.push(fs::File::open("/dev/null").unwrap());
        }
        let refused = bench.runtime.load(fixture("holder", V2)).unwrap_err();
        assert_eq!(refused.code(), Code::Busy);
        assert!(refused.to_string().contains("of this process's 256 file descriptors are open"), "{refused}");
        assert_eq!(call(&module, "do=nothing"), V1, "current serves");
        drop(open);
        bench.runtime.load(fixture("holder", V2)).unwrap();
    });
}

#[test]
fn text_without_an_end_of_line_is_written_before_its_version_leaves() {
    let test = "holders::text_without_an_end_of_line_is_written_before_its_version_leaves";
    let dead = dies_in_child(test, &[], |_| {
        let (bench, module) = holder();
        call(&module, "do=print");
        bench.runtime.load(fixture("holder", V2)).unwrap();
        until("old has left memory", || bench.runtime.images_mapped() == 1);
        // Nothing of this process writes what it keeps.
        std::process::abort();
    });
    assert!(dead.stdout.contains("no end of line"), "{} {}", dead.stdout, dead.stderr);
}

#[test]
fn a_load_is_refused_when_the_process_runs_out_of_keys_and_they_are_given_back() {
    in_child("holders::a_load_is_refused_when_the_process_runs_out_of_keys_and_they_are_given_back", || {
        let (bench, module) = holder();
        let before = bench.runtime.pthread_keys_in_use();
        call(&module, "do=keys&many=900");
        assert_eq!(bench.runtime.pthread_keys_in_use(), before + 900);
        let many = 1024 - 40 - bench.runtime.pthread_keys_in_use();
        call(&module, &format!("do=keys&many={many}"));
        let refused = bench.runtime.load(fixture("holder", V2)).unwrap_err();
        assert_eq!((refused.code(), refused.step()), (Code::Busy, Some(Step::Map)), "{refused}");
        assert!(refused.to_string().contains("984 of this process's 1024 pthread keys"), "{refused}");
        assert_eq!(call(&module, ""), V1, "nothing has changed");
        bench.runtime.shutdown(Duration::from_secs(30)).unwrap();
        assert!(bench.runtime.pthread_keys_in_use() <= before, "they were given back");
        assert!(bench.staged().is_empty());
    });
}

#[test]
fn keys_do_not_become_fewer_with_every_load() {
    in_child("holders::keys_do_not_become_fewer_with_every_load", || {
        let bench = Bench::new();
        bench.runtime.load(fixture("tls-owner", V1)).unwrap();
        let module = bench.runtime.module("tls-owner").unwrap();
        call(&module, "");
        let with_one = bench.runtime.pthread_keys_in_use();
        for round in 0..20 {
            bench.runtime.load(fixture("tls-owner", if round % 2 == 0 { V2 } else { V1 })).unwrap();
            call(&module, "");
            until("old has left memory", || bench.runtime.images_mapped() == 1);
            assert_eq!(bench.runtime.pthread_keys_in_use(), with_one);
        }
    });
}

#[test]
fn an_image_that_the_dynamic_linker_kept_is_swept_when_its_last_holder_goes() {
    in_child("holders::an_image_that_the_dynamic_linker_kept_is_swept_when_its_last_holder_goes", || {
        let (bench, module) = holder();
        let (leave, may_leave) = bounded::<()>(0);
        let (called, has_called) = bounded(1);
        let holder = thread::spawn(move || {
            call(&module, "do=libc-thread-local");
            called.send(()).unwrap();
            let _ = may_leave.recv();
        });
        has_called.recv().unwrap();
        bench.runtime.load(fixture("holder", V2)).unwrap();
        let held = within("the linker is named", || {
            let pins = bench.runtime.pins("holder").unwrap();
            pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Flag))
        });
        assert!(held.pins[0].detail.contains("dynamic linker"), "{held:?}");
        assert_eq!(bench.runtime.images_mapped(), 2);
        drop(leave);
        holder.join().unwrap();
        until("it has left memory, and nothing was loaded", || bench.runtime.images_mapped() == 1);
        until("and is told of no more", || bench.runtime.status("holder").unwrap().quarantined.is_empty());
        assert_eq!(bench.staged().len(), 1);
    });
}

#[test]
fn a_thread_without_a_name_has_that_of_its_module_and_is_told() {
    let (bench, module) = holder();
    call(&module, "do=thread&ms=1500");
    bench.runtime.load(fixture("holder", V2)).unwrap();
    let held = within("the thread is told", || {
        let pins = bench.runtime.pins("holder").unwrap();
        pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Thread))
    });
    assert!(held.pins[0].detail.contains("(holder.g1)"), "{held:?}");
    until("old has left memory", || bench.runtime.images_mapped() == 1);
}

#[test]
fn a_c_library_in_the_module_may_make_a_key_and_a_thread() {
    in_child("holders::a_c_library_in_the_module_may_make_a_key_and_a_thread", || {
        let bench = Bench::new();
        bench.runtime.load(fixture("c-library", V1)).unwrap();
        let module = bench.runtime.module("c-library").unwrap();
        let file = bench.state.path().join("notes");
        for round in 1..=5 {
            let (module, query) = (module.clone(), format!("file={}", file.display()));
            // The thread ends before the version leaves: its value is destroyed on it.
            thread::spawn(move || assert_eq!(call(&module, &query), "0")).join().unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), round);
            bench.runtime.load(fixture("c-library", if round % 2 == 0 { V1 } else { V2 })).unwrap();
            until("its thread has ended, and it is gone", || bench.runtime.images_mapped() == 1);
        }
    });
}

#[test]
fn a_host_thread_that_was_the_current_one_in_a_module_ends_well_when_that_is_gone() {
    in_child(
        "holders::a_host_thread_that_was_the_current_one_in_a_module_ends_well_when_that_is_gone",
        || {
            let bench = Bench::new();
            // Each call asks for the current thread, which `std` keeps by a pthread key with a destructor.
            bench.runtime.load(fixture("tls-owner", V1)).unwrap();
            let module = bench.runtime.module("tls-owner").unwrap();
            ends_after_the_image(&bench.runtime, "tls-owner", move || drop(call(&module, "")));
        },
    );
}

/// That the test above would notice: a key that the SDK does not know of has its destructor called in an
/// image that is gone.
#[test]
fn a_key_that_was_taken_past_the_sdk_ends_the_process() {
    let test = "holders::a_key_that_was_taken_past_the_sdk_ends_the_process";
    let dead = dies_in_child(test, &[], |_| {
        let (bench, module) = holder();
        ends_after_the_image(&bench.runtime, "holder", move || drop(call(&module, "do=libc-key")));
    });
    assert_eq!(dead.status.signal(), Some(libc::SIGSEGV), "{}", dead.stderr);
}

/// Has a thread of the host make a call, and end when the version that it called has left memory.
fn ends_after_the_image(runtime: &Runtime, module: &str, make_call: impl FnOnce() + Send + 'static) {
    let (leave, may_leave) = bounded::<()>(0);
    let (called, has_called) = bounded(1);
    let thread = thread::spawn(move || {
        make_call();
        called.send(()).unwrap();
        let _ = may_leave.recv();
    });
    has_called.recv().unwrap();
    runtime.load(fixture(module, V2)).unwrap();
    until("old has left memory", || runtime.images_mapped() == 1);
    drop(leave);
    thread.join().unwrap();
}
