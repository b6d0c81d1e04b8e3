//! One generation's place in a cell: what callers read of it, and what the writer knows of it.

use crate::answer::Which;
use crate::registry::Registry;
use crate::stripe::LANES;
use crate::sync::{AtomicBool, AtomicPtr, Ordering};
use std::ptr;
use std::sync::Arc;

/// What callers read of a lane. Written only under the cell's mutex, and seldom.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    /// Where the occupant is; null in a free lane. The `Arc` that owns it is in [`State`].
    pub(crate) occupant: AtomicPtr<T>,
    /// Whether somebody waits for this lane to drain.
    pub(crate) watched: AtomicBool,
}

impl<T> Lane<T> {
    pub(crate) fn new() -> Self {
        Self { occupant: AtomicPtr::new(ptr::null_mut()), watched: AtomicBool::new(false) }
    }

    /// Moves `occupant` in. Nobody can be inside: nobody can call a lane before it is published.
    pub(crate) fn seat(&self, occupant: &Arc<T>) {
        // Relaxed: carried to callers by the Release store of `current`, which comes after this.
        self.occupant.store(Arc::as_ptr(occupant).cast_mut(), Ordering::Relaxed);
    }

    /// Empties a lane that is drained or was never published.
    pub(crate) fn clear(&self) {
        self.unwatch();
        self.occupant.store(ptr::null_mut(), Ordering::Relaxed);
    }

    pub(crate) fn unwatch(&self) {
        // Relaxed: who still sees the flag up wakes somebody once too often, which is allowed.
        self.watched.store(false, Ordering::Relaxed);
    }
}

/// What the writer knows of a lane.
#[derive(Debug)]
pub(crate) enum State<T> {
    Free,
    /// Taken by a candidate that nobody can call yet.
    Reserved(Arc<T>),
    Current(Arc<T>),
    Old(Arc<T>),
}

/// Everything that the cell's mutex guards.
#[derive(Debug)]
pub(crate) struct Book<T> {
    pub(crate) states: [State<T>; LANES],
    /// The calls that each lane had seen when its occupant moved in.
    pub(crate) calls_before: [u64; LANES],
    pub(crate) registry: Registry,
}

impl<T> Book<T> {
    pub(crate) fn new() -> Self {
        Self {
            states: std::array::from_fn(|_| State::Free),
            calls_before: [0; LANES],
            registry: Registry::default(),
        }
    }

    pub(crate) fn current(&self) -> Option<(usize, &Arc<T>)> {
        self.find(|state| if let State::Current(occupant) = state { Some(occupant) } else { None })
    }

    pub(crate) fn old(&self) -> Option<(usize, &Arc<T>)> {
        self.find(|state| if let State::Old(occupant) = state { Some(occupant) } else { None })
    }

    /// The lane of the occupant that is meant.
    pub(crate) fn lane_of(&self, which: Which) -> Option<usize> {
        let found = match which {
            Which::Current => self.current(),
            Which::Old => self.old(),
        };
        found.map(|(lane, _)| lane)
    }

    pub(crate) fn has_candidate(&self) -> bool {
        self.states.iter().any(|state| matches!(state, State::Reserved(_)))
    }

    /// Empties a lane's state and hands its occupant out, so that the caller can drop it after the mutex.
    pub(crate) fn take(&mut self, lane: usize) -> Option<Arc<T>> {
        match std::mem::replace(&mut self.states[lane], State::Free) {
            State::Free => None,
            State::Reserved(occupant) | State::Current(occupant) | State::Old(occupant) => Some(occupant),
        }
    }

    /// Whether callers can be, or have been, inside the lane's occupant.
    pub(crate) fn is_open(&self, lane: usize) -> bool {
        matches!(self.states[lane], State::Current(_) | State::Old(_))
    }

    /// Makes the current old, in the book only.
    pub(crate) fn retire_current(&mut self) -> Option<Arc<T>> {
        let (lane, _) = self.current()?;
        let occupant = self.take(lane)?;
        self.states[lane] = State::Old(Arc::clone(&occupant));
        Some(occupant)
    }

    /// Makes the current old and `next` current, in the book only.
    pub(crate) fn switch(&mut self, next: usize) -> Option<Arc<T>> {
        let next_occupant = self.take(next)?;
        let previous = self.retire_current();
        self.states[next] = State::Current(next_occupant);
        previous
    }

    fn find<'a>(&'a self, pick: impl Fn(&'a State<T>) -> Option<&'a Arc<T>>) -> Option<(usize, &'a Arc<T>)> {
        self.states.iter().enumerate().find_map(|(lane, state)| Some((lane, pick(state)?)))
    }
}
