//! Threads that a version leaves waiting are ended, if all of them wait; and then nothing is left of them.

use std::{fs, time::Duration};

use segue::{Event, PinKind, Request, Runtime};
use segue_tests::{V1, V2, fixture, in_child, until, within};
use tempfile::TempDir;

/// How long the runtimes of these tests wait before they end threads.
const PATIENCE: Duration = Duration::from_millis(100);

fn runtime(patience: Duration) -> (Runtime, TempDir) {
    let state = TempDir::new().unwrap();
    (Runtime::builder().state_dir(state.path()).idle_thread_timeout(patience).build().unwrap(), state)
}

fn call(runtime: &Runtime, module: &str, query: &str) {
    runtime.module(module).unwrap().call(&Request { query, ..Request::get("/") }).unwrap();
}

/// Waits until `versions` have left, and says how many threads of the last one were ended.
fn threads_ended(runtime: &Runtime, versions: usize) -> u32 {
    within("the old version is unloaded, and that is told", || {
        let records = runtime.events().recent(0);
        let ended = records.iter().filter_map(|record| match record.event {
            Event::Purged { threads_ended, .. } => Some(threads_ended),
            _ => None,
        });
        ended.collect::<Vec<_>>().get(versions - 1).copied()
    })
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

fn version(round: usize) -> &'static str {
    if round.is_multiple_of(2) { V1 } else { V2 }
}

#[test]
fn threads_are_ended_however_they_wait() {
    in_child(|| {
        let (runtime, _state) = runtime(PATIENCE);
        runtime.load(fixture("idler", version(0))).unwrap();
        let ways = [
            ("sleep", 1),
            ("park", 1),
            ("channel", 1),
            ("condition", 1),
            ("lock", 2),
            ("join", 2),
            ("scope", 2),
            ("datagram", 1),
            ("accept", 1),
            ("pipe", 1),
            ("poll", 1),
            ("epoll", 1),
            ("c-condition", 1),
            ("semaphore", 1),
            ("signal", 1),
            ("blocked", 1),
            ("pselect", 1),
            ("suspend", 1),
            ("c-pair", 2),
        ];
        let before = threads();
        for (round, (way, count)) in ways.into_iter().enumerate() {
            call(&runtime, "idler", &format!("wait={way}"));
            runtime.load(fixture("idler", version(round + 1))).unwrap();
            assert_eq!(threads_ended(&runtime, round + 1), count, "{way}");
        }
        until("no thread is left", || threads() <= before);
    });
}

#[test]
fn what_libc_keeps_of_threads_does_not_grow() {
    in_child(|| {
        let (runtime, _state) = runtime(Duration::from_millis(10));
        runtime.load(fixture("idler", version(0))).unwrap();
        let mut warm = 0;
        for round in 1..=40 {
            call(&runtime, "idler", "wait=sleep");
            call(&runtime, "idler", "wait=channel");
            runtime.load(fixture("idler", version(round))).unwrap();
            threads_ended(&runtime, round);
            if round == 10 {
                warm = mappings();
            }
        }
        // A stack that nobody gives back has two mappings.
        assert!(mappings() < warm + 30, "{warm} mappings have become {}", mappings());
    });
}

#[test]
fn while_one_thread_runs_none_is_ended() {
    in_child(|| {
        let (runtime, _state) = runtime(PATIENCE);
        runtime.load(fixture("idler", V1)).unwrap();
        call(&runtime, "idler", "wait=scope");
        call(&runtime, "idler", "spin_ms=1500");
        runtime.load(fixture("idler", V2)).unwrap();
        std::thread::sleep(10 * PATIENCE);
        assert_eq!(runtime.images_mapped(), 2);
        let old = runtime.status("idler").unwrap().old.unwrap();
        let threads = old.pins.iter().filter(|pin| pin.kind == PinKind::Thread).count();
        assert_eq!(threads, 3, "{old:?}");
        assert_eq!(threads_ended(&runtime, 1), 3, "it waits too, now");
    });
}

#[test]
fn without_an_end_to_the_patience_they_stay() {
    in_child(|| {
        let (runtime, _state) = runtime(Duration::MAX);
        runtime.load(fixture("idler", V1)).unwrap();
        call(&runtime, "idler", "wait=sleep");
        runtime.load(fixture("idler", V2)).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(runtime.images_mapped(), 2);
    });
}

#[test]
fn the_global_pool_of_a_crate_goes_with_its_version() {
    in_child(|| {
        let (runtime, _state) = runtime(PATIENCE);
        runtime.load(fixture("pool", version(0))).unwrap();
        for round in 1..=10 {
            call(&runtime, "pool", "keep=1");
            runtime.load(fixture("pool", version(round))).unwrap();
            assert!(threads_ended(&runtime, round) > 0);
        }
    });
}
