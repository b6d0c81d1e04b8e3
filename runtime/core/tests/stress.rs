//! Real threads call while a writer publishes, rolls back and vacates. Nothing is timed; everything is
//! counted.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(dead_code, reason = "each test binary uses a part of `support`")]

mod support;

use segue_core::{Cell, Count, Fences, Role, VacateOutcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use support::{Log, Tracked, both_fences, empty_cell};

const CALLERS: u64 = 4;
const GENERATIONS: u64 = if cfg!(miri) { 20 } else { 300 };

fn publish(cell: &Cell<Tracked>, generation: u64, log: &Arc<Log>) {
    cell.reserve(Tracked::new(generation, log)).unwrap().publish();
}

fn wait_vacated(cell: &Cell<Tracked>) -> Arc<Tracked> {
    loop {
        match cell.vacate(Role::Old) {
            VacateOutcome::Vacated(occupant) => return occupant,
            VacateOutcome::Busy { .. } => std::thread::yield_now(),
            VacateOutcome::Absent => panic!("no other thread vacates"),
        }
    }
}

#[test]
fn callers_survive_many_generations() {
    for fences in both_fences() {
        run(fences);
    }
}

fn run(fences: Fences) {
    let log = Arc::new(Log::default());
    let cell = empty_cell(fences);
    publish(&cell, 0, &log);
    let stop = AtomicBool::new(false);
    let called = AtomicU64::new(0);
    let counted = std::thread::scope(|scope| {
        let caller = |caller: u64| {
            let (cell, stop, called) = (&cell, &stop, &called);
            scope.spawn(move || {
                // Half of the callers send their guards to another thread, which counts them out.
                let (send, receive) = mpsc::sync_channel(16);
                let dropper = std::thread::spawn(move || {
                    receive.into_iter().for_each(|guard: segue_core::OwnedCallGuard<Tracked>| drop(guard));
                });
                let mut calls = 0;
                let mut newest = 0;
                while !stop.load(SeqCst) {
                    // A rollback takes callers back by one generation at most.
                    let generation = if caller.is_multiple_of(2) {
                        cell.enter().unwrap().call()
                    } else {
                        let guard = cell.enter_owned().unwrap();
                        let generation = guard.call();
                        send.send(guard).unwrap();
                        generation
                    };
                    assert!(generation + 1 >= newest, "{generation} after {newest}");
                    newest = newest.max(generation);
                    calls += 1;
                }
                drop(send);
                dropper.join().unwrap();
                called.fetch_add(calls, SeqCst);
            })
        };
        let callers: Vec<_> = (0..CALLERS).map(caller).collect();
        let mut counted = 0;
        for generation in 1..GENERATIONS {
            publish(&cell, generation, &log);
            if generation.is_multiple_of(3) {
                cell.rollback().unwrap();
                cell.rollback().unwrap();
            }
            // `calls` is exact only in a result with `inside: 0`. In the next result, a caller that read
            // `current` long ago may be counted into this lane, with an entry that it will cancel.
            counted += loop {
                match cell.count(Role::Old).unwrap() {
                    Count { inside: 0, calls } => break calls,
                    Count { .. } => std::thread::yield_now(),
                }
            };
            assert!(Arc::into_inner(wait_vacated(&cell)).is_some(), "the cell keeps no reference");
        }
        stop.store(true, SeqCst);
        // Explicitly, because a scope does not wait for the destructors of thread-locals, which still use the
        // cell.
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        counted
    });
    let last = cell.count(Role::Current).unwrap();
    assert_eq!(last.inside, 0);
    assert_eq!(counted + last.calls, called.load(SeqCst), "each call is counted once, and nothing else is");
    drop(cell);
    assert_eq!(log.drops.load(SeqCst) as u64, GENERATIONS);
    assert!(!log.broken.load(SeqCst));
}

#[test]
fn a_waiting_writer_is_woken() {
    for fences in both_fences() {
        let log = Arc::new(Log::default());
        let (wake, woken) = mpsc::channel();
        let cell = Cell::with_fences(Box::new(move || wake.send(()).unwrap_or(())), fences);
        publish(&cell, 0, &log);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(SeqCst) {
                        cell.enter().unwrap().call();
                    }
                });
            }
            for generation in 1..GENERATIONS {
                publish(&cell, generation, &log);
                cell.watch(Role::Old);
                while let VacateOutcome::Busy { .. } = cell.vacate(Role::Old) {
                    // Hangs if a wake is lost.
                    woken.recv().unwrap();
                }
            }
            stop.store(true, SeqCst);
        });
        assert_eq!(log.drops.load(SeqCst) as u64, GENERATIONS - 1);
    }
}

#[test]
fn a_count_never_exceeds_the_callers_inside() {
    const COUNTS: usize = if cfg!(miri) { 20 } else { 20_000 };
    for fences in both_fences() {
        let log = Arc::new(Log::default());
        let cell = empty_cell(fences);
        publish(&cell, 0, &log);
        let (stop, started) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let call = || {
                started.fetch_add(1, SeqCst);
                while !stop.load(SeqCst) {
                    cell.enter().unwrap().call();
                }
            };
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
            while started.load(SeqCst) < CALLERS {
                std::thread::yield_now();
            }
            let (mut inside, mut of_one) = (0, 0);
            for _ in 0..COUNTS {
                inside = inside.max(cell.count(Role::Current).unwrap().inside);
                let calls = cell.calls_by_thread(Role::Current).iter().map(|thread| thread.calls).max();
                of_one = of_one.max(calls.unwrap_or(0));
            }
            stop.store(true, SeqCst);
            // A join also waits for the exit hooks, which enter the cell.
            callers.into_iter().for_each(|caller| caller.join().unwrap());
            assert!(inside <= CALLERS, "{CALLERS} callers were counted as {inside}");
            assert!(of_one <= 1, "one caller was counted as {of_one}");
        });
        assert_eq!(cell.count(Role::Current).unwrap().inside, 0, "exact when no caller moves");
    }
}
