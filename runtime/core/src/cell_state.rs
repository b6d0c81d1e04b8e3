//! Everything that the cell's mutex guards: the state of each lane, the registry of stripes, and the
//! projections.

use crate::api::{Quarantine, Role};
use crate::current::LANES;
use crate::projection_slots::{ClearedSlot, ProjectionSlots};
use crate::registry::Registry;
use std::sync::{Arc, Weak};

/// What a lane is used for.
#[derive(Debug)]
pub(crate) enum LaneState<T> {
    Free,
    /// Holds a candidate that nobody can call yet.
    Reserved(Arc<T>),
    Current(Arc<T>),
    Old(Arc<T>),
    /// Was old, and keeps its lane while a caller is inside. The number distinguishes it from earlier ones in
    /// this lane.
    Quarantined(Arc<T>, u64),
}

/// Everything that the cell's mutex guards.
pub(crate) struct CellState<T> {
    pub(crate) lanes: [LaneState<T>; LANES],
    /// For each lane, the calls it had seen when its occupant was put in.
    pub(crate) calls_before: [u64; LANES],
    pub(crate) registry: Registry,
    /// Whether `current` was stored to since the last heavy fence. A lane that was current may be summed only
    /// after the next one.
    pub(crate) is_fence_due: bool,
    /// How many occupants were ever put in quarantine.
    quarantine_count: u64,
    /// The projections of this cell. Some may have been dropped.
    pub(crate) projections: Vec<Weak<dyn ProjectionSlots<T>>>,
}

impl<T> CellState<T> {
    pub(crate) fn new() -> Self {
        Self {
            lanes: std::array::from_fn(|_| LaneState::Free),
            calls_before: [0; LANES],
            registry: Registry::default(),
            is_fence_due: false,
            quarantine_count: 0,
            projections: Vec::new(),
        }
    }

    pub(crate) fn current(&self) -> Option<(usize, &Arc<T>)> {
        self.find(|state| if let LaneState::Current(occupant) = state { Some(occupant) } else { None })
    }

    pub(crate) fn old(&self) -> Option<(usize, &Arc<T>)> {
        self.find(|state| if let LaneState::Old(occupant) = state { Some(occupant) } else { None })
    }

    /// The lane of the occupant with that role.
    pub(crate) fn lane_of(&self, role: Role) -> Option<usize> {
        let found = match role {
            Role::Current => self.current(),
            Role::Old => self.old(),
            Role::Quarantined(name) => {
                let LaneState::Quarantined(_, number) = &self.lanes[name.lane] else { return None };
                return (*number == name.number).then_some(name.lane);
            }
        };
        found.map(|(lane, _)| lane)
    }

    /// The lane of the occupant with that role, unless new calls can reach it.
    pub(crate) fn retired_lane(&self, role: Role) -> Option<usize> {
        if role == Role::Current { None } else { self.lane_of(role) }
    }

    /// The occupant of a lane, if callers can be, or have been, inside it.
    pub(crate) fn published(&self, lane: usize) -> Option<&Arc<T>> {
        match &self.lanes[lane] {
            LaneState::Free | LaneState::Reserved(_) => None,
            LaneState::Current(occupant) | LaneState::Old(occupant) | LaneState::Quarantined(occupant, _) => {
                Some(occupant)
            }
        }
    }

    pub(crate) fn has_candidate(&self) -> bool {
        self.lanes.iter().any(|state| matches!(state, LaneState::Reserved(_)))
    }

    /// Frees a lane and returns its occupant. The caller drops it after it has released the mutex.
    pub(crate) fn take(&mut self, lane: usize) -> Option<Arc<T>> {
        match std::mem::replace(&mut self.lanes[lane], LaneState::Free) {
            LaneState::Free => None,
            LaneState::Reserved(occupant)
            | LaneState::Current(occupant)
            | LaneState::Old(occupant)
            | LaneState::Quarantined(occupant, _) => Some(occupant),
        }
    }

    /// All occupants with their lanes, candidates included.
    pub(crate) fn occupants(&self) -> Vec<(usize, Arc<T>)> {
        let occupant = |(lane, state): (usize, &LaneState<T>)| match state {
            LaneState::Free => None,
            LaneState::Reserved(occupant)
            | LaneState::Current(occupant)
            | LaneState::Old(occupant)
            | LaneState::Quarantined(occupant, _) => Some((lane, Arc::clone(occupant))),
        };
        self.lanes.iter().enumerate().filter_map(occupant).collect()
    }

    /// The projections that still have an owner.
    pub(crate) fn live_projections(&self) -> Vec<Arc<dyn ProjectionSlots<T>>> {
        self.projections.iter().filter_map(Weak::upgrade).collect()
    }

    /// Empties the projections' slots of a lane. The caller drops the result after it has released the mutex,
    /// and before it hands out the occupant.
    #[must_use = "drop it after the mutex is released"]
    pub(crate) fn clear_projections(&self, lane: usize) -> Vec<ClearedSlot<T>> {
        self.live_projections().into_iter().map(|projection| ClearedSlot::of(projection, lane)).collect()
    }

    /// Quarantines the old occupant, which keeps its lane.
    pub(crate) fn quarantine_old(&mut self) -> Option<Quarantine> {
        let (lane, _) = self.old()?;
        let occupant = self.take(lane)?;
        self.quarantine_count += 1;
        self.lanes[lane] = LaneState::Quarantined(occupant, self.quarantine_count);
        Some(Quarantine { lane, number: self.quarantine_count })
    }

    /// Makes current old, in this state only.
    pub(crate) fn retire_current(&mut self) -> Option<Arc<T>> {
        let (lane, _) = self.current()?;
        let occupant = self.take(lane)?;
        self.lanes[lane] = LaneState::Old(Arc::clone(&occupant));
        Some(occupant)
    }

    /// Makes current old and `next` current, in this state only.
    pub(crate) fn switch(&mut self, next: usize) -> Option<Arc<T>> {
        let next_occupant = self.take(next)?;
        let previous = self.retire_current();
        self.lanes[next] = LaneState::Current(next_occupant);
        previous
    }

    fn find<'a>(
        &'a self,
        pick: impl Fn(&'a LaneState<T>) -> Option<&'a Arc<T>>,
    ) -> Option<(usize, &'a Arc<T>)> {
        self.lanes.iter().enumerate().find_map(|(lane, state)| Some((lane, pick(state)?)))
    }
}
