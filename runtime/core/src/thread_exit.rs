//! What happens when a thread exits: the occupants it has been inside are told, and its stripes go back to their cells.
//!
//! The list of what is to be done lies in a thread-local without a destructor, so that it can still grow while it is worked
//! through. A second thread-local has a destructor and nothing else: it is the hook.

use crate::stripe::Stripe;
use crate::sync::thread_local;
use crate::thread;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Weak;

/// What a cell does for a thread that exits.
pub(crate) trait ThreadExitHook: Send + Sync {
    /// Says goodbye to each occupant that the stripe's thread has visited. Whether there was one.
    fn notify_occupants(&self, stripe: &Stripe) -> bool;
    /// Takes the stripe back.
    fn give_back(&self, stripe: &Stripe);
}

/// A cell that this thread has a stripe in.
struct Visit {
    home: Weak<dyn ThreadExitHook>,
    stripe: NonNull<Stripe>,
}

/// How far a thread is with exiting.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Alive,
    /// The hook runs: occupants are being told, and may enter cells from there.
    Leaving,
    /// The hook has run. A stripe taken now is never given back.
    Gone,
}

/// How often a thread that exits goes around its cells, telling the occupants that it has visited, since one that is told
/// may enter another. The same number, for the same reason, as POSIX has in `PTHREAD_DESTRUCTOR_ITERATIONS`.
const ROUNDS: usize = 4;

thread_local! {
    static VISITS: RefCell<ManuallyDrop<Vec<Visit>>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
    static PHASE: Cell<Phase> = const { Cell::new(Phase::Alive) };
    static HOOK: Hook = const { Hook };
}

/// Its destructor is the thread's exit.
struct Hook;

impl Drop for Hook {
    fn drop(&mut self) {
        #[cfg(not(loom))] // loom's threads say it by hand: `sync::modelled::exit_thread`.
        exit();
    }
}

/// Notes that `stripe` is to be given back to its cell when this thread exits, unless it is too late for that.
pub(crate) fn enlist(stripe: NonNull<Stripe>, home: Weak<dyn ThreadExitHook>) {
    if PHASE.with(Cell::get) == Phase::Alive {
        // An error would mean that the hook has run, but then the phase would say so.
        let _ = HOOK.try_with(|_| ());
    }
    if PHASE.with(Cell::get) == Phase::Gone {
        return;
    }
    VISITS.with(|visits| {
        let mut visits = visits.borrow_mut();
        // Not while `exit` goes through them by index.
        if visits.len() == visits.capacity() && PHASE.with(Cell::get) == Phase::Alive {
            visits.retain(|visit| visit.home.strong_count() > 0);
        }
        visits.push(Visit { home, stripe });
    });
}

/// The thread exits: occupants that it visited are told, then its stripes go back to their cells.
pub(crate) fn exit() {
    PHASE.with(|phase| phase.set(Phase::Leaving));
    for _ in 0..ROUNDS {
        let mut told = false;
        let mut next = 0;
        // By index, since an occupant that is told may enter a cell that this thread has never been in.
        while let Some((home, stripe)) = visit(next) {
            told |= at_home(&home, stripe, |home, stripe| home.notify_occupants(stripe)).unwrap_or(false);
            next += 1;
        }
        if !told {
            break;
        }
    }
    PHASE.with(|phase| phase.set(Phase::Gone));
    thread::forget_all();
    for Visit { home, stripe } in VISITS.with(|visits| ManuallyDrop::into_inner(visits.take())) {
        at_home(&home, stripe, |home, stripe| home.give_back(stripe));
    }
}

fn visit(index: usize) -> Option<(Weak<dyn ThreadExitHook>, NonNull<Stripe>)> {
    VISITS.with(|visits| visits.borrow().get(index).map(|visit| (Weak::clone(&visit.home), visit.stripe)))
}

/// Runs `act` if the cell still lives. A panic ends here: it could only come from the drop of an occupant whose cell had no
/// other owner left, and a panic that leaves a thread-local's destructor would end the process.
fn at_home<R>(
    home: &Weak<dyn ThreadExitHook>,
    stripe: NonNull<Stripe>,
    act: impl FnOnce(&dyn ThreadExitHook, &Stripe) -> R,
) -> Option<R> {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let home = home.upgrade()?;
        // SAFETY: the stripe is kept by its cell, which `home` keeps until the end of this closure.
        Some(act(&*home, unsafe { stripe.as_ref() }))
    }));
    result.unwrap_or_else(|payload| {
        std::mem::forget(payload);
        None
    })
}
