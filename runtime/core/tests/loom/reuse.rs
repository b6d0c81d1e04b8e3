//! A lane that is reused while a caller enters it.

use crate::support::{cell, check_bounded, detects, publish, vacate};
use loom::thread;
use segue_core::model::Mutation;
use segue_core::{Role, ThreadId};
use std::sync::Arc;

/// A caller against a lane that is drained, reused for generation 3 and published again.
fn enter_against_reuse() {
    let (cell, images) = cell(|| {});
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || (ThreadId::current(), cell.enter().expect("an image is always current").call()))
    };
    publish(&cell, &images[2]);
    let reused = vacate(&cell);
    if reused {
        publish(&cell, &images[3]);
        vacate(&cell);
    }
    let (thread, generation) = caller.join().unwrap();
    if reused {
        let current = cell.count(Role::Current).unwrap();
        assert_eq!(current.inside, 0);
        assert_eq!(current.calls, u64::from(generation == 3), "a call counts for the image it entered");
        if generation == 3 {
            assert!(cell.visitors(Role::Current).contains(&thread), "a thread that was inside is a visitor");
        }
    }
}

#[test]
fn a_drained_lane_can_be_reused() {
    check_bounded(enter_against_reuse);
}

#[test]
fn reusing_a_busy_lane_is_detected() {
    detects(Mutation::ReuseBusyLane, enter_against_reuse);
}

#[test]
fn reuse_without_the_recheck_is_detected() {
    detects(Mutation::SkipRecheck, enter_against_reuse);
}
