//! Idle threads: if all threads of an old version wait, the runtime ends them, and nothing of them is left.

use std::{fs, time::Duration};

use segue::{Event, PinKind, Runtime};
use segue_tests::{TestHost, V1, V2, call_with, in_child, until, version_of_round, within};

/// The timeout after which most of these tests let the runtime end idle threads.
const PATIENCE: Duration = Duration::from_millis(100);

fn host(idle_thread_timeout: Duration) -> TestHost {
    TestHost::with(|builder| builder.idle_thread_timeout(idle_thread_timeout))
}

/// Waits until this many versions are purged; returns how many threads of the last one were ended.
fn threads_ended(runtime: &Runtime, versions: usize) -> u32 {
    within("the purge is recorded", || {
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

#[test]
fn idle_threads_are_ended_however_they_wait() {
    in_child(|| {
        let host = host(PATIENCE);
        host.load("idler", version_of_round(0)).unwrap();
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
            call_with(&host.module("idler"), &format!("wait={way}"));
            host.load("idler", version_of_round(round + 1)).unwrap();
            assert_eq!(threads_ended(&host.runtime, round + 1), count, "{way}");
        }
        until("no thread is left", || threads() <= before);
    });
}

#[test]
fn the_memory_libc_keeps_for_threads_does_not_grow() {
    in_child(|| {
        let host = host(Duration::from_millis(10));
        host.load("idler", version_of_round(0)).unwrap();
        let mut warm = 0;
        for round in 1..=40 {
            call_with(&host.module("idler"), "wait=sleep");
            call_with(&host.module("idler"), "wait=channel");
            host.load("idler", version_of_round(round)).unwrap();
            threads_ended(&host.runtime, round);
            if round == 10 {
                warm = mappings();
            }
        }
        // A stack that is not freed has two mappings.
        assert!(mappings() < warm + 30, "{warm} mappings grew to {}", mappings());
    });
}

#[test]
fn no_thread_is_ended_while_one_runs() {
    in_child(|| {
        let host = host(PATIENCE);
        host.load("idler", V1).unwrap();
        call_with(&host.module("idler"), "wait=scope");
        call_with(&host.module("idler"), "spin_ms=1500");
        host.load("idler", V2).unwrap();
        std::thread::sleep(10 * PATIENCE);
        assert_eq!(host.runtime.images_mapped(), 2);
        let old = host.runtime.status("idler").unwrap().old.unwrap();
        let threads = old.pins.iter().filter(|pin| pin.kind == PinKind::Thread).count();
        assert_eq!(threads, 3, "{old:?}");
        assert_eq!(threads_ended(&host.runtime, 1), 3, "all three wait now");
    });
}

#[test]
fn idle_threads_stay_without_a_timeout() {
    in_child(|| {
        let host = host(Duration::MAX);
        host.load("idler", V1).unwrap();
        call_with(&host.module("idler"), "wait=sleep");
        host.load("idler", V2).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(host.runtime.images_mapped(), 2);
    });
}

#[test]
fn the_global_pool_of_a_crate_ends_with_its_version() {
    in_child(|| {
        let host = host(PATIENCE);
        host.load("pool", version_of_round(0)).unwrap();
        for round in 1..=10 {
            call_with(&host.module("pool"), "keep=1");
            host.load("pool", version_of_round(round)).unwrap();
            assert!(threads_ended(&host.runtime, round) > 0);
        }
    });
}
