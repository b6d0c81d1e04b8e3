//! Plain data that users, the control socket and the ledger see.
//! A line belongs here if it is an event, a status, an outcome, an option or an error.
//! Never use a lock or a thread here.

mod command;
mod error;
mod event;
mod lifecycle;
mod message;
mod options;
mod origin;
mod outcome;
mod status;
mod warning;

pub(crate) use command::Command;
pub(crate) use error::{Cause, NO_EXECUTABLE_STACK};
pub use error::{Code, Error, ErrorObject, OldState, Step};
pub use event::{Event, Record};
pub(crate) use lifecycle::Observer;
pub use lifecycle::{Phase, PhaseReached};
pub use message::{Reply, Request};
pub(crate) use options::Limits;
pub use options::{LoadOptions, ParsePolicyError, ParseTrialEndError, Policy, Source, Trial, TrialEnd};
pub use origin::{Actor, RequestContext};
pub use outcome::{
    BlockedFile, Confirmed, Deleted, LoadOutcome, LoadTimings, Loaded, Purged, RollbackSource, RolledBack,
    Stickiness, Unblocked,
};
pub use status::{
    CallerStatus, HeldVersion, ModuleStatus, Pin, PinKind, Pins, RestartTarget, VersionState, VersionStatus,
};
pub use warning::Warning;
