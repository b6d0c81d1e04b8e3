//! What one cell does for a thread that exits.

use crate::cell::{Cell, Occupant};
use crate::stripe::{LANES, Stripe};
use crate::thread_exit::ThreadExitHook;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<T: Occupant> ThreadExitHook for Cell<T> {
    fn notify_occupants(&self, stripe: &Stripe) -> bool {
        let guards = self.enter_to_depart(stripe);
        let told = !guards.is_empty();
        for (lane, guard) in guards {
            // The payload's own destructor is the occupant's code too, so it runs inside, and may panic as well.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| guard.on_thread_exit()))
                && let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
            {
                std::mem::forget(payload);
            }
            // Struck from the list of visitors: it has departed, and exits.
            let _book = self.state().lock();
            stripe.lane(lane).forget_visit();
        }
        told
    }

    fn give_back(&self, stripe: &Stripe) {
        let mut state = self.state().lock();
        for lane in 0..LANES {
            stripe.lane(lane).forget_visit();
        }
        state.registry.give_back(stripe);
    }
}
