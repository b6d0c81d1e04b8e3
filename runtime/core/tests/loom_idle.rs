//! A model of how threads of a module that wait are ended: none of them runs at the moment at which all end. The file is the
//! SDK's, whose crate is kept free of loom.

#![cfg(loom)]

#[allow(dead_code, reason = "the model asks less than the SDK does")]
#[path = "../../sdk/src/idle/state.rs"]
mod state;

use std::{panic, sync::Arc};

use loom::{cell::UnsafeCell, thread};
use state::{Next, State, end_if_all_wait};

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
                Next::GoOn => return self.use_variable(),
                Next::AskAgain => thread::yield_now(),
                Next::End => return,
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
    loom::model(|| model(|scope| end_if_all_wait([&scope.outer, &scope.inner].into_iter(), || true, |_| ())));
}

#[test]
fn it_is_not_enough_that_each_waits_at_some_time() {
    // The one that waited a moment ago may run by now.
    let fails = panic::catch_unwind(|| {
        loom::model(|| {
            model(|scope| {
                scope.inner.is_waiting() && end_if_all_wait([&scope.outer].into_iter(), || true, |_| ())
            });
        });
    });
    assert!(fails.is_err(), "loom finds the thread that runs");
}
