//! The pools of the SDK end with the module's value, at once: the runtimes here never end idle threads.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use segue::{Event, ModuleHandle, PinKind, Request, Runtime};
use segue_tests::{V1, V2, fixture, in_child, until};
use tempfile::TempDir;
use tracing_subscriber::{Registry, layer::SubscriberExt};

use crate::logging::Capture;

/// How long a version may stay that is to stay.
const A_WHILE: Duration = Duration::from_secs(1);

struct Loaded {
    runtime: Runtime,
    module: ModuleHandle,
    name: &'static str,
    home: TempDir,
}

impl Loaded {
    fn new(name: &'static str) -> Self {
        let home = TempDir::new().unwrap();
        let runtime = Runtime::builder()
            .state_dir(home.path().join("state"))
            .idle_thread_timeout(Duration::MAX)
            .build()
            .unwrap();
        runtime.load(fixture(name, V1)).unwrap();
        let module = runtime.module(name).unwrap();
        Loaded { runtime, module, name, home }
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("lines")
    }

    fn lines(&self) -> usize {
        fs::read_to_string(self.file()).unwrap_or_default().lines().count()
    }

    fn call(&self, what: &str) -> Result<String, String> {
        let query = format!("do={what}&file={}", self.file().display());
        let reply = self.module.call(&Request { query: &query, ..Request::get("/") });
        reply.map(|reply| String::from_utf8(reply.body).unwrap()).map_err(|error| error.to_string())
    }

    fn replace(&self, version: &str) {
        self.runtime.load(fixture(self.name, version)).unwrap();
    }

    fn until_old_has_left(&self) {
        let is_told = || self.runtime.status(self.name).unwrap().old.is_none();
        until("the old version is unloaded", || self.runtime.images_mapped() == 1 && is_told());
    }

    fn old_stays(&self) {
        thread::sleep(A_WHILE);
        assert_eq!(self.runtime.images_mapped(), 2);
        let old = self.runtime.status(self.name).unwrap().old.unwrap();
        assert!(old.pins.iter().any(|pin| pin.kind == PinKind::Thread), "{old:?}");
    }

    /// Replaces it again and again while a thread calls it.
    fn is_replaced_under_calls(&self, call: &'static str) {
        let is_over = Arc::new(AtomicBool::new(false));
        thread::scope(|scope| {
            let caller = scope.spawn({
                let is_over = is_over.clone();
                move || {
                    while !is_over.load(Ordering::Relaxed) {
                        self.call(call).unwrap();
                    }
                }
            });
            for round in 1..=10 {
                self.replace(if round % 2 == 0 { V1 } else { V2 });
                self.until_old_has_left();
            }
            is_over.store(true, Ordering::Relaxed);
            caller.join().unwrap();
        });
        let records = self.runtime.events().recent(0);
        let ended = records.iter().filter_map(|record| match record.event {
            Event::Purged { threads_ended, .. } => Some(threads_ended),
            _ => None,
        });
        assert_eq!(ended.collect::<Vec<_>>(), [0; 10], "the runtime has ended no idle thread");
    }
}

#[test]
fn rayons_global_pool_ends_with_its_version() {
    in_child(|| {
        let loaded = Loaded::new("with-rayon");
        let threads: usize = loaded.call("pool").unwrap().parse().unwrap();
        assert_eq!(loaded.call("sum").unwrap(), "500500");
        let named = |name: &str| {
            let tasks = fs::read_dir("/proc/self/task").unwrap();
            let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
            names.filter(|found| found.starts_with(name)).count()
        };
        until("they have their names, and so has the one that keeps them", || named("rayon-") == threads + 1);
        loaded.replace(V2);
        loaded.until_old_has_left();
        // The system takes a moment after a thread has left all code.
        until("no thread of the pool is left", || named("rayon-") == 0);
    });
}

#[test]
fn a_module_with_rayon_is_replaced_under_calls() {
    in_child(|| {
        let loaded = Loaded::new("with-rayon");
        loaded.call("pool").unwrap();
        // `pool` starts it in each version, and uses it.
        loaded.is_replaced_under_calls("pool");
    });
}

#[test]
fn what_rayons_pool_has_left_is_done_first() {
    in_child(|| {
        let loaded = Loaded::new("with-rayon");
        loaded.call("pool").unwrap();
        loaded.call("spawn").unwrap();
        loaded.replace(V2);
        loaded.until_old_has_left();
        assert_eq!(loaded.lines(), 41, "20 jobs, one that each has spawned, and the value's `Drop`");
    });
}

