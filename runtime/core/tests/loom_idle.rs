//! A model of how threads of a module that wait are ended: none of them runs at the moment at which all end,
//! and none leaves its stack while another one may use that. The file is the SDK's, whose crate is kept free
//! of loom.

#![cfg(loom)]

#[allow(dead_code, reason = "the model asks less than the SDK does")]
#[path = "../../sdk/src/idle/state.rs"]
mod state;

use std::{panic, sync::Arc};

use loom::{cell::UnsafeCell, thread};
use state::{AfterWait, Barrier, State, end_if_all_wait};

/// One thread waits all the time, and has a variable on its stack. Another one uses that while it runs.
struct Scope {
    outer: State,
    inner: State,
    variable: UnsafeCell<u32>,
}

// SAFETY: loom watches each use of the variable.
unsafe impl Sync for Scope {}

impl Scope {
    fn use_variable(&self) {
        // SAFETY: loom fails if somebody else uses it at the same time.
        self.variable.with_mut(|variable| unsafe { *variable += 1 });
    }

    /// What the inner thread does: it runs, waits, and runs, unless it is ended.
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

/// Where `end` has ended all, the stack of the outer thread goes.
fn model(end: fn(&Scope) -> bool) {
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
        model(|scope| {
            let barrier = Barrier::new();
            end_if_all_wait([&scope.outer, &scope.inner].into_iter(), &barrier, || true, |_| ())
        });
    });
}

#[test]
fn it_is_not_enough_that_each_waits_at_some_time() {
    // The one that waited a moment ago may run by now.
    let fails = panic::catch_unwind(|| {
        loom::model(|| {
            model(|scope| {
                let barrier = Barrier::new();
                scope.inner.is_waiting()
                    && end_if_all_wait([&scope.outer].into_iter(), &barrier, || true, |_| ())
            });
        });
    });
    assert!(fails.is_err(), "loom finds the thread that runs");
}

/// One thread has a condition on its stack. Another one waits for it, in libc, which uses it until it
/// returns.
struct Condition {
    owner: State,
    user: State,
    barrier: Barrier,
    condition: UnsafeCell<u32>,
}

// SAFETY: loom watches each use of the condition.
unsafe impl Sync for Condition {}

impl Condition {
    /// The thread of this state stops waiting; whether it ends, and has left its functions.
    fn leaves(&self, state: &State, meet: fn(&Barrier)) -> bool {
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

/// What a thread that ends does before it leaves its functions.
fn meet(barrier: &Barrier) {
    barrier.arrive();
    while barrier.missing() > 0 {
        thread::yield_now();
    }
}

fn model_of_condition(meet: fn(&Barrier)) {
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
            // SAFETY: loom fails if somebody else changes it at the same time.
            all.condition.with(|condition| unsafe { *condition });
            all.leaves(&all.user, meet);
        })
    };
    let owner = {
        let all = all.clone();
        thread::spawn(move || {
            if all.leaves(&all.owner, meet) {
                // SAFETY: as above. What ends here is its stack.
                all.condition.with_mut(|condition| unsafe { *condition = u32::MAX });
            }
        })
    };
    end_if_all_wait([&all.owner, &all.user].into_iter(), &all.barrier, || true, |_| ());
    user.join().unwrap();
    owner.join().unwrap();
}

#[test]
fn no_stack_goes_while_another_thread_uses_it() {
    loom::model(|| model_of_condition(meet));
}

#[test]
fn without_the_barrier_a_stack_goes_too_early() {
    let fails = panic::catch_unwind(|| loom::model(|| model_of_condition(|_| ())));
    assert!(fails.is_err(), "loom finds the use of a stack that has gone");
}
