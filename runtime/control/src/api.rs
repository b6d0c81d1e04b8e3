//! Request and response bodies of the socket.
//!
//! Most responses are types of the runtime: [`ModuleStatus`], [`Pins`], [`Loaded`], [`RolledBack`],
//! [`Confirmed`], [`Deleted`], [`Stickiness`], [`Purged`], [`BlockedFile`], [`Unblocked`], [`Record`]. Field
//! names are stable. A request with an unknown field is rejected, because the field may be misspelt.

use std::path::PathBuf;

use segue::{Digest, ErrorObject, Policy, TrialEnd};
use serde::{Deserialize, Serialize};

#[doc(no_inline)]
pub use segue::{
    BlockedFile, Confirmed, Deleted, Loaded, ModuleStatus, Pins, Purged, Record, RolledBack, Stickiness,
    Unblocked, Warning,
};

/// The body of `POST /v1/load`.
///
/// ```
/// use segue_control::api::{ImageRef, LoadRequest};
///
/// let request = LoadRequest::new(ImageRef::Path("/srv/libgreeter.so".into()));
/// assert_eq!(serde_json::to_string(&request)?, r#"{"images":[{"path":"/srv/libgreeter.so"}]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadRequest {
    /// The files to load, one module each. Either all become current or none does.
    pub images: Vec<ImageRef>,
    /// What to do while an old version has calls inside. Default: refuse the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// How long the whole load may take, in milliseconds. Default: the deadline of [`segue::LoadOptions`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// How long the versions are on trial, in milliseconds. Default: no trial; they are confirmed at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_ms: Option<u64>,
    /// What happens if nobody confirms the trial before it ends. Default: a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end: Option<TrialEnd>,
}

/// One file to load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageRef {
    /// A file that the runtime's process can read. The path is absolute, because the two processes may have
    /// different working directories.
    Path(PathBuf),
    /// A stored image: it was uploaded with `PUT /v1/images`, or loaded before.
    Digest(Digest),
}

/// The response to `POST /v1/load`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadResponse {
    /// The result for each image, in the order of the request.
    pub loaded: Vec<Loaded>,
}

/// The body of `POST /v1/modules/{name}/purge`. It is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeRequest {
    /// How long to wait for the calls inside, in milliseconds. Default: 5000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
}

/// The response to `PUT /v1/images`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutImageResponse {
    /// The digest of the image, for a later [`ImageRef::Digest`].
    pub digest: Digest,
}

/// The response to `GET /healthz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Always `ok`. A runtime that is not healthy does not answer.
    pub status: String,
}

/// The body of every error response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What failed, why, and what to do.
    pub error: ErrorObject,
}

// === impl LoadRequest ===

impl LoadRequest {
    /// Loads one image, with default options.
    pub fn new(image: ImageRef) -> Self {
        LoadRequest::set(vec![image])
    }

