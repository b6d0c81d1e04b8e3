//! What one cell does when a thread exits.

use crate::cell::Cell;
use crate::current::LANES;
use crate::entry::Entry;
use crate::guard::CallGuard;
use crate::occupant::Occupant;
use crate::stripe::Stripe;
use crate::thread_exit::ThreadExitHook;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<T: Occupant> ThreadExitHook for Cell<T> {
    fn notify_occupants(&self, stripe: &Stripe) -> bool {
        let guards = self.enter_visited(stripe);
        let notified = !guards.is_empty();
        for (lane, guard) in guards {
            // The payload's destructor is the occupant's code too. So it also runs while counted in, and may
            // also panic.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| guard.on_thread_exit()))
                && let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
            {
                std::mem::forget(payload);
            }
            // The occupant was notified and the thread exits, so it leaves the list of visitors.
            let _state = self.state().lock();
            stripe.lane(lane).clear_visit();
        }
        notified
    }

    fn release_stripe(&self, stripe: &Stripe) {
        let mut state = self.state().lock();
        for lane in 0..LANES {
            stripe.lane(lane).clear_visit();
        }
        state.registry.release(stripe);
    }
}

impl<T: Occupant> Cell<T> {
    /// Counts the calling thread, which exits, once more into each occupant that it has visited. These
    /// entries are not calls.
    fn enter_visited<'a>(&'a self, stripe: &'a Stripe) -> Vec<(usize, CallGuard<'a, T>)> {
        let state = self.state().lock();
        let visited =
            (0..LANES).filter(|lane| state.published(*lane).is_some() && stripe.lane(*lane).has_visited());
        let enter = |lane: usize| {
            let (entry, occupant) = Entry::under_mutex(self, &state, lane, stripe)?;
            Some((lane, CallGuard::new(entry, occupant)))
        };
        visited.filter_map(enter).collect()
    }
}
