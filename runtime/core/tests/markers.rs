//! Which types are `Send` and `Sync`. A doctest of `CallGuard` shows that it is not `Send`.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(dead_code, reason = "each test binary uses a part of `support`")]

mod support;

use segue_core::{CallGuard, Cell, Fences, OwnedCallGuard, Reservation, ThreadId, VacateOutcome};
use support::Tracked;

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}

#[test]
fn a_cell_is_send_and_sync() {
    is_send::<Cell<Tracked>>();
    is_sync::<Cell<Tracked>>();
    is_send::<Reservation<'static, Tracked>>();
    is_send::<VacateOutcome<Tracked>>();
}

#[test]
fn an_owned_guard_is_send_and_sync() {
    is_send::<OwnedCallGuard<Tracked>>();
    is_sync::<OwnedCallGuard<Tracked>>();
}

#[test]
fn thread_ids_and_fences_are_send_and_sync() {
    is_send::<(ThreadId, Fences)>();
    is_sync::<(ThreadId, Fences)>();
}

#[test]
fn an_optional_guard_has_the_size_of_a_guard() {
    assert_eq!(size_of::<Option<CallGuard<'static, Tracked>>>(), size_of::<CallGuard<'static, Tracked>>());
}
