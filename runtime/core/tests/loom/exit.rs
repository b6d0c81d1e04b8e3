//! A thread that exits during a drain.

use crate::support::{cell, check, detects, publish, vacate};
use loom::sync::atomic::Ordering::SeqCst;
use loom::thread;
use segue_core::Role;
use segue_core::model::{Mutation, exit_thread};
use std::sync::Arc;

/// A thread that calls and exits, against a publish and a drain.
fn exit_against_drain() {
    let (cell, images) = cell(|| {});
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || {
            let generation = cell.enter().expect("an image is always current").call();
            exit_thread();
            generation
        })
    };
    publish(&cell, &images[2]);
    let drained = vacate(&cell);
    let generation = caller.join().unwrap();
    assert!(drained || vacate(&cell));
    let notices = images[generation].exit_notices.load(SeqCst);
    assert!(notices <= 1);
    assert!(notices == 1 || generation == 1, "generation 2 is still in the cell, so it must be notified");
    assert_eq!(cell.visitors(Role::Current), [], "a thread that has exited is not a visitor");
    assert_eq!(
        cell.count(Role::Current).unwrap().calls,
        u64::from(generation == 2),
        "an exit notice is not a call"
    );
}

#[test]
fn a_thread_can_exit_during_a_drain() {
    check(exit_against_drain);
}

#[test]
fn an_exit_without_the_switch_fence_is_detected() {
    detects(Mutation::DropSwitchFence, exit_against_drain);
}

#[test]
fn an_exit_with_a_relaxed_leave_is_detected() {
    detects(Mutation::RelaxLeave, exit_against_drain);
}
