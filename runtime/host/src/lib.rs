//! Replace the logic of a running service without stopping it.
//!
//! Service logic is a *module*: a Rust `cdylib` written with `segue-sdk`. A [`Runtime`] keeps at most two versions of each
//! module, **current** and **old**. A new call enters current; a call that is inside old finishes there; and when nobody
//! is inside old any more, it leaves memory, which is proven and not hoped for.
//!
//! ```no_run
//! use segue::{Request, Runtime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::builder().state_dir("state").build()?;
//! runtime.load("target/release/libgreeter.so")?;
//!
//! let greeter = runtime.module("greeter")?; // Clone, Send, Sync; always calls current
//! let answer = greeter.call(&Request::get("/ada"))?;
//! println!("{}", String::from_utf8_lossy(&answer.body));
//!
//! // Later, while other threads go on calling:
//! runtime.load("target/release/libgreeter.so")?; // the new file is current
//! runtime.rollback("greeter")?; // the version before it is current again, as long as it is in memory
//! runtime.shutdown(std::time::Duration::from_secs(10))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Concepts
//!
//! * [`Runtime`]: the modules of a process, what may be done with them, and what happened ([`Events`]).
//! * [`ModuleHandle`]: calls one module, bytes in and bytes out. [`CallGuard`] is one caller inside one version.
//! * [`InterfaceHandle`]: calls one module through a typed interface ([`macro@interface`]), as fast as a trait object.
//! * **load**: a file goes through stage, read, map, ABI check and `on_load`; until the last of them nothing has changed. Then the
//!   ledger notes it, and one store makes it current. What was current is old. Several files are one
//!   [set](Runtime::load_set): all of them become current, or none.
//! * **purge**: old is left by its last caller, its threads end, what host threads keep for it is destroyed, it is
//!   unmapped, and the dynamic linker's list is asked. This begins by itself.
//! * **rollback**: while old is there, one store makes it current again; later, its file is loaded again from the store.
//! * **trial**: a version that is loaded [on trial](LoadOptions::trial) is current, and a restart does not return to it until it is
//!   [confirmed](Runtime::confirm); until then old is kept, so that going back is one store.
//! * **ledger**: what happened, with who asked for it ([`Event`], [`Actor`]), and what a restart returns to. What is acknowledged is on the
//!   disk before.
//! * [`Snapshot`]: all modules as they are at one moment.
//! * **modules directory**: a file that is put there is loaded.
//! * [`RegisteredThread`]: a thread that takes part in purges, as those of a server's pool should.
//!
//! # What it costs, and what it asks
//!
//! Entering and leaving a version is two loads and two stores on memory of the calling thread. Nothing that the runtime
//! does makes a caller wait. In return, what a module hands over is copied into memory of the host, and a version stays in
//! memory for as long as one call, or one thread that it started, is in it.
//!
//! # How it works
//!
//! The counting is in `segue-core`, the way of a file in and out of memory in `segue-loader`; this crate decides when and
//! whether. One thread, a *journey*, takes a version through its load (`load/`), and then the version that it displaced out of
//! memory (`retire.rs`). What must outlive the process is in a database (`ledger/`), which is written in the order in which things
//! happen (`events.rs`), and read when a runtime begins (`crashes.rs`, `restore.rs`).
//!
//! # What a restart returns to
//!
//! However the process ended: of each module the version that was confirmed last, by a load without a trial, by
//! [`confirm`](Runtime::confirm) or by a rollback, unless it was deleted since. A version that was on trial is left behind. So is one
//! whose code ended the process, with a fatal signal or by `exit`, while it was on trial or before it had been in memory for the
//! [settle time](Builder::crash_window): its file is blocked, until somebody [unblocks](Runtime::unblock) it.
//!
//! Where they differ, the ledger decides which version is current, the store of the state directory has its file, and a file of the
//! modules directory counts only when its bytes are not those that were taken from it last.

#![forbid(unsafe_code)]

mod api;
mod call;
mod clock;
mod guest;
pub mod guide;
mod inspect;
mod intake;
mod load;
mod module;
mod purge;
mod recovery;
mod rollout;
mod runtime;
mod shared;
mod store;
mod threads;
mod watch;

pub use api::Warning;
pub use api::{Actor, RequestContext};
pub use api::{
    BlockedFile, Confirmed, Deleted, LoadOutcome, LoadTimings, Loaded, Purged, RollbackSource, RolledBack,
    Stickiness, Unblocked,
};
pub use api::{CallerStatus, HeldVersion, ModuleStatus, Pin, PinKind, Pins, VersionState, VersionStatus};
pub use api::{Code, Error, ErrorObject, OldState, Step};
pub use api::{Event, Record};
pub use api::{LoadOptions, ParsePolicyError, ParseTrialEndError, Policy, Source, Trial, TrialEnd};
pub use api::{Phase, PhaseReached};
pub use api::{Reply, Request};
pub use call::handle::{CallGuard, ModuleHandle, OwnedCallGuard};
pub use call::interface::{InterfaceGuard, InterfaceHandle};
pub use call::snapshot::Snapshot;
pub use intake::check::{FileReport, check};
pub use intake::findings::{Finding, FindingKind};
pub use recovery::post_mortem::{Crash, crashes_in};
pub use runtime::Runtime;
pub use runtime::builder::Builder;
pub use segue_interface::{Bytes, CallError, CallFailure, Fault, List, Str, VersionId, data, interface};
pub use segue_loader::{
    Argument, AttributedBy, Digest, Interface, InterfaceMismatch, LeftOpen, Metadata, Method, Type, Unload,
    descriptors_in_use, descriptors_left_open, signal_name,
};
pub use store::event_log::{Events, NextEvent, Subscription};
pub use threads::registered::{CleanupTask, RegisteredThread, RunningCall};

/// What the expansion of [`macro@interface`] and [`macro@data`] names. No part of the library's interface.
#[doc(hidden)]
pub use segue_interface::__private;
