//! What one cell does for a thread that exits.

use crate::cell::{Cell, Occupant};
use crate::exit::Home;
use crate::stripe::{LANES, Stripe};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<T: Occupant> Home for Cell<T> {
    fn depart(&self, stripe: &Stripe) -> bool {
        let guards = self.enter_to_depart(stripe);
        let told = !guards.is_empty();
        for (lane, guard) in guards {
            // The payload's own destructor is the occupant's code too, so it runs inside, and may panic as well.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| guard.depart()))
                && let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
            {
                std::mem::forget(payload);
            }
            // Struck from the list of visitors: it has departed, and exits.
            let _book = self.book().lock();
            stripe.lane(lane).forget_visit();
        }
        told
    }

    fn give_back(&self, stripe: &Stripe) {
        let mut book = self.book().lock();
        for lane in 0..LANES {
            stripe.lane(lane).forget_visit();
        }
        book.registry.give_back(stripe);
    }
}
