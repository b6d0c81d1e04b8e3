//! A guard that is dropped on another thread.

use crate::support::{cell, check, detects, publish, vacate};
use loom::thread;
use segue_core::model::Mutation;
use std::sync::Arc;

/// A guard that is made by the writer and dropped on another thread, against a drain.
fn moved_against_drain() {
    let (cell, images) = cell(|| {});
    let guard = cell.enter_owned().expect("generation 1 is current");
    let leaver = thread::spawn(move || {
        guard.call();
        drop(guard);
    });
    publish(&cell, &images[2]);
    let drained = vacate(&cell);
    leaver.join().unwrap();
    assert!(drained || vacate(&cell));
}

/// A guard that is made on one thread and dropped on another, against a drain on a third.
fn moved_twice_against_drain() {
    let (cell, images) = cell(|| {});
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || {
            let guard = cell.enter_owned().expect("an image is always current");
            thread::spawn(move || drop(guard)).join().unwrap();
        })
    };
    publish(&cell, &images[2]);
    let drained = vacate(&cell);
    caller.join().unwrap();
    assert!(drained || vacate(&cell));
}

#[test]
fn a_guard_can_be_dropped_on_another_thread() {
    check(moved_against_drain);
    check(moved_twice_against_drain);
}

#[test]
fn a_relaxed_leave_on_another_thread_is_detected() {
    detects(Mutation::RelaxLeave, moved_against_drain);
}
