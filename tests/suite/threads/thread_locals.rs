//! Thread-locals of a module on threads of the host: each is destroyed once, on its own thread, before the
//! image is unmapped.

use std::{collections::BTreeMap, fs, path::Path, thread, time::Duration};

use crossbeam_channel::{Sender, bounded, select, unbounded};
use segue::{Event, ModuleHandle, Request, Runtime};
use segue_tests::{TestHost, V1, V2, in_child, until, version_of_round, within};

/// A long-lived, registered thread of a host that makes calls on request and runs the runtime's cleanup
/// tasks.
struct Worker {
    calls: Sender<(String, Sender<()>)>,
    thread: thread::JoinHandle<()>,
}

impl Worker {
    fn start(runtime: &Runtime, module: ModuleHandle) -> Self {
        let (calls, inbox) = unbounded::<(String, Sender<()>)>();
        let runtime = runtime.clone();
        let thread = thread::spawn(move || {
            let registered = runtime.register_thread();
            loop {
                select! {
                    recv(inbox) -> call => {
                        let Ok((query, done)) = call else { break };
                        module.call(&Request { query: &query, ..Request::get("/") }).unwrap();
                        done.send(()).unwrap();
                    }
                    recv(registered.inbox()) -> task => task.unwrap().run(),
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

/// In a child process, because a destructor in an unmapped image ends it with SIGSEGV. A leak of pthread keys
/// would show after 1024 loads; `segue-bench soak` makes that many.
#[test]
fn registered_threads_destroy_the_thread_locals_of_each_version() {
    in_child(|| {
        const ROUNDS: usize = 60;
        let host = TestHost::new();
        let file = host.state.path().join("notes");
        host.load("tls-owner", version_of_round(0)).unwrap();
        let module = host.module("tls-owner");
        let workers: Vec<Worker> = (0..4).map(|_| Worker::start(&host.runtime, module.clone())).collect();
        for round in 1..=ROUNDS {
            workers.iter().for_each(|worker| worker.call(&file));
            host.load("tls-owner", version_of_round(round)).unwrap();
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
            let written = notes(&file);
            assert_eq!(written.len(), 4, "each thread destroyed its own: {written:?}");
            assert!(written.values().all(|count| *count == round), "once each round: {written:?}");
        }
        workers.into_iter().for_each(Worker::end);
        host.runtime.shutdown(Duration::from_secs(30)).unwrap();
    });
}

#[test]
fn registered_threads_destroy_the_values_of_keys() {
    in_child(|| {
        let host = TestHost::new();
        let file = host.state.path().join("notes");
        host.load("c-library", version_of_round(0)).unwrap();
        let module = host.module("c-library");
        let workers: Vec<Worker> = (0..2).map(|_| Worker::start(&host.runtime, module.clone())).collect();
        for round in 1..=3 {
            workers.iter().for_each(|worker| worker.call(&file));
            host.load("c-library", version_of_round(round)).unwrap();
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
            let written = notes(&file);
            assert_eq!(written.len(), 2, "each thread destroyed its own: {written:?}");
            assert!(written.values().all(|count| *count == round), "once each round: {written:?}");
        }
        workers.into_iter().for_each(Worker::end);
    });
}

#[test]
fn a_thread_that_ends_destroys_its_thread_locals() {
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
fn a_thread_of_the_module_destroys_its_thread_locals() {
    in_child(|| {
        let host = TestHost::new();
        let file = host.state.path().join("notes");
        host.load("tls-owner", V1).unwrap();
        let module = host.module("tls-owner");
        let query = format!("thread=1&file={}", file.display());
        for _ in 0..8 {
            let owner = module.call(&Request { query: &query, ..Request::get("/") }).unwrap().body;
            let owner = String::from_utf8(owner).unwrap();
            // The thread was joined, so it has ended. The kernel may reuse its id.
            assert!(notes(&file).contains_key(&owner), "{owner} is not among {:?}", notes(&file));
        }
        assert_eq!(notes(&file).values().sum::<usize>(), 8);
    });
}

#[test]
fn an_unregistered_thread_does_not_keep_the_version() {
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
            // The thread lives on and makes no more calls.
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
        assert!(dropped >= 1, "the purge counts it");
        drop(leave);
        idle.join().expect("the thread ends cleanly after the unload");
    });
}

/// A host that waits long for unregistered threads, so that no test reaches the timeout.
fn patient() -> TestHost {
    TestHost::with(|builder| builder.cleanup_timeout(Duration::from_secs(60)))
}

#[test]
fn an_unregistered_thread_destroys_its_thread_locals_at_its_next_call() {
    in_child(|| {
        let host = patient();
        let file = host.state.path().join("notes");
        host.load("tls-owner", V1).unwrap();
        // Any call will do, even of another module.
        host.load("sleeper", V1).unwrap();
        let (module, other) = (host.module("tls-owner"), host.module("sleeper"));
        let query = format!("file={}", file.display());
        let (call, calls) = bounded::<()>(0);
        let (called, has_called) = bounded(0);
        let unregistered = thread::spawn(move || {
            module.call(&Request { query: &query, ..Request::get("/") }).unwrap();
            called.send(()).unwrap();
            for () in calls {
                other.call(&Request::get("/")).unwrap();
                called.send(()).unwrap();
            }
        });
        has_called.recv().unwrap();
        host.load("tls-owner", V2).unwrap();
        let held = within("the runtime waits for the thread", || {
            let pins = host.runtime.pins("tls-owner").unwrap();
            pins.held.into_iter().find(|held| !held.pins.is_empty())
        });
        assert_eq!(held.pins[0].kind, segue::PinKind::Tls, "{held:?}");
        assert_eq!(held.status, segue::VersionState::Pinned, "a rollback to it is too late");
        assert_eq!((host.runtime.images_mapped(), notes(&file).len()), (3, 0));
        call.send(()).unwrap();
        has_called.recv().unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 2);
        assert_eq!(notes(&file).into_values().collect::<Vec<_>>(), [1], "destroyed once, on its thread");
        drop(call);
        unregistered.join().unwrap();
        host.runtime.shutdown(Duration::from_secs(30)).unwrap();
    });
}

#[test]
fn a_value_of_a_key_is_listed_as_a_pin_of_that_kind() {
    in_child(|| {
        let host = patient();
        let file = host.state.path().join("notes");
        host.load("c-library", V1).unwrap();
        let module = host.module("c-library");
        let query = format!("file={}", file.display());
        let (leave, may_leave) = bounded::<()>(0);
        let (called, has_called) = bounded(1);
        let unregistered = thread::spawn(move || {
            module.call(&Request { query: &query, ..Request::get("/") }).unwrap();
            called.send(()).unwrap();
            let _ = may_leave.recv();
        });
        has_called.recv().unwrap();
        host.load("c-library", V2).unwrap();
        until("the key is listed as a pin", || {
            let pins = host.runtime.pins("c-library").unwrap();
            pins.held.iter().flat_map(|held| &held.pins).any(|pin| pin.kind == segue::PinKind::Key)
        });
        drop(leave);
        unregistered.join().unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        assert_eq!(notes(&file).into_values().collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn an_unregistered_thread_may_end_instead_of_calling() {
    in_child(|| {
        let host = patient();
        let file = host.state.path().join("notes");
        host.load("tls-owner", V1).unwrap();
        let module = host.module("tls-owner");
        let query = format!("file={}", file.display());
        let (leave, may_leave) = bounded::<()>(0);
        let (called, has_called) = bounded(1);
        let unregistered = thread::spawn(move || {
            module.call(&Request { query: &query, ..Request::get("/") }).unwrap();
            called.send(()).unwrap();
            let _ = may_leave.recv();
        });
        has_called.recv().unwrap();
        host.load("tls-owner", V2).unwrap();
        until("the runtime waits for the thread", || {
            host.runtime.pins("tls-owner").unwrap().held.iter().any(|held| !held.pins.is_empty())
        });
        assert_eq!(host.runtime.images_mapped(), 2);
        drop(leave);
        unregistered.join().unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        assert_eq!(notes(&file).into_values().collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn a_registered_thread_in_a_long_call_does_not_keep_the_version() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    host.load("tls-owner", V1).unwrap();
    let (sleeper, module) = (host.module("sleeper"), host.module("tls-owner"));
    let runtime = host.runtime.clone();
    let (asleep, is_asleep) = bounded(1);
    let busy = thread::spawn(move || {
        let registered = runtime.register_thread();
        module.call(&Request::get("/")).unwrap();
        let guard = sleeper.enter().unwrap();
        let _calling = registered.note_call(guard.version(), || "a long call".to_owned());
        asleep.send(()).unwrap();
        guard.call(&Request { query: "ms=3000", ..Request::get("/") }).unwrap();
    });
    is_asleep.recv().unwrap();
    host.load("tls-owner", V2).unwrap();
    host.wait_until_old_is_gone("tls-owner");
    assert!(!busy.is_finished(), "it was unloaded while the registered thread was inside another module");
    assert_eq!(host.runtime.images_mapped(), 2);
    busy.join().unwrap();
}
