//! Parts of error messages.

use std::time::Duration;

use crate::api::status::Pin;

/// Why an old version is still in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldState {
    /// Calls are inside.
    Draining,
    /// No call is inside. It is kept for a rollback while the current version is on trial.
    Warm,
    /// No call is inside, and the runtime is unloading it.
    Unloading,
}

/// The most pins that an error message lists. `segue pins` lists all.
const PINS_SHOWN_MAX: usize = 3;

pub(super) fn list_pins(pins: &[Pin]) -> String {
    let shown: Vec<&str> = pins.iter().take(PINS_SHOWN_MAX).map(|pin| pin.detail.as_str()).collect();
    match pins.len() {
        0 => String::new(),
        count if count > PINS_SHOWN_MAX => {
            format!(": {}; and {} more", shown.join("; "), count - PINS_SHOWN_MAX)
        }
        _ => format!(": {}", shown.join("; ")),
    }
}

pub(super) fn list(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

// === impl OldState ===

impl OldState {
    /// Continues the sentence "old version 1.0.0 …".
    pub(super) fn describe(self, inside: u64, since: Duration) -> String {
        let since = since.as_secs_f64();
        match self {
            OldState::Draining => {
                let calls = if inside == 1 { "call" } else { "calls" };
                format!("still has {inside} {calls} inside after {since:.1} s")
            }
            OldState::Warm => {
                format!("is kept for a rollback while the current version is on trial ({since:.1} s so far)")
            }
            OldState::Unloading => format!("is still being unloaded after {since:.1} s"),
        }
    }
}
