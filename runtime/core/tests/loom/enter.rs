//! A caller that enters while the writer publishes and drains.

use crate::support::{Image, caller_of, cell, check, detects, fails, publish, vacate};
use loom::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use loom::thread;
use segue_core::model::Mutation;
use segue_core::{Cell, Role};
use std::sync::Arc;

/// A caller that may know of a publish when it enters. Nobody has executed the heavy fence for the publish.
fn enter_after(order: [fn(&Cell<Image>, &Arc<Image>, &AtomicBool); 2]) {
    let (cell, images) = cell(|| {});
    let is_published = Arc::new(AtomicBool::new(false));
    let caller = {
        let (cell, is_published) = (Arc::clone(&cell), Arc::clone(&is_published));
        thread::spawn(move || {
            let knew = is_published.load(Acquire);
            let generation = cell.enter().expect("an image is always current").call();
            assert!(
                !knew || generation == 2,
                "a call that began after the publish entered the previous image"
            );
        })
    };
    for step in order {
        step(&cell, &images[2], &is_published);
    }
    caller.join().unwrap();
    assert!(vacate(&cell), "nobody is inside");
}

fn publish_step(cell: &Cell<Image>, image: &Arc<Image>, _: &AtomicBool) {
    publish(cell, image);
}

fn announce_step(_: &Cell<Image>, _: &Arc<Image>, is_published: &AtomicBool) {
    is_published.store(true, Release);
}

#[test]
fn a_caller_that_knows_of_a_publish_enters_the_new_image() {
    check(|| enter_after([publish_step, announce_step]));
}

#[test]
fn announcing_before_publishing_is_detected() {
    assert!(
        fails(|| check(|| enter_after([announce_step, publish_step]))),
        "the model passes with the two steps in the wrong order"
    );
}

/// A caller against a publish and a drain.
fn enter_against_drain() {
    let (cell, images) = cell(|| {});
    let caller = caller_of(&cell);
    publish(&cell, &images[2]);
    let drained = vacate(&cell);
    let generation = caller.join().unwrap();
    assert!(drained || vacate(&cell), "nobody is inside");
    let calls = cell.count(Role::Current).unwrap().calls;
    assert_eq!(calls, u64::from(generation == 2), "cancelled entries are not calls");
}

#[test]
fn a_caller_is_never_in_a_drained_image() {
    check(enter_against_drain);
}

#[test]
fn a_missing_enter_fence_is_detected() {
    detects(Mutation::DropEnterFence, enter_against_drain);
}

#[test]
fn a_missing_switch_fence_is_detected() {
    detects(Mutation::DropSwitchFence, enter_against_drain);
}

#[test]
fn a_missing_recheck_is_detected() {
    detects(Mutation::SkipRecheck, enter_against_drain);
}

#[test]
fn a_relaxed_leave_is_detected() {
    detects(Mutation::RelaxLeave, enter_against_drain);
}

/// A caller that cancels its entry while another is inside.
fn cancel_beside_a_caller() {
    let (cell, images) = cell(|| {});
    let inside = cell.enter().expect("generation 1 is current");
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || drop(cell.enter()))
    };
    publish(&cell, &images[2]);
    assert!(!vacate(&cell), "a caller is inside");
    inside.call();
    drop(inside);
    caller.join().unwrap();
    assert!(vacate(&cell));
}

#[test]
fn a_cancelled_entry_does_not_hide_a_caller() {
    check(cancel_beside_a_caller);
}

#[test]
fn summing_entered_first_is_detected() {
    detects(Mutation::SumEnteredFirst, cancel_beside_a_caller);
}
