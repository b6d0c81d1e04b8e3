//! Everything beside calls that can keep an image in memory, or dangle when it goes: each leaves, or is
//! named.

use std::{fs, os::unix::process::ExitStatusExt, process::Command, thread, time::Duration};

use crossbeam_channel::bounded;
use segue::{Code, Event, ModuleHandle, PinKind, Request, Runtime, Step, VersionState};
use segue_tests::{TestHost, V1, V2, dies_in_child, fixture, in_child, until, within};

fn call(module: &ModuleHandle, query: &str) -> String {
    let reply = module.call(&Request { query, ..Request::get("/") }).unwrap();
    String::from_utf8(reply.body).unwrap()
}

/// A runtime with the first version of `holder`.
fn holder() -> (TestHost, ModuleHandle) {
    let host = TestHost::new();
    host.load("holder", V1).unwrap();
    let module = host.module("holder");
    (host, module)
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
    in_child(|| {
        let (host, module) = holder();
        call(&module, "do=chain-past");
        host.load("holder", V2).unwrap();
        let held = within("the signal is told", || {
            let pins = host.runtime.pins("holder").unwrap();
            pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Signal))
        });
        assert!(held.pins[0].detail.contains("SIGUSR2"), "{held:?}");
        assert_eq!(held.status, VersionState::Pinned);
        assert_eq!(host.runtime.images_mapped(), 2, "its handler's code is there");
        assert!(
            host.runtime.status("holder").unwrap().old.is_none(),
            "and it does not keep the place of old"
        );
        call(&module, "do=chain-past");
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        until("and is held by nobody", || host.runtime.pins("holder").unwrap().held.is_empty());
    });
}

#[test]
fn an_exit_handler_runs_at_the_purge_and_what_it_leaves_is_destroyed() {
    in_child(|| {
        let (host, module) = holder();
        let file = host.state.path().join("notes");
        call(&module, &format!("do=atexit&file={}", file.display()));
        assert!(!file.exists());
        host.load("holder", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        assert_eq!(fs::read_to_string(&file).unwrap(), "exit handler\nits thread-local\n");
        // libc has forgotten the handler: at the end of this process it is not called again.
    });
}

#[test]
fn a_backtrace_captured_in_the_module_does_not_keep_it() {
    in_child(|| {
        let (host, module) = holder();
        call(&module, "do=backtrace");
        host.load("holder", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        let (leaked, _) = within("it is recorded", || last_purged(&host.runtime));
        assert!(leaked > 1 << 20, "std keeps the parsed debug info in a static: {leaked} bytes");
    });
}

#[test]
fn what_a_module_has_mapped_does_not_become_more_with_every_load() {
    in_child(|| {
        const ROUNDS: usize = 30;
        let (host, module) = holder();
        let mappings = || fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let mut warm = 0;
        for round in 0..ROUNDS {
            // To name functions, std maps the files that they are in, and keeps them so in a static.
            call(&module, "do=backtrace");
            host.load("holder", if round % 2 == 0 { V2 } else { V1 }).unwrap();
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
            if round == ROUNDS / 3 {
                warm = mappings();
            }
        }
        assert!(mappings() < warm + ROUNDS / 3, "{warm} mappings have become {}", mappings());
    });
}

#[test]
fn what_is_leaked_is_counted_while_it_lives_and_given_back_at_the_purge() {
    let (host, module) = holder();
    let live = || host.runtime.status("holder").unwrap().current.unwrap().live_bytes.unwrap();
    let before = live();
    assert!(before > 0, "a module has some statics of its own");
    call(&module, "do=leak&bytes=1000000");
    assert!((1_000_000..1_010_000).contains(&(live() - before)), "{before} and then {}", live());
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
fn descriptors_that_a_version_leaves_open_are_told_by_kind() {
    in_child(|| {
        let (host, module) = holder();
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
        call(&module, "do=leave-open");
        assert_eq!(purge(V2), "1 file, 2 sockets");
        assert_eq!(segue::descriptors_left_open() - before, 3);
        call(&module, "do=nothing");
        until("the next one leaves nothing open", || purge(V1).is_empty());
    });
}

#[test]
fn a_load_is_refused_when_the_process_runs_out_of_descriptors() {
    in_child(|| {
        let (host, module) = holder();
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
        assert_eq!(call(&module, "do=nothing"), V1, "current serves");
        drop(open);
        host.load("holder", V2).unwrap();
    });
}

#[test]
fn text_without_an_end_of_line_is_written_before_its_version_leaves() {
    let dead = dies_in_child(&[], |_| {
        let (host, module) = holder();
        call(&module, "do=print");
        host.load("holder", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        // Nothing of this process writes what it keeps.
        std::process::abort();
    });
    assert!(dead.stdout.contains("no end of line"), "{} {}", dead.stdout, dead.stderr);
}

#[test]
fn a_load_is_refused_when_the_process_runs_out_of_keys_and_they_are_given_back() {
    in_child(|| {
        let (host, module) = holder();
        let before = host.runtime.pthread_keys_in_use();
        call(&module, "do=keys&many=900");
        assert_eq!(host.runtime.pthread_keys_in_use(), before + 900);
        let many = 1024 - 40 - host.runtime.pthread_keys_in_use();
        call(&module, &format!("do=keys&many={many}"));
        let refused = host.load("holder", V2).unwrap_err();
        assert_eq!((refused.code(), refused.step()), (Code::Busy, Some(Step::Map)), "{refused}");
        assert!(refused.to_string().contains("984 of this process's 1024 pthread keys"), "{refused}");
        assert_eq!(call(&module, ""), V1, "nothing has changed");
        host.runtime.shutdown(Duration::from_secs(30)).unwrap();
        assert!(host.runtime.pthread_keys_in_use() <= before, "they were given back");
        assert_eq!(host.staged(), 0);
    });
}

#[test]
fn keys_do_not_become_fewer_with_every_load() {
    in_child(|| {
        let host = TestHost::new();
        host.load("tls-owner", V1).unwrap();
        let module = host.module("tls-owner");
        call(&module, "");
        let with_one = host.runtime.pthread_keys_in_use();
        for round in 0..20 {
            host.load("tls-owner", if round % 2 == 0 { V2 } else { V1 }).unwrap();
            call(&module, "");
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
            assert_eq!(host.runtime.pthread_keys_in_use(), with_one);
        }
    });
}

#[test]
fn an_image_that_the_dynamic_linker_kept_is_swept_when_its_last_holder_goes() {
    in_child(|| {
        let (host, module) = holder();
        let (leave, may_leave) = bounded::<()>(0);
        let (called, has_called) = bounded(1);
        let holder = thread::spawn(move || {
            call(&module, "do=libc-thread-local");
            called.send(()).unwrap();
            let _ = may_leave.recv();
        });
        has_called.recv().unwrap();
        host.load("holder", V2).unwrap();
        let held = within("the linker is named", || {
            let pins = host.runtime.pins("holder").unwrap();
            pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Flag))
        });
        assert!(held.pins[0].detail.contains("dynamic linker"), "{held:?}");
        assert_eq!(host.runtime.images_mapped(), 2);
        drop(leave);
        holder.join().unwrap();
        until("it has left memory, and nothing was loaded", || host.runtime.images_mapped() == 1);
        until("and is told of no more", || host.runtime.status("holder").unwrap().quarantined.is_empty());
        assert_eq!(host.staged(), 1);
    });
}

#[test]
fn a_thread_without_a_name_has_that_of_its_module_and_is_told() {
    let (host, module) = holder();
    call(&module, "do=thread&ms=1500");
    host.load("holder", V2).unwrap();
    let held = within("the thread is told", || {
        let pins = host.runtime.pins("holder").unwrap();
        pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Thread))
    });
    assert!(held.pins[0].detail.contains("(holder.g1)"), "{held:?}");
    until("the old version is unloaded", || host.runtime.images_mapped() == 1);
}

