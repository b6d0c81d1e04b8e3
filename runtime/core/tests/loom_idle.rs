//! A model of how the idle threads of a module are ended: no thread runs at the moment at which all end, and
//! no thread leaves its stack while another may use it.
//!
//! The modelled file belongs to the SDK. It is modelled here to keep the SDK's crate free of loom.

#![cfg(loom)]

#[allow(dead_code, reason = "the model uses a part of it")]
#[path = "../../sdk/src/idle/state.rs"]
mod state;

use std::{panic, sync::Arc};

use loom::{cell::UnsafeCell, thread};
use state::{AfterWait, Barrier, State, end_if_all_wait};

/// The outer thread always waits and has a variable on its stack. The inner thread uses the variable while it
/// runs.
struct Scope {
    outer: State,
    inner: State,
    variable: UnsafeCell<u32>,
}

// SAFETY: loom checks each use of the variable.
unsafe impl Sync for Scope {}

impl Scope {
    fn use_variable(&self) {
        // SAFETY: loom fails if another thread uses it at the same time.
        self.variable.with_mut(|variable| unsafe { *variable += 1 });
    }

    /// The inner thread runs, waits, and runs again unless it is ended.
    fn run(&self) {
        self.use_variable();
        assert!(self.inner.begin_wait());
        loop {
            match self.inner.end_wait() {
                AfterWait::Resume => return self.use_variable(),
                AfterWait::StayHeld => thread::yield_now(),
                AfterWait::End => return,
            }
        }
    }
}

/// If `end` ends all threads, the outer thread leaves its stack.
fn check_variable(end: fn(&Scope) -> bool) {
    let scope = Arc::new(Scope { outer: State::new(), inner: State::new(), variable: UnsafeCell::new(0) });
    assert!(scope.outer.begin_wait());
    let inner = {
        let scope = scope.clone();
        thread::spawn(move || scope.run())
    };
    if end(&scope) {
        scope.use_variable();
    }
    inner.join().unwrap();
}

#[test]
fn no_thread_runs_when_all_are_ended() {
    loom::model(|| {
        check_variable(|scope| {
            let barrier = Barrier::new();
            end_if_all_wait([&scope.outer, &scope.inner].into_iter(), &barrier, || true, |_| ())
        });
    });
}

#[test]
fn checking_each_thread_separately_is_detected() {
    // A thread that waited a moment ago may run by now.
    let fails = panic::catch_unwind(|| {
        loom::model(|| {
            check_variable(|scope| {
                let barrier = Barrier::new();
                scope.inner.is_waiting()
                    && end_if_all_wait([&scope.outer].into_iter(), &barrier, || true, |_| ())
            });
        });
    });
    assert!(fails.is_err(), "loom finds the running thread");
}

/// The owner has a condition variable on its stack. The user waits for it in libc, which uses it until it
/// returns.
struct Condition {
    owner: State,
    user: State,
    barrier: Barrier,
    condition: UnsafeCell<u32>,
}

// SAFETY: loom checks each use of the condition.
unsafe impl Sync for Condition {}

impl Condition {
    /// The thread with this state stops waiting. Returns whether it is ended and has left its functions.
    fn is_ended(&self, state: &State, meet: fn(&Barrier)) -> bool {
        loop {
            match state.end_wait() {
                AfterWait::Resume => return false,
                AfterWait::StayHeld => thread::yield_now(),
                AfterWait::End => break meet(&self.barrier),
            }
        }
        true
    }
}

/// Before an ended thread leaves its functions, it waits for the others at the barrier.
fn meet(barrier: &Barrier) {
    barrier.arrive();
    while barrier.missing() > 0 {
        thread::yield_now();
    }
}

fn check_condition(meet: fn(&Barrier)) {
    let all = Arc::new(Condition {
        owner: State::new(),
        user: State::new(),
        barrier: Barrier::new(),
        condition: UnsafeCell::new(0),
    });
    assert!(all.owner.begin_wait() && all.user.begin_wait());
    let user = {
        let all = all.clone();
        thread::spawn(move || {
            // libc returns.
            // SAFETY: loom fails if another thread changes it at the same time.
            all.condition.with(|condition| unsafe { *condition });
            all.is_ended(&all.user, meet);
        })
    };
    let owner = {
        let all = all.clone();
        thread::spawn(move || {
            if all.is_ended(&all.owner, meet) {
                // The owner leaves its stack.
                // SAFETY: as above.
                all.condition.with_mut(|condition| unsafe { *condition = u32::MAX });
            }
        })
    };
    end_if_all_wait([&all.owner, &all.user].into_iter(), &all.barrier, || true, |_| ());
    user.join().unwrap();
    owner.join().unwrap();
}

#[test]
fn no_thread_leaves_a_stack_that_another_uses() {
    loom::model(|| check_condition(meet));
}

#[test]
fn a_missing_barrier_is_detected() {
    let fails = panic::catch_unwind(|| loom::model(|| check_condition(|_| ())));
    assert!(fails.is_err(), "loom finds the use of the stack after its thread has left it");
}
