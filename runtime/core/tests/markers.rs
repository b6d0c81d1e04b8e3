//! What may cross threads. What may not is a doctest at `CallGuard`.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test says what it means by failing")]
#![allow(dead_code, reason = "each test binary uses its own part of `support`")]

mod support;

use segue_core::{CallGuard, Cell, Fences, OwnedCallGuard, Reservation, ThreadId, VacateOutcome};
use support::Tracked;

fn crosses<T: Send>() {}
fn is_shared<T: Sync>() {}

#[test]
fn cells_are_shared() {
    crosses::<Cell<Tracked>>();
    is_shared::<Cell<Tracked>>();
    crosses::<Reservation<'static, Tracked>>();
    crosses::<VacateOutcome<Tracked>>();
}

#[test]
fn owned_guards_cross_and_are_shared() {
    crosses::<OwnedCallGuard<Tracked>>();
    is_shared::<OwnedCallGuard<Tracked>>();
}

#[test]
fn ids_are_values() {
    crosses::<(ThreadId, Fences)>();
    is_shared::<(ThreadId, Fences)>();
}

#[test]
fn a_guard_that_may_be_none_is_no_larger() {
    assert_eq!(size_of::<Option<CallGuard<'static, Tracked>>>(), size_of::<CallGuard<'static, Tracked>>());
}
