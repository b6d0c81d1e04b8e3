//! One file per command: its options, what it does, and how it says so.

pub mod blocked;
pub mod check;
pub mod completions;
pub mod confirm;
mod deadline;
pub mod delete;
pub mod demo;
pub mod events;
pub mod history;
pub mod load;
pub mod ls;
pub mod new;
pub mod pins;
pub mod probe;
pub mod purge;
mod purged;
pub mod rollback;
pub mod serve;
pub mod soft_purge;
pub mod status;
pub mod stick;
pub mod unblock;
pub mod unstick;

#[cfg(test)]
pub(crate) mod tests {
    use segue::{Digest, ModuleStatus, Pin, PinKind, VersionState, VersionStatus};

    /// A module whose old version still has a call inside.
    pub(crate) fn module() -> ModuleStatus {
        let current = VersionStatus {
            version: "1.1.0".to_owned(),
            generation: 2,
            digest: Digest::of(b""),
            source: "/srv/modules/libgreeter.so".to_owned(),
            loaded_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            status: VersionState::Confirmed,
            inside: 0,
            oldest_ms: None,
            calls: 40,
            live_bytes: Some(21_504),
            pins: Vec::new(),
        };
        let old = VersionStatus {
            version: "1.0.0".to_owned(),
            generation: 1,
            loaded_at: "2026-01-02T02:04:05Z".parse().unwrap(),
            status: VersionState::Draining,
            inside: 1,
            oldest_ms: Some(2500),
            calls: 1000,
            live_bytes: None,
            pins: vec![Pin {
                kind: PinKind::Call,
                detail: "GET /slow".to_owned(),
                waits_for: "it to return".to_owned(),
            }],
            ..current.clone()
        };
        ModuleStatus {
            name: "greeter".to_owned(),
            current: Some(current),
            old: Some(old),
            quarantined: Vec::new(),
            restarts_to: None,
            releases_left: None,
            sticky: false,
            callers: Vec::new(),
        }
    }

    /// The moment at which tests look.
    pub(crate) fn now() -> jiff::Timestamp {
        "2026-01-02T03:04:17Z".parse().unwrap()
    }
}