#[test]
fn thread_locals_of_rayons_threads_are_destroyed() {
    in_child(|| {
        let loaded = Loaded::new("with-rayon");
        let threads: usize = loaded.call("pool").unwrap().parse().unwrap();
        loaded.call("local").unwrap();
        assert_eq!(loaded.lines(), 0);
        loaded.replace(V2);
        loaded.until_old_has_left();
        assert_eq!(loaded.lines(), threads);
    });
}

#[test]
fn a_job_of_rayon_that_panics_fails_alone() {
    in_child(|| {
        let capture = Capture::default();
        tracing::subscriber::set_global_default(Registry::default().with(capture.clone())).unwrap();
        let loaded = Loaded::new("with-rayon");
        loaded.call("pool").unwrap();
        loaded.call("panic").unwrap();
        until("the panic is told", || capture.take().iter().any(|line| line.contains("in a job")));
        loaded.replace(V2);
        loaded.until_old_has_left();
    });
}

#[test]
fn the_pools_of_a_version_that_refuses_to_load_end_too() {
    in_child(|| {
        for name in ["with-rayon", "with-tokio"] {
            let loaded = Loaded::new(name);
            std::env::set_current_dir(loaded.home.path()).unwrap();
            fs::write("veto", "").unwrap();
            let refused = loaded.runtime.load(fixture(name, V2)).unwrap_err();
            assert!(refused.to_string().contains("a veto"), "{refused}");
            until("it is unloaded", || loaded.runtime.images_mapped() == 1);
            loaded.runtime.delete(name).unwrap();
            until("so has the other one", || loaded.runtime.images_mapped() == 0);
        }
    });
}

#[test]
fn without_the_host_rayons_global_pool_stays() {
    in_child(|| {
        let loaded = Loaded::new("with-rayon");
        assert_eq!(loaded.call("sum").unwrap(), "500500");
        let refused = loaded.call("pool").unwrap_err();
        assert!(refused.contains("call `host.pool()` first in `on_load`"), "{refused}");
        loaded.replace(V2);
        loaded.old_stays();
    });
}

#[test]
fn a_module_with_tokio_is_replaced_under_calls() {
    in_child(|| {
        let loaded = Loaded::new("with-tokio");
        assert_eq!(loaded.call("use").unwrap(), "42");
        loaded.is_replaced_under_calls("use");
    });
}

#[test]
fn tasks_are_dropped_after_the_value() {
    in_child(|| {
        let loaded = Loaded::new("with-tokio");
        loaded.call("task").unwrap();
        loaded.call("keep").unwrap();
        assert_eq!(loaded.lines(), 0);
        loaded.replace(V2);
        loaded.until_old_has_left();
        assert_eq!(loaded.lines(), 2, "of the value, whose `Drop` uses the runtime, and of the task");
    });
}

#[test]
fn a_version_stays_until_what_blocks_has_returned() {
    in_child(|| {
        let loaded = Loaded::new("with-tokio");
        loaded.call("blocking").unwrap();
        loaded.replace(V2);
        until("its thread is named", || {
            let pins = loaded.runtime.pins("with-tokio").unwrap();
            pins.held.iter().flat_map(|held| &held.pins).any(|pin| pin.detail.contains("(tokio-rt-worker)"))
        });
        loaded.until_old_has_left();
    });
}

#[test]
fn a_task_that_panics_fails_alone_and_records_of_workers_arrive() {
    in_child(|| {
        let capture = Capture::default();
        tracing::subscriber::set_global_default(Registry::default().with(capture.clone())).unwrap();
        let loaded = Loaded::new("with-tokio");
        assert_eq!(loaded.call("panic").unwrap(), "true");
        loaded.call("log").unwrap();
        let lines = capture.take();
        for text in ["in a task", "on a worker"] {
            let line = lines.iter().find(|line| line.contains(text)).unwrap();
            assert!(line.contains("with-tokio") && line.contains(V1), "{line}");
        }
        loaded.replace(V2);
        loaded.until_old_has_left();
    });
}

#[test]
fn without_the_host_a_tokio_runtime_in_a_static_stays() {
    in_child(|| {
        let loaded = Loaded::new("with-tokio");
        loaded.call("own").unwrap();
        loaded.replace(V2);
        loaded.old_stays();
    });
}
