//! The random steps.

use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Enter,
    EnterOwned,
    /// Through a projection made at the start.
    EnterProjection,
    /// Through a projection made now.
    EnterNewProjection,
    /// Drops a guard. The index is taken modulo the number of guards.
    Leave(usize),
    /// Drops an owned guard on another thread.
    LeaveOnOtherThread(usize),
    Publish,
    Abandon,
    DropReservation,
    Rollback,
    Withdraw,
    Watch,
    Vacate,
    Quarantine,
    /// Vacates by a quarantine name. The index is taken modulo the number of names ever returned.
    VacateQuarantined(usize),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Enter),
        3 => Just(Step::EnterOwned),
        3 => Just(Step::EnterProjection),
        1 => Just(Step::EnterNewProjection),
        4 => any::<usize>().prop_map(Step::Leave),
        2 => any::<usize>().prop_map(Step::LeaveOnOtherThread),
        4 => Just(Step::Publish),
        1 => Just(Step::Abandon),
        1 => Just(Step::DropReservation),
        2 => Just(Step::Rollback),
        2 => Just(Step::Withdraw),
        1 => Just(Step::Watch),
        4 => Just(Step::Vacate),
        2 => Just(Step::Quarantine),
        2 => any::<usize>().prop_map(Step::VacateQuarantined),
    ]
}
