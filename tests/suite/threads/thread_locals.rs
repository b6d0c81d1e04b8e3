//! Thread-locals of a module on threads of the host: destroyed on their own thread, once, before the image
//! goes.

use std::{collections::BTreeMap, fs, path::Path, thread};

use crossbeam_channel::{Sender, bounded, select, unbounded};
use segue::{Event, ModuleHandle, Request, Runtime};
use segue_tests::{TestHost, V1, V2, fixture, in_child, until, within};

/// A long-lived thread of a host that calls when it is told to, and takes part in purges.
struct Worker {
    calls: Sender<(String, Sender<()>)>,
    thread: thread::JoinHandle<()>,
}

impl Worker {
    fn start(runtime: &Runtime, module: ModuleHandle) -> Self {
        let (calls, inbox) = unbounded::<(String, Sender<()>)>();
        let runtime = runtime.clone();
        let thread = thread::spawn(move || {
            let resident = runtime.register_thread();
            loop {
                select! {
                    recv(inbox) -> call => {
                        let Ok((query, done)) = call else { break };
                        module.call(&Request { query: &query, ..Request::get("/") }).unwrap();
                        done.send(()).unwrap();
                    }
                    recv(resident.inbox()) -> errand => errand.unwrap().run(),
                }
            }
        });
        Worker { calls, thread }
    }

    fn call(&self, file: &Path) {
        let (done, is_done) = bounded(1);
        self.calls.send((format!("file={}", file.display()), done)).unwrap();
        is_done.recv().unwrap();
    }

    fn end(self) {
        drop(self.calls);
        self.thread.join().unwrap();
    }
}

/// How many notes each thread has written.
fn notes(file: &Path) -> BTreeMap<String, usize> {
    let mut by_thread = BTreeMap::new();
    for line in fs::read_to_string(file).unwrap_or_default().lines() {
        *by_thread.entry(line.split(' ').nth(1).unwrap().to_owned()).or_insert(0) += 1;
    }
    by_thread
}

fn version(round: usize) -> &'static str {
    if round.is_multiple_of(2) { V1 } else { V2 }
}

/// In a process of its own, for its threads end at its end: done wrongly, that is a SIGSEGV. More loads than
/// there are pthread keys (1024) would show a leak of keys by an abort; `segue-bench` does that, here it
/// would take long.
#[test]
fn residents_destroy_what_each_version_left_on_them() {
    in_child(|| {
        const ROUNDS: usize = 60;
        let host = TestHost::new();
        let file = host.state.path().join("notes");
        host.load("tls-owner", version(0)).unwrap();
        let module = host.module("tls-owner");
        let workers: Vec<Worker> = (0..4).map(|_| Worker::start(&host.runtime, module.clone())).collect();
        for round in 1..=ROUNDS {
            workers.iter().for_each(|worker| worker.call(&file));
            host.load("tls-owner", version(round)).unwrap();
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
            let written = notes(&file);
            assert_eq!(written.len(), 4, "each thread has destroyed its own: {written:?}");
            assert!(written.values().all(|count| *count == round), "once each round: {written:?}");
        }
        workers.into_iter().for_each(Worker::end);
        host.runtime.shutdown(std::time::Duration::from_secs(30)).unwrap();
    });
}

#[test]
fn residents_destroy_the_values_of_keys_too() {
    in_child(|| {
        let host = TestHost::new();
        let file = host.state.path().join("notes");
        host.load("c-library", version(0)).unwrap();
        let module = host.module("c-library");
        let workers: Vec<Worker> = (0..2).map(|_| Worker::start(&host.runtime, module.clone())).collect();
        for round in 1..=3 {
            workers.iter().for_each(|worker| worker.call(&file));
            host.load("c-library", version(round)).unwrap();
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
            let written = notes(&file);
            assert_eq!(written.len(), 2, "each thread has destroyed its own: {written:?}");
            assert!(written.values().all(|count| *count == round), "once each round: {written:?}");
        }
        workers.into_iter().for_each(Worker::end);
    });
}

