//! The reference: a cell that is slow and obviously correct.

use segue_core::{Quarantine, ReserveError, Role};
use std::sync::Mutex;

/// One generation, in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) inside: u64,
    pub(crate) calls: u64,
}

/// The reference: everything is under one mutex.
#[derive(Default)]
pub(crate) struct Reference(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    current: Option<Generation>,
    old: Option<Generation>,
    /// With the name that the cell returned.
    quarantined: Vec<(Quarantine, Generation)>,
}

/// The number of generations that fit in a cell.
const LANES: usize = 8;

impl Reference {
    pub(crate) fn enter(&self) -> Option<u64> {
        let mut generations = self.0.lock().unwrap();
        let current = generations.current.as_mut()?;
        current.inside += 1;
        current.calls += 1;
        Some(current.number)
    }

    pub(crate) fn leave(&self, number: u64) {
        let mut generations = self.0.lock().unwrap();
        let Generations { current, old, quarantined } = &mut *generations;
        let quarantined = quarantined.iter_mut().map(|(_, generation)| generation);
        let mut all = [current, old].into_iter().flatten().chain(quarantined);
        let entered = all.find(|generation| generation.number == number);
        entered.expect("a generation with a caller inside is present").inside -= 1;
    }

    pub(crate) fn publish(&self, number: u64) -> Result<Option<u64>, ReserveError> {
        let mut generations = self.0.lock().unwrap();
        if generations.old.is_some() {
            return Err(ReserveError::OldPresent);
        }
        if usize::from(generations.current.is_some()) + generations.quarantined.len() == LANES {
            return Err(ReserveError::NoFreeLane);
        }
        generations.old = generations.current.replace(Generation { number, inside: 0, calls: 0 });
        Ok(generations.old.map(|old| old.number))
    }

    pub(crate) fn rollback(&self) -> bool {
        let mut generations = self.0.lock().unwrap();
        let Generations { current, old, .. } = &mut *generations;
        let is_possible = old.is_some();
        if is_possible {
            std::mem::swap(current, old);
        }
        is_possible
    }

    pub(crate) fn withdraw(&self) -> bool {
        let mut generations = self.0.lock().unwrap();
        let is_possible = generations.old.is_none() && generations.current.is_some();
        if is_possible {
            generations.old = generations.current.take();
        }
        is_possible
    }

    pub(crate) fn quarantine(&self, name: Option<Quarantine>) -> bool {
        let mut generations = self.0.lock().unwrap();
        let old = generations.old.take();
        generations.quarantined.extend(name.zip(old));
        name.is_some() == old.is_some()
    }

    /// The generation that was taken out, or the number of callers inside. `None` if there is no such
    /// generation.
    pub(crate) fn vacate(&self, role: Role) -> Option<Result<u64, u64>> {
        let generation = self.find(role)?;
        if generation.inside > 0 {
            return Some(Err(generation.inside));
        }
        let mut generations = self.0.lock().unwrap();
        generations.old.take_if(|old| old.number == generation.number);
        generations.quarantined.retain(|(_, quarantined)| quarantined.number != generation.number);
        Some(Ok(generation.number))
    }

    pub(crate) fn find(&self, role: Role) -> Option<Generation> {
        let generations = self.0.lock().unwrap();
        match role {
            Role::Current => generations.current,
            Role::Old => generations.old,
            Role::Quarantined(name) => generations
                .quarantined
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, generation)| *generation),
        }
    }
}
