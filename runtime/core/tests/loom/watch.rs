//! A writer that is woken instead of polling.

use crate::support::{Image, cell, check, detects, publish, vacate};
use loom::sync::atomic::{AtomicBool, Ordering::SeqCst};
use loom::thread;
use segue_core::model::Mutation;
use segue_core::{Cell, Role};
use std::sync::Arc;

/// A writer that waits for a caller to leave, or to cancel its entry.
fn leave_against_watch() {
    leave_against_watch_after(|cell| {
        // This executes the switch's fence, which comes before the flag and so does not serve the watch.
        assert!(cell.count(Role::Old).is_some());
    });
}

/// The same, but the fence of the watch also serves the switch.
fn leave_against_watch_at_once() {
    leave_against_watch_after(|_| {});
}

fn leave_against_watch_after(before_watch: fn(&Cell<Image>)) {
    let woken = Arc::new(AtomicBool::new(false));
    let (cell, images) = cell({
        let woken = Arc::clone(&woken);
        move || woken.store(true, SeqCst)
    });
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || cell.enter().expect("an image is always current").call())
    };
    publish(&cell, &images[2]);
    before_watch(&cell);
    cell.watch(Role::Old);
    let drained = vacate(&cell);
    caller.join().unwrap();
    assert!(drained || woken.load(SeqCst), "a wake was lost");
    assert!(drained || vacate(&cell));
}

#[test]
fn no_wake_is_lost() {
    check(leave_against_watch);
}

#[test]
fn a_missing_leave_fence_is_detected() {
    detects(Mutation::DropLeaveFence, leave_against_watch);
}

#[test]
fn a_missing_watch_fence_is_detected() {
    detects(Mutation::DropWatchFence, leave_against_watch);
}

#[test]
fn no_wake_is_lost_if_the_watch_has_the_only_fence() {
    check(leave_against_watch_at_once);
}

#[test]
fn a_watch_without_the_only_fence_is_detected() {
    detects(Mutation::DropWatchFence, leave_against_watch_at_once);
}

#[test]
fn a_cancelled_entry_without_a_wake_is_detected() {
    detects(Mutation::SkipCancelWake, leave_against_watch);
}
