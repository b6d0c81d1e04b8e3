//! What happens when a thread exits: it notifies the occupants that it has visited, and returns its stripes
//! to their cells.
//!
//! The list of visited cells is in a thread-local without a destructor, so that it can still grow while it is
//! processed. A second thread-local has only a destructor, which triggers the exit hooks.

use crate::stripe::Stripe;
use crate::sync::thread_local;
use crate::thread;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Weak;

/// What a cell does when a thread exits.
pub(crate) trait ThreadExitHook: Send + Sync {
    /// Notifies each occupant that the stripe's thread has visited. Returns whether there was one.
    fn notify_occupants(&self, stripe: &Stripe) -> bool;
    /// Takes the stripe back.
    fn release_stripe(&self, stripe: &Stripe);
}

/// A cell in which this thread has a stripe.
struct VisitedCell {
    hook: Weak<dyn ThreadExitHook>,
    stripe: NonNull<Stripe>,
}

/// How far the thread's exit has progressed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ExitPhase {
    Running,
    /// The hooks run: occupants are being notified, and may enter cells.
    Notifying,
    /// The hooks have run. A stripe that is taken now is never released.
    Exited,
}

/// How often an exiting thread visits all its cells to notify occupants. One pass may not be enough, because
/// a notified occupant may enter another. POSIX sets `PTHREAD_DESTRUCTOR_ITERATIONS` to the same number, for
/// the same reason.
const PASSES_MAX: usize = 4;

thread_local! {
    static VISITED: RefCell<ManuallyDrop<Vec<VisitedCell>>> =
        const { RefCell::new(ManuallyDrop::new(Vec::new())) };
    static PHASE: Cell<ExitPhase> = const { Cell::new(ExitPhase::Running) };
    static TRIGGER: Trigger = const { Trigger };
}

/// Runs the exit hooks when it is destroyed, which is when the thread exits.
struct Trigger;

impl Drop for Trigger {
    fn drop(&mut self) {
        #[cfg(not(loom))] // A model's thread calls it itself: `model::exit_thread`.
        run_hooks();
    }
}

/// Has `stripe` released to its cell when this thread exits. Does nothing if the exit hooks have already run.
pub(crate) fn register(stripe: NonNull<Stripe>, hook: Weak<dyn ThreadExitHook>) {
    if PHASE.with(Cell::get) == ExitPhase::Running {
        // An error would mean that the trigger was destroyed, but then the phase would not be `Running`.
        let _ = TRIGGER.try_with(|_| ());
    }
    if PHASE.with(Cell::get) == ExitPhase::Exited {
        return;
    }
    VISITED.with(|visited| {
        let mut visited = visited.borrow_mut();
        // Not while `run_hooks` iterates by index.
        if visited.len() == visited.capacity() && PHASE.with(Cell::get) == ExitPhase::Running {
            visited.retain(|cell| cell.hook.strong_count() > 0);
        }
        visited.push(VisitedCell { hook, stripe });
    });
}

/// Notifies the occupants that this thread has visited, then releases its stripes to their cells.
pub(crate) fn run_hooks() {
    PHASE.with(|phase| phase.set(ExitPhase::Notifying));
    for _ in 0..PASSES_MAX {
        let mut notified = false;
        let mut next = 0;
        // By index, because a notified occupant may enter a cell that this thread has never entered.
        while let Some((hook, stripe)) = visited_cell(next) {
            notified |=
                with_hook(&hook, stripe, |hook, stripe| hook.notify_occupants(stripe)).unwrap_or(false);
            next += 1;
        }
        if !notified {
            break;
        }
    }
    PHASE.with(|phase| phase.set(ExitPhase::Exited));
    thread::clear_stripes();
    for VisitedCell { hook, stripe } in VISITED.with(|visited| ManuallyDrop::into_inner(visited.take())) {
        with_hook(&hook, stripe, |hook, stripe| hook.release_stripe(stripe));
    }
}

fn visited_cell(index: usize) -> Option<(Weak<dyn ThreadExitHook>, NonNull<Stripe>)> {
    VISITED.with(|visited| visited.borrow().get(index).map(|cell| (Weak::clone(&cell.hook), cell.stripe)))
}

/// Runs `act` if the cell is still alive. Catches panics: one can only come from the drop of an occupant
/// whose cell had no other owner left, and a panic that leaves a thread-local's destructor would abort the
/// process.
fn with_hook<R>(
    hook: &Weak<dyn ThreadExitHook>,
    stripe: NonNull<Stripe>,
    act: impl FnOnce(&dyn ThreadExitHook, &Stripe) -> R,
) -> Option<R> {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let hook = hook.upgrade()?;
        // SAFETY: the cell keeps the stripe, and `hook` keeps the cell until the end of this closure.
        Some(act(&*hook, unsafe { stripe.as_ref() }))
    }));
    result.unwrap_or_else(|payload| {
        std::mem::forget(payload);
        None
    })
}