#[test]
fn a_c_library_in_the_module_may_make_a_key_and_a_thread() {
    in_child(|| {
        let host = TestHost::new();
        host.load("c-library", V1).unwrap();
        let module = host.module("c-library");
        let file = host.state.path().join("notes");
        for round in 1..=5 {
            let (module, query) = (module.clone(), format!("file={}", file.display()));
            // The thread ends before the version leaves: its value is destroyed on it.
            thread::spawn(move || assert_eq!(call(&module, &query), "0")).join().unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), round);
            host.load("c-library", if round % 2 == 0 { V1 } else { V2 }).unwrap();
            until("its thread has ended, and it is gone", || host.runtime.images_mapped() == 1);
        }
    });
}

#[test]
fn a_host_thread_that_was_the_current_one_in_a_module_ends_well_when_that_is_gone() {
    in_child(|| {
        let host = TestHost::new();
        // Each call asks for the current thread, which `std` keeps by a pthread key with a destructor.
        host.load("tls-owner", V1).unwrap();
        let module = host.module("tls-owner");
        ends_after_the_image(&host.runtime, "tls-owner", move || drop(call(&module, "")));
    });
}

/// That the test above would notice: a key that the SDK does not know of has its destructor called in an
/// image that is gone.
#[test]
fn a_key_that_was_taken_past_the_sdk_ends_the_process() {
    let dead = dies_in_child(&[], |_| {
        let (host, module) = holder();
        ends_after_the_image(&host.runtime, "holder", move || drop(call(&module, "do=libc-key")));
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
    until("the old version is unloaded", || runtime.images_mapped() == 1);
    drop(leave);
    thread.join().unwrap();
}
