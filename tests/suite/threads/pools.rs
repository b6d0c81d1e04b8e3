//! The thread pools of the SDK end when the module's value is dropped. The runtimes here never end idle
//! threads, so nothing else ends them.

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

use segue::{Event, ModuleHandle, PinKind, Request};
use segue_tests::{TestHost, V1, V2, in_child, response_text, until};
use tracing_subscriber::{Registry, layer::SubscriberExt};

use crate::logging::Capture;

/// How long a test watches that a version stays.
const A_WHILE: Duration = Duration::from_secs(1);

/// A host that never ends idle threads, with a module.
struct Loaded {
    host: TestHost,
    module: ModuleHandle,
    name: &'static str,
}

impl Loaded {
    fn new(name: &'static str) -> Self {
        let host = TestHost::with(|builder| builder.idle_thread_timeout(Duration::MAX));
        host.load(name, V1).unwrap();
        let module = host.module(name);
        Loaded { host, module, name }
    }

    fn file(&self) -> PathBuf {
        self.host.state.path().join("lines")
    }

    fn lines(&self) -> usize {
        fs::read_to_string(self.file()).unwrap_or_default().lines().count()
    }

    fn call(&self, what: &str) -> Result<String, String> {
        let query = format!("do={what}&file={}", self.file().display());
        response_text(self.module.call(&Request { query: &query, ..Request::get("/") }))
    }

    fn replace(&self, version: &str) {
        self.host.load(self.name, version).unwrap();
    }

    fn wait_until_old_is_gone(&self) {
        let is_unlisted = || self.host.runtime.status(self.name).unwrap().old.is_none();
        until("the old version is unloaded", || self.host.runtime.images_mapped() == 1 && is_unlisted());
    }

    fn assert_old_stays(&self) {
        thread::sleep(A_WHILE);
        assert_eq!(self.host.runtime.images_mapped(), 2);
        let old = self.host.runtime.status(self.name).unwrap().old.unwrap();
        assert!(old.pins.iter().any(|pin| pin.kind == PinKind::Thread), "{old:?}");
    }

    /// Replaces the module repeatedly while a thread calls it.
    fn replace_under_calls(&self, call: &'static str) {
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
                self.wait_until_old_is_gone();
            }
            is_over.store(true, Ordering::Relaxed);
            caller.join().unwrap();
        });
        let records = self.host.runtime.events().recent(0);
        let ended = records.iter().filter_map(|record| match record.event {
            Event::Purged { threads_ended, .. } => Some(threads_ended),
            _ => None,
        });
        assert_eq!(ended.collect::<Vec<_>>(), [0; 10], "the runtime ended no idle thread");
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
        until("the threads of the pool, and the one that keeps it, have their names", || {
            named("rayon-") == threads + 1
        });
        loaded.replace(V2);
        loaded.wait_until_old_is_gone();
        // The kernel removes a thread a moment after its last instruction.
        until("no thread of the pool is left", || named("rayon-") == 0);
    });
}

#[test]
fn a_module_with_rayon_is_replaced_under_calls() {
    in_child(|| {
        let loaded = Loaded::new("with-rayon");
        loaded.call("pool").unwrap();
        // In each version, `pool` starts the pool and uses it.
        loaded.replace_under_calls("pool");
    });
}

#[test]
fn jobs_left_in_rayons_pool_run_before_the_unload() {
    in_child(|| {
        let loaded = Loaded::new("with-rayon");
        loaded.call("pool").unwrap();
        loaded.call("spawn").unwrap();
        loaded.replace(V2);
        loaded.wait_until_old_is_gone();
        assert_eq!(loaded.lines(), 41, "20 jobs, one spawned by each, and the value's `Drop`");
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
        loaded.wait_until_old_is_gone();
        assert_eq!(loaded.lines(), threads);
    });
}

#[test]
fn a_panic_in_a_rayon_job_fails_only_that_job() {
    in_child(|| {
        let capture = Capture::default();
        tracing::subscriber::set_global_default(Registry::default().with(capture.clone())).unwrap();
        let loaded = Loaded::new("with-rayon");
        loaded.call("pool").unwrap();
        loaded.call("panic").unwrap();
        until("the panic is logged", || capture.take().iter().any(|line| line.contains("in a job")));
        loaded.replace(V2);
        loaded.wait_until_old_is_gone();
    });
}

#[test]
fn the_pools_of_a_refused_version_end_too() {
    in_child(|| {
        for name in ["with-rayon", "with-tokio"] {
            let loaded = Loaded::new(name);
            std::env::set_current_dir(loaded.host.state.path()).unwrap();
            fs::write("veto", "").unwrap();
            let refused = loaded.host.load(name, V2).unwrap_err();
            assert!(refused.to_string().contains("a veto"), "{refused}");
            until("it is unloaded", || loaded.host.runtime.images_mapped() == 1);
            loaded.host.runtime.delete(name).unwrap();
            until("the other version is unloaded too", || loaded.host.runtime.images_mapped() == 0);
        }
    });
}

#[test]
fn rayons_global_pool_stays_without_the_sdk() {
    in_child(|| {
        let loaded = Loaded::new("with-rayon");
        assert_eq!(loaded.call("sum").unwrap(), "500500");
        let refused = loaded.call("pool").unwrap_err();
        assert!(refused.contains("call `host.pool()` first in `on_load`"), "{refused}");
        loaded.replace(V2);
        loaded.assert_old_stays();
    });
}

#[test]
fn a_module_with_tokio_is_replaced_under_calls() {
    in_child(|| {
        let loaded = Loaded::new("with-tokio");
        assert_eq!(loaded.call("use").unwrap(), "42");
        loaded.replace_under_calls("use");
    });
}

#[test]
fn tasks_are_dropped_after_the_modules_value() {
    in_child(|| {
        let loaded = Loaded::new("with-tokio");
        loaded.call("task").unwrap();
        loaded.call("keep").unwrap();
        assert_eq!(loaded.lines(), 0);
        loaded.replace(V2);
        loaded.wait_until_old_is_gone();
        assert_eq!(
            loaded.lines(),
            2,
            "one from the value, whose `Drop` uses the runtime, and one from the task"
        );
    });
}

#[test]
fn a_version_stays_until_its_blocking_task_returns() {
    in_child(|| {
        let loaded = Loaded::new("with-tokio");
        loaded.call("blocking").unwrap();
        loaded.replace(V2);
        until("its thread is listed as a pin", || {
            let pins = loaded.host.runtime.pins("with-tokio").unwrap();
            pins.held.iter().flat_map(|held| &held.pins).any(|pin| pin.detail.contains("(tokio-rt-worker)"))
        });
        loaded.wait_until_old_is_gone();
    });
}

#[test]
fn a_panic_in_a_task_fails_only_that_task_and_workers_can_log() {
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
        loaded.wait_until_old_is_gone();
    });
}

#[test]
fn a_tokio_runtime_in_a_static_stays_without_the_sdk() {
    in_child(|| {
        let loaded = Loaded::new("with-tokio");
        loaded.call("own").unwrap();
        loaded.replace(V2);
        loaded.assert_old_stays();
    });
}