#[test]
fn a_thread_that_ends_destroys_what_it_has_left() {
    in_child(|| {
        let host = TestHost::new();
        let file = host.state.path().join("notes");
        host.load("tls-owner", V1).unwrap();
        let module = host.module("tls-owner");
        for ended in 1..=8 {
            let (module, query) = (module.clone(), format!("file={}", file.display()));
            thread::spawn(move || {
                module.call(&Request { query: &query, ..Request::get("/") }).unwrap();
            })
            .join()
            .unwrap();
            until("its note is written", || notes(&file).values().sum::<usize>() == ended);
        }
        host.load("tls-owner", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
    });
}

#[test]
fn a_thread_of_the_module_destroys_what_it_has_left_at_its_end() {
    in_child(|| {
        let host = TestHost::new();
        let file = host.state.path().join("notes");
        host.load("tls-owner", V1).unwrap();
        let module = host.module("tls-owner");
        let query = format!("thread=1&file={}", file.display());
        for _ in 0..8 {
            let owner = module.call(&Request { query: &query, ..Request::get("/") }).unwrap().body;
            let owner = String::from_utf8(owner).unwrap();
            // It was joined, so it has ended by now. The kernel may give its id away again.
            assert!(notes(&file).contains_key(&owner), "{owner} is not among {:?}", notes(&file));
        }
        assert_eq!(notes(&file).values().sum::<usize>(), 8);
    });
}

#[test]
fn a_thread_that_is_no_resident_does_not_keep_the_version() {
    in_child(|| {
        let host = TestHost::new();
        let file = host.state.path().join("notes");
        host.load("tls-owner", V1).unwrap();
        let module = host.module("tls-owner");
        let query = format!("file={}", file.display());
        let (leave, may_leave) = bounded::<()>(0);
        let (called, has_called) = bounded(1);
        let idle = thread::spawn(move || {
            module.call(&Request { query: &query, ..Request::get("/") }).unwrap();
            called.send(()).unwrap();
            // It lives on, and never comes by again.
            let _ = may_leave.recv();
        });
        has_called.recv().unwrap();
        host.load("tls-owner", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        assert!(notes(&file).is_empty(), "its thread-local was dropped without running");
        let dropped = within("it is recorded", || {
            host.runtime.events().recent(0).into_iter().find_map(|record| match record.event {
                Event::Purged { destructors_dropped, .. } => Some(destructors_dropped),
                _ => None,
            })
        });
        assert!(dropped >= 1, "and counted");
        drop(leave);
        idle.join().expect("and the thread ends well, though the image is gone");
    });
}

/// A runtime that waits long for threads that are no residents, so that what happens is not its patience's
/// end.
fn patient() -> (tempfile::TempDir, Runtime) {
    let state = tempfile::TempDir::new().unwrap();
    let patience = std::time::Duration::from_secs(60);
    let runtime = Runtime::builder().state_dir(state.path()).cleanup_timeout(patience).build().unwrap();
    (state, runtime)
}

#[test]
fn a_thread_that_is_no_resident_destroys_what_it_left_when_it_makes_another_call() {
    in_child(|| {
        let (state, runtime) = patient();
        let file = state.path().join("notes");
        runtime.load(fixture("tls-owner", V1)).unwrap();
        // Any call will do, also of another module.
        runtime.load(fixture("sleeper", V1)).unwrap();
        let (module, other) = (runtime.module("tls-owner").unwrap(), runtime.module("sleeper").unwrap());
        let query = format!("file={}", file.display());
        let (call, calls) = bounded::<()>(0);
        let (called, has_called) = bounded(0);
        let stranger = thread::spawn(move || {
            module.call(&Request { query: &query, ..Request::get("/") }).unwrap();
            called.send(()).unwrap();
            for () in calls {
                other.call(&Request::get("/")).unwrap();
                called.send(()).unwrap();
            }
        });
        has_called.recv().unwrap();
        runtime.load(fixture("tls-owner", V2)).unwrap();
        let held = within("the thread is awaited", || {
            let pins = runtime.pins("tls-owner").unwrap();
            pins.held.into_iter().find(|held| !held.pins.is_empty())
        });
        assert_eq!(held.pins[0].kind, segue::PinKind::Tls, "{held:?}");
        assert_eq!(held.status, segue::VersionState::Pinned, "it is past going back to");
        assert_eq!((runtime.images_mapped(), notes(&file).len()), (3, 0));
        call.send(()).unwrap();
        has_called.recv().unwrap();
        until("the old version is unloaded", || runtime.images_mapped() == 2);
        assert_eq!(notes(&file).into_values().collect::<Vec<_>>(), [1], "destroyed once, on its thread");
        drop(call);
        stranger.join().unwrap();
        runtime.shutdown(std::time::Duration::from_secs(30)).unwrap();
    });
}

#[test]
fn a_value_of_a_key_is_named_as_what_it_is() {
    in_child(|| {
        let (state, runtime) = patient();
        let file = state.path().join("notes");
        runtime.load(fixture("c-library", V1)).unwrap();
        let module = runtime.module("c-library").unwrap();
        let query = format!("file={}", file.display());
        let (leave, may_leave) = bounded::<()>(0);
        let (called, has_called) = bounded(1);
        let stranger = thread::spawn(move || {
            module.call(&Request { query: &query, ..Request::get("/") }).unwrap();
            called.send(()).unwrap();
            let _ = may_leave.recv();
        });
        has_called.recv().unwrap();
        runtime.load(fixture("c-library", V2)).unwrap();
        until("the key is named", || {
            let pins = runtime.pins("c-library").unwrap();
            pins.held.iter().flat_map(|held| &held.pins).any(|pin| pin.kind == segue::PinKind::Key)
        });
        drop(leave);
        stranger.join().unwrap();
        until("the old version is unloaded", || runtime.images_mapped() == 1);
        assert_eq!(notes(&file).into_values().collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn a_thread_that_is_awaited_may_end_instead() {
    in_child(|| {
        let (state, runtime) = patient();
        let file = state.path().join("notes");
        runtime.load(fixture("tls-owner", V1)).unwrap();
        let module = runtime.module("tls-owner").unwrap();
        let query = format!("file={}", file.display());
        let (leave, may_leave) = bounded::<()>(0);
        let (called, has_called) = bounded(1);
        let stranger = thread::spawn(move || {
            module.call(&Request { query: &query, ..Request::get("/") }).unwrap();
            called.send(()).unwrap();
            let _ = may_leave.recv();
        });
        has_called.recv().unwrap();
        runtime.load(fixture("tls-owner", V2)).unwrap();
        until("the thread is awaited", || {
            runtime.pins("tls-owner").unwrap().held.iter().any(|held| !held.pins.is_empty())
        });
        assert_eq!(runtime.images_mapped(), 2);
        drop(leave);
        stranger.join().unwrap();
        until("the old version is unloaded", || runtime.images_mapped() == 1);
        assert_eq!(notes(&file).into_values().collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn a_resident_inside_a_long_call_does_not_keep_the_version() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    host.load("tls-owner", V1).unwrap();
    let (sleeper, module) = (host.module("sleeper"), host.module("tls-owner"));
    let runtime = host.runtime.clone();
    let (asleep, is_asleep) = bounded(1);
    let busy = thread::spawn(move || {
        let resident = runtime.register_thread();
        module.call(&Request::get("/")).unwrap();
        let guard = sleeper.enter().unwrap();
        let _calling = resident.note_call(guard.version(), || "a long call".to_owned());
        asleep.send(()).unwrap();
        guard.call(&Request { query: "ms=3000", ..Request::get("/") }).unwrap();
    });
    is_asleep.recv().unwrap();
    host.load("tls-owner", V2).unwrap();
    host.wait_until_old_is_gone("tls-owner");
    assert!(!busy.is_finished(), "it left while the resident was inside another module");
    assert_eq!(host.runtime.images_mapped(), 2);
    busy.join().unwrap();
}
