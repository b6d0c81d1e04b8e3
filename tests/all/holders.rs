//! Everything beside calls that can keep an image in memory, or dangle when it goes: each leaves, or is named.

use std::{fs, thread, time::Duration};

use crossbeam_channel::bounded;
use segue::{Code, Event, ModuleHandle, PinKind, Request, Runtime, Standing, Step};
use segue_tests::{Bench, V1, V2, fixture, in_child, until, within};

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
    runtime.events().kept(0).into_iter().rev().find_map(|record| match record.event {
        Event::Purged { leaked_bytes, destructors_dropped, .. } => Some((leaked_bytes, destructors_dropped)),
        _ => None,
    })
}

#[test]
fn a_signal_handler_is_named_and_lets_go_when_another_takes_its_place() {
    in_child("holders::a_signal_handler_is_named_and_lets_go_when_another_takes_its_place", || {
        let (bench, module) = holder();
        call(&module, "do=signal");
        bench.runtime.load(fixture("holder", V2)).unwrap();
        let held = within("the signal is told", || {
            let pins = bench.runtime.pins("holder").unwrap();
            pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Signal))
        });
        assert!(held.pins[0].detail.contains("SIGUSR2"), "{held:?}");
        assert_eq!(held.status, Standing::Pinned);
        assert_eq!(bench.runtime.images_mapped(), 2, "its handler's code is there");
        assert!(
            bench.runtime.status("holder").unwrap().old.is_none(),
            "and it does not keep the place of old"
        );
        call(&module, "do=signal");
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
fn a_load_is_refused_when_the_process_runs_out_of_keys_and_they_are_given_back() {
    in_child("holders::a_load_is_refused_when_the_process_runs_out_of_keys_and_they_are_given_back", || {
        let (bench, module) = holder();
        let before = bench.runtime.keys_in_use();
        call(&module, "do=keys&many=900");
        assert_eq!(bench.runtime.keys_in_use(), before + 900);
        let many = 1024 - 40 - bench.runtime.keys_in_use();
        call(&module, &format!("do=keys&many={many}"));
        let refused = bench.runtime.load(fixture("holder", V2)).unwrap_err();
        assert_eq!((refused.code(), refused.step()), (Code::Busy, Some(Step::Map)), "{refused}");
        assert!(refused.to_string().contains("984 of this process's 1024 pthread keys"), "{refused}");
        assert_eq!(call(&module, ""), V1, "nothing has changed");
        bench.runtime.shutdown(Duration::from_secs(30)).unwrap();
        assert!(bench.runtime.keys_in_use() <= before, "they were given back");
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
        let with_one = bench.runtime.keys_in_use();
        for round in 0..20 {
            bench.runtime.load(fixture("tls-owner", if round % 2 == 0 { V2 } else { V1 })).unwrap();
            call(&module, "");
            until("old has left memory", || bench.runtime.images_mapped() == 1);
            assert_eq!(bench.runtime.keys_in_use(), with_one);
        }
    });
}

#[test]
fn a_file_that_asks_never_to_be_unloaded_is_unloaded() {
    in_child("holders::a_file_that_asks_never_to_be_unloaded_is_unloaded", || {
        let bench = Bench::new();
        let file = fixture("nodelete", V1);
        assert_eq!(segue::check(&file).unwrap().cleared, ["DF_1_NODELETE"]);
        let loaded = bench.runtime.load(&file).unwrap();
        bench.runtime.load(fixture("nodelete", V2)).unwrap();
        until("old has left memory", || bench.runtime.images_mapped() == 1);
        let kept = bench.state.path().join("images").join(format!("{}.so", loaded.digest.hex()));
        assert_eq!(fs::read(kept).unwrap(), fs::read(file).unwrap(), "the store has it as it was");
    });
}

#[test]
fn static_thread_local_storage_is_refused_before_anything_runs() {
    let bench = Bench::new();
    let refused = bench.runtime.load(fixture("static-tls", V1)).unwrap_err();
    assert_eq!((refused.code(), refused.step()), (Code::BadElf, Some(Step::Read)), "{refused}");
    assert!(refused.to_string().contains("DF_STATIC_TLS"), "{refused}");
    assert!(refused.hint().unwrap().contains("tls-model"));
    assert!(bench.staged().is_empty());
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
fn errors_answers_and_panics_outlive_their_version() {
    in_child("holders::errors_answers_and_panics_outlive_their_version", || {
        let (bench, module) = holder();
        let get = |query| module.call(&Request { query, ..Request::get("/") });
        let (answer, fault, panic) = (get(""), get("do=fault").unwrap_err(), get("do=panic").unwrap_err());
        let error = bench.runtime.load(fixture("vetoes-load", V1)).unwrap_err();
        bench.runtime.load(fixture("holder", V2)).unwrap();
        until("old has left memory", || bench.runtime.images_mapped() == 1);
        assert_eq!(answer.unwrap().body, V1.as_bytes());
        assert!(fault.to_string().contains("a fault's own words"));
        assert!(panic.to_string().contains("on purpose, with a payload of its own"), "{panic}");
        assert!(error.to_string().contains("on_load failed"), "{error}");
        drop((fault, panic, error));
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
fn an_owned_guard_is_told_as_what_it_is_and_may_be_dropped_elsewhere() {
    let (bench, module) = holder();
    let guard = module.enter_owned().unwrap();
    bench.runtime.load(fixture("holder", V2)).unwrap();
    let pins = bench.runtime.pins("holder").unwrap();
    let guards: Vec<_> = pins.held[0].pins.iter().filter(|pin| pin.kind == PinKind::OwnedGuard).collect();
    assert_eq!(guards.len(), 1, "{pins:?}");
    assert!(guards[0].detail.starts_with("1 owned guard"));
    let called = thread::spawn(move || guard.call(&Request::get("/")).unwrap().body).join().unwrap();
    assert_eq!(called, V1.as_bytes(), "it was in the version that it entered");
    until("old has left memory", || bench.runtime.images_mapped() == 1);
}
