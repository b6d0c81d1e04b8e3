//! Parts of the messages of errors.

use std::time::Duration;

use crate::api::status::Pin;

/// What keeps an old version that a third cannot take the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldState {
    /// Calls are inside.
    Draining,
    /// Nobody is inside; it is kept for a rollback, since current is on trial.
    Warm,
    /// Nobody is inside, and it is being taken out of memory.
    Leaving,
}

/// How many of those who hold a version are told in an error; `segue pins` tells them all.
const TOLD_MAX: usize = 3;

pub(super) fn who(pins: &[Pin]) -> String {
    let told: Vec<&str> = pins.iter().take(TOLD_MAX).map(|pin| pin.detail.as_str()).collect();
    match pins.len() {
        0 => String::new(),
        count if count > TOLD_MAX => format!(": {}; and {} more", told.join("; "), count - TOLD_MAX),
        _ => format!(": {}", told.join("; ")),
    }
}

pub(super) fn list(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

// === impl OldState ===

impl OldState {
    pub(super) fn told(self, inside: u64, since: Duration) -> String {
        let since = since.as_secs_f64();
        match self {
            OldState::Draining => {
                format!("has calls inside still: {inside}; it has been old for {since:.1} s")
            }
            OldState::Warm => {
                format!("is kept for a rollback, since current is on trial: {since:.1} s by now")
            }
            OldState::Leaving => format!("is being taken out of memory; it has been old for {since:.1} s"),
        }
    }
}
