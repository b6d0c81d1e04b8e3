//! Data that several unit tests use.

use segue::{
    Actor, Digest, Event, ModuleStatus, Pin, PinKind, Record, RestartTarget, VersionId, VersionState,
    VersionStatus,
};

/// A module with a call inside its old version.
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
        pins: vec![pin(PinKind::Call, "GET /slow")],
        ..current.clone()
    };
    ModuleStatus {
        name: "greeter".to_owned(),
        current: Some(current),
        old: Some(old),
        quarantined: Vec::new(),
        restarts_to: Some(RestartTarget { version: "1.1.0".to_owned(), digest: Digest::of(b""), seq: 2 }),
        releases_left: None,
        sticky: false,
        callers: Vec::new(),
    }
}

/// The time at which the tests render.
pub(crate) fn now() -> jiff::Timestamp {
    "2026-01-02T03:04:17Z".parse().unwrap()
}

pub(crate) fn pin(kind: PinKind, detail: &str) -> Pin {
    Pin { kind, detail: detail.to_owned(), waits_for: "it to return".to_owned() }
}

pub(crate) fn id(version: &str, generation: u64) -> VersionId {
    VersionId { version: version.to_owned(), generation }
}

pub(crate) fn record(seq: u64, event: Event) -> Record {
    let by = Actor::Peer { uid: 1000, pid: Some(77) };
    Record { seq, at: "2026-01-02T03:04:05.123456Z".parse().unwrap(), by, event }
}