    /// Loads a set of images, with default options. Either all become current or none does.
    pub fn set(images: Vec<ImageRef>) -> Self {
        LoadRequest { images, policy: None, deadline_ms: None, trial_ms: None, trial_end: None }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use segue::{
        Actor, CallerStatus, Code, HeldVersion, LoadOutcome, LoadTimings, Pin, PinKind, RestartTarget,
        RollbackSource, Step, VersionId, VersionState, VersionStatus,
    };
    use serde_json::{Value, json};

    use super::*;

    /// A module whose old version has one call inside.
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
            restarts_to: Some(restart_target()),
            releases_left: None,
            sticky: false,
            callers: vec![caller()],
        }
    }

    fn restart_target() -> RestartTarget {
        RestartTarget { version: "1.1.0".to_owned(), digest: Digest::of(b""), seq: 7 }
    }

    fn caller() -> CallerStatus {
        CallerStatus { module: None, version: None, interface: Some("Pricing".to_owned()) }
    }

    fn loaded() -> Loaded {
        let took_us = LoadTimings { publish: Some(3), total: 2100, ..LoadTimings::default() };
        Loaded {
            module: "greeter".to_owned(),
            version: "1.1.0".to_owned(),
            generation: 2,
            digest: Digest::of(b""),
            replaced: Some(VersionId { version: "1.0.0".to_owned(), generation: 1 }),
            outcome: LoadOutcome::Loaded,
            warnings: vec![Warning { message: "…".to_owned(), hint: "…".to_owned() }],
            took_us,
        }
    }

    /// One value for each schema in `openapi.json`.
    pub(crate) fn samples() -> Vec<(&'static str, Value)> {
        fn sample<T: Serialize>(name: &'static str, value: T) -> (&'static str, Value) {
            (name, serde_json::to_value(value).unwrap())
        }
        let module = module();
        let version = VersionId { version: "1.0.0".to_owned(), generation: 1 };
        let member = ErrorObject {
            code: Code::Sticky,
            step: Some(Step::Read),
            module: Some("greeter".to_owned()),
            message: "…".to_owned(),
            hint: None,
            members: Vec::new(),
        };
        let error = ErrorObject {
            code: Code::NotPurged,
            step: Some(Step::Publish),
            module: Some("greeter".to_owned()),
            message: "…".to_owned(),
            hint: None,
            members: vec![member],
        };
        let event = segue::Event::WatchFailed { directory: "/srv".to_owned(), reason: "…".to_owned() };
        let load = LoadRequest {
            policy: Some(Policy::Wait),
            deadline_ms: Some(1),
            trial_ms: Some(2),
            trial_end: Some(TrialEnd::Confirm),
            ..LoadRequest::new(ImageRef::Digest(Digest::of(b"")))
        };
        let purged = Purged {
            module: "greeter".to_owned(),
            purged: false,
            unmapped: false,
            took_us: 5_000_000,
            lingering: 1,
            leaked_bytes: None,
            left_open: segue::LeftOpen::default(),
            pins: module.old.clone().unwrap().pins,
        };
        let rolled_back = RolledBack {
            module: "greeter".to_owned(),
            current: version.clone(),
            old: version.clone(),
            from: RollbackSource::Memory,
            recorded: true,
            took_us: 4,
        };
        let confirmed =
            Confirmed { module: "greeter".to_owned(), confirmed: true, current: version.clone(), took_us: 9 };
        let deleted =
            Deleted { module: "greeter".to_owned(), deleted: true, old: Some(version.clone()), took_us: 9 };
        let stickiness = Stickiness { module: "greeter".to_owned(), sticky: true, changed: true };
        let blocked = BlockedFile {
            module: "greeter".to_owned(),
            version: "1.0.0".to_owned(),
            digest: Digest::of(b""),
            why: "…".to_owned(),
        };
        let held = HeldVersion {
            version: "1.0.0".to_owned(),
            generation: 1,
            status: VersionState::Draining,
            pins: purged.pins.clone(),
        };
        let pins = Pins { module: "greeter".to_owned(), held: vec![held] };
        vec![
            sample("ModuleStatus", &module),
            sample("RestartTarget", restart_target()),
            sample("VersionStatus", module.old.clone()),
            sample("Pin", &purged.pins[0]),
            sample("HeldVersion", &pins.held[0]),
            sample("Pins", pins),
            sample("Digest", Digest::of(b"")),
            sample("VersionId", version),
            sample("LoadRequest", load),
            sample("ImageRef", ImageRef::Path("/x".into())),
            sample("LoadResponse", LoadResponse { loaded: vec![loaded()] }),
            sample("Loaded", loaded()),
            sample("Warning", Warning { message: "…".to_owned(), hint: "…".to_owned() }),
            sample("LoadTimings", LoadTimings::default()),
            sample("RolledBack", rolled_back),
            sample("PurgeRequest", PurgeRequest { deadline_ms: Some(1) }),
            sample("Confirmed", confirmed),
            sample("Deleted", deleted),
            sample("Stickiness", stickiness),
            sample("BlockedFile", blocked),
            sample("Unblocked", Unblocked { digest: Digest::of(b""), unblocked: true }),
            sample("Actor", Actor::Peer { uid: 1000, pid: Some(7) }),
            sample("Purged", purged),
            sample("PutImageResponse", PutImageResponse { digest: Digest::of(b"") }),
            sample(
                "Record",
                Record {
                    seq: 1,
                    at: "2026-01-02T03:04:05Z".parse().unwrap(),
                    by: Actor::Peer { uid: 1000, pid: Some(7) },
                    event,
                },
            ),
            sample("CallerStatus", caller()),
            sample("Health", Health { status: "ok".to_owned() }),
            sample("ErrorBody", ErrorBody { error: error.clone() }),
            sample("ErrorObject", error),
        ]
    }

    #[test]
    fn a_module_status_has_the_documented_json_form() {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expected = json!({
            "name": "greeter",
            "current": {
                "version": "1.1.0", "generation": 2, "digest": digest, "source": "/srv/modules/libgreeter.so",
                "loaded_at": "2026-01-02T03:04:05Z", "status": "confirmed", "inside": 0, "oldest_ms": null,
                "calls": 40, "live_bytes": 21504, "pins": []
            },
            "old": {
                "version": "1.0.0", "generation": 1, "digest": digest, "source": "/srv/modules/libgreeter.so",
                "loaded_at": "2026-01-02T03:04:05Z", "status": "draining", "inside": 1, "oldest_ms": 2500,
                "calls": 1000, "live_bytes": null,
                "pins": [{"kind": "call", "detail": "GET /slow", "waits_for": "it to return"}]
            },
            "quarantined": [],
            "restarts_to": {"version": "1.1.0", "digest": digest, "seq": 7},
            "sticky": false,
            "releases_left": null,
            "callers": [{"module": null, "version": null, "interface": "Pricing"}]
        });
        assert_eq!(serde_json::to_value(module()).unwrap(), expected);
    }

    #[test]
    fn a_load_response_has_the_documented_json_form() {
        let expected = json!({"loaded": [{
            "module": "greeter", "version": "1.1.0", "generation": 2,
            "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "replaced": {"version": "1.0.0", "generation": 1}, "outcome": "loaded",
            "took_us": {"stage": null, "read": null, "verify": null, "probe": null, "map": null, "on_load": null,
                        "code_change": null, "publish": 3, "total": 2100}
        }]});
        let loaded = Loaded { warnings: Vec::new(), ..loaded() };
        assert_eq!(serde_json::to_value(LoadResponse { loaded: vec![loaded] }).unwrap(), expected);
    }

    #[test]
    fn a_load_request_has_the_documented_json_form_and_rejects_unknown_fields() {
        let text = r#"{"images":[{"path":"/x.so"}],"policy":"wait","deadline_ms":30000,"trial_ms":5,"trial_end":"roll_back"}"#;
        let request: LoadRequest = serde_json::from_str(text).unwrap();
        assert_eq!(request.images, [ImageRef::Path("/x.so".into())]);
        assert_eq!((request.policy, request.deadline_ms), (Some(Policy::Wait), Some(30_000)));
        assert_eq!((request.trial_ms, request.trial_end), (Some(5), Some(TrialEnd::RollBack)));
        for bad in [
            r#"{"images":[{"path":"/x.so"}],"dedline_ms":1}"#,
            r#"{"images":[{"file":"/x.so"}]}"#,
            r#"{"images":[{"digest":"sha256:12"}]}"#,
            r#"{"images":[{"path":"/x.so"}],"policy":"hope"}"#,
            r#"{"images":[{"path":"/x.so"}],"trial_end":"hope"}"#,
        ] {
            assert!(serde_json::from_str::<LoadRequest>(bad).is_err(), "{bad}");
        }
    }
}
