//! The other operations that change roles: rollback, withdrawal, quarantine, and two writers at once.

use crate::support::{Image, caller_of, cell, check, detects, publish, vacate, vacate_role};
use loom::thread;
use segue_core::model::Mutation;
use segue_core::{Cell, Role, VacateOutcome};
use std::sync::Arc;

/// A caller against a publish, a rollback, and the drain of the image that was current in between.
fn enter_against_rollback() {
    let (cell, images) = cell(|| {});
    let caller = caller_of(&cell);
    publish(&cell, &images[2]);
    cell.rollback().expect("an image is old");
    let drained = vacate(&cell);
    let generation = caller.join().unwrap();
    assert!(drained || vacate(&cell));
    assert_eq!(cell.count(Role::Current).unwrap().calls, u64::from(generation == 1));
}

#[test]
fn a_caller_is_never_in_an_image_drained_after_a_rollback() {
    check(enter_against_rollback);
}

#[test]
fn a_rollback_without_its_fence_is_detected() {
    detects(Mutation::DropSwitchFence, enter_against_rollback);
}

/// A caller against a withdrawal and a drain.
fn enter_against_withdrawal() {
    let (cell, _images) = cell(|| {});
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || cell.enter().map(|guard| guard.call()))
    };
    cell.withdraw().expect("generation 1 is current");
    let drained = vacate(&cell);
    caller.join().unwrap();
    assert!(drained || vacate(&cell));
    assert!(cell.enter().is_none());
}

#[test]
fn a_caller_is_never_in_an_image_drained_after_a_withdrawal() {
    check(enter_against_withdrawal);
}

#[test]
fn a_withdrawal_without_its_fence_is_detected() {
    detects(Mutation::DropSwitchFence, enter_against_withdrawal);
}

/// A caller that may be inside an image when that is quarantined, and may stay while newer images come and
/// go.
fn quarantine_beside_newer_images() {
    let (cell, images) = cell(|| {});
    let caller = caller_of(&cell);
    publish(&cell, &images[2]);
    let first = Role::Quarantined(cell.quarantine_old().expect("an image is old"));
    publish(&cell, &images[3]);
    let second_vacated = vacate(&cell);
    let first_vacated = vacate_role(&cell, first);
    caller.join().unwrap();
    assert!(first_vacated || vacate_role(&cell, first));
    assert!(second_vacated || vacate(&cell));
    assert!(matches!(cell.vacate(first), VacateOutcome::Absent), "its name matches no image any more");
}

#[test]
fn a_quarantined_image_keeps_its_lane() {
    check(quarantine_beside_newer_images);
}

#[test]
fn a_quarantine_without_the_switch_fence_is_detected() {
    detects(Mutation::DropSwitchFence, quarantine_beside_newer_images);
}

#[test]
fn a_quarantine_without_the_enter_fence_is_detected() {
    detects(Mutation::DropEnterFence, quarantine_beside_newer_images);
}

/// Two writers that publish and vacate old. One of them makes a call first.
fn two_publishers() {
    let (cell, images) = cell(|| {});
    let other = {
        let (cell, image) = (Arc::clone(&cell), Arc::clone(&images[2]));
        thread::spawn(move || try_publish(&cell, &image))
    };
    let generation = cell.enter().expect("an image is always current").call();
    let is_mine = try_publish(&cell, &images[3]);
    let is_others = other.join().unwrap();
    assert!(is_mine || is_others, "one of them must publish");
    if cell.occupant(Role::Old).is_some() {
        assert!(vacate(&cell), "nobody is inside");
    }
    let current = cell.occupant(Role::Current).unwrap().generation;
    assert!(current == 3 && is_mine || current == 2 && is_others);
    assert_eq!(cell.count(Role::Current).unwrap().calls, u64::from(generation == current));
}

/// Publishes unless the other writer is publishing, or has left an old image with a caller inside. Returns
/// whether it did.
fn try_publish(cell: &Cell<Image>, image: &Arc<Image>) -> bool {
    let Ok(reservation) = cell.reserve(Arc::clone(image)) else { return false };
    reservation.publish();
    if let VacateOutcome::Vacated(image) = cell.vacate(Role::Old) {
        image.unmap();
    }
    true
}

#[test]
fn two_writers_can_publish() {
    check(two_publishers);
}

#[test]
fn two_writers_without_the_switch_fence_are_detected() {
    detects(Mutation::DropSwitchFence, two_publishers);
}
