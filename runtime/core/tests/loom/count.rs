//! The count of callers inside a current occupant, while they enter and leave.

use crate::support::{cell, check, detects};
use loom::thread;
use segue_core::Role;
use segue_core::model::Mutation;
use std::sync::Arc;

/// One caller makes two calls, one after the other, while the writer counts.
fn count_against_calls() {
    let (cell, _images) = cell(|| {});
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || {
            for _ in 0..2 {
                drop(cell.enter());
            }
        })
    };
    let inside = cell.count(Role::Current).unwrap().inside;
    assert!(inside <= 1, "one caller is counted as {inside}");
    let by_thread = cell.calls_by_thread(Role::Current);
    assert!(by_thread.iter().all(|thread| thread.calls <= 1), "{by_thread:?}");
    caller.join().unwrap();
    assert_eq!(cell.count(Role::Current).unwrap().inside, 0, "exact when no caller moves");
}

#[test]
fn a_count_never_exceeds_the_callers_inside() {
    check(count_against_calls);
}

#[test]
fn reading_left_first_is_detected() {
    detects(Mutation::CountLeftFirst, count_against_calls);
}
