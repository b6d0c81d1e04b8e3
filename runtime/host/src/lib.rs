//! Replace the logic of a running service without stopping it.
//!
//! Service logic is a *module*: a Rust `cdylib` written with `segue-sdk`. A [`Runtime`] keeps at most two
//! versions of each module, **current** and **old**. New calls enter current. Calls already inside old finish
//! there. When the last one has ended, the runtime unloads old, and checks the dynamic linker's list to
//! confirm it.
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
//! // Later, while other threads keep calling:
//! runtime.load("target/release/libgreeter.so")?; // the new file is current
//! runtime.rollback("greeter")?; // the previous version is current again
//! runtime.shutdown(std::time::Duration::from_secs(10))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Concepts
//!
//! * **module**: a piece of service logic with a name. Its file is a `cdylib`.
//! * **version**: one loaded file of a module. Each load has a number, the version's **generation**
//!   ([`VersionId`]).
//! * **current**, **old**: the version that new calls enter, and the one before it ([`ModuleStatus`]).
//! * **handle**: calls a module. [`ModuleHandle`] sends requests, bytes in and bytes out. [`InterfaceHandle`]
//!   calls typed methods ([`macro@interface`]) as fast as a trait object. [`CallGuard`] is one caller inside
//!   one version.
//! * **load**: makes a file current ([`Runtime::load`]). Several files can be loaded as one
//!   [set](Runtime::load_set): all become current, or none.
//! * **trial**: a version that is loaded [on trial](LoadOptions::trial) is current, but a restart does not
//!   return to it. Old stays in memory, so a rollback is one atomic store, until the version is
//!   [confirmed](Runtime::confirm).
//! * **rollback**: makes the previous version current again ([`Runtime::rollback`]). If it was unloaded, its
//!   file is loaded again from the store.
//! * **purge**: unloads old. It starts when the last call inside has ended. [`Runtime::purge`] also asks the
//!   calls inside to end.
//! * **pin**: anything that keeps a version in memory: a call, a thread, a thread-local ([`Pin`],
//!   [`Runtime::pins`]).
//! * **quarantine**: the state of a version that is unused but could not be unloaded, or that has calls
//!   inside after the deadline of a purge. No call enters it again, a new version can be loaded, and the
//!   runtime unloads it when nothing pins it.
//! * **ledger**: a database in the state directory. It records every [`Event`] with its [`Actor`], and what a
//!   restart returns to. A command is on the disk before it returns. If a rollback cannot be recorded, it
//!   happens anyway and its answer says so ([`RolledBack::recorded`]).
//! * **store**: the files of all loaded versions in the state directory, by digest ([`Source::Stored`]).
//! * **modules directory**: the runtime loads each `.so` file that is put there ([`Builder::modules_dir`]).
//! * **snapshot**: all modules as they are at one moment ([`Snapshot`]).
//! * **registered thread**: a host thread that takes part in purges, for example a thread of a server's pool
//!   ([`RegisteredThread`]).
//!
//! # A load
//!
//! A thread of the runtime takes the file through these [`Step`]s. If one of the steps 1 to 5 fails,
//! nothing has changed.
//!
//! 1. **stage** (`intake/read.rs`): copies the file into the state directory and computes its digest.
//! 2. **read** (`intake/`): reads the ELF file and the metadata without running any of it.
//! 3. The load waits for an earlier load of the module, and for the old version as its [`Policy`] says
//!    (`load/admission.rs`).
//! 4. **map** (`load/map.rs`), **on_load** (`load/start.rs`): maps the private copy, checks its layouts, and
//!    starts the module.
//! 5. **record**, **publish** (`load/publish.rs`): writes the ledger, and makes the version current with one
//!    atomic store.
//! 6. The same thread then purges the version that is old now (`purge/retire.rs`). It waits until the last
//!    call has ended. The host threads destroy their thread-locals of the version. The module's value is
//!    dropped, and its threads end. Then the image is unmapped, and the dynamic linker's list confirms it.
//!
//! An observer ([`Builder::observe`]) is called after each [`Phase`].
//!
//! # A call
//!
//! 1. A handle enters the current version (`call/handle.rs`). The counting is in `segue-core`.
//! 2. The module runs on the caller's thread and writes its reply into host memory.
//! 3. The guard leaves the version. If a purge waits for this version, the guard wakes it.
//!
//! Entering and leaving costs two loads and two stores, on memory of the calling thread. A call never takes a
//! lock. If the module has a current version, a call never waits for a load, a purge or another call. This
//! has a price: replies are copied into host memory, and one call, or one thread that the version started,
//! keeps the whole version in memory.
//!
//! # What a restart returns to
//!
//! A restart returns to the last confirmed version of each module, unless the module was deleted since. A
//! load without a trial, a [`confirm`](Runtime::confirm) and a rollback each confirm a version. This holds
//! however the process ended.
//!
//! * A restart does not return to a version on trial.
//! * A version is blocked if its code ended the process, by a fatal signal or by `exit`, while it was on
//!   trial or within its [crash window](Builder::crash_window). No load accepts its file until you
//!   [unblock](Runtime::unblock) it.
//! * If they differ, the ledger decides which versions are current, and the store has their files. A file in
//!   the modules directory counts only if its bytes have changed since it was last loaded from there.
//!
//! # Rooms
//!
//! The source is divided into rooms. Each uses only the rooms below it in this table.
//!
//! | room | purpose |
//! | --- | --- |
//! | `runtime/` | the public methods of [`Runtime`] and [`Builder`]; each delegates to a room |
//! | `watch/` | watches the modules directory |
//! | `recovery/` | decides what a start restores |
//! | `rollout/` | policies over versions: rollback, trial, confirm, delete, sticky, block |
//! | `load/` | makes a file current |
//! | `purge/` | unloads a version |
//! | `inspect/` | reads the state, for status and pins |
//! | `guest/` | the services for module code: its log, its links to other modules |
//! | `intake/` | reads and checks a file without running any of it |
//! | `shared.rs` | the fields that all clones of a [`Runtime`] share |
//! | `call/` | the hot path: handles, guards, snapshots |
//! | `store/` | data that outlives the process: ledger, event log, idempotency keys, state directory |
//! | `module/` | the state of one module: cell, versions, callers |
//! | `threads/` | threads of the runtime and of the host |
//! | `api/` | plain data: events, statuses, answers, options, errors |
//! | `clock.rs` | durations as integers |
//!
//! `segue-core` counts the calls. `segue-loader` maps and unmaps files.

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

pub use runtime::{Runtime, builder::Builder};

pub use recovery::post_mortem::{Crash, crashes_in};

pub use intake::{
    check::{FileReport, check},
    findings::{Finding, FindingKind},
};

pub use call::{
    handle::{CallGuard, ModuleHandle, OwnedCallGuard},
    interface::{InterfaceGuard, InterfaceHandle},
    snapshot::Snapshot,
};

pub use store::event_log::{Events, NextEvent, Subscription};

pub use threads::registered::{CleanupTask, RegisteredThread, RunningCall};

pub use api::{
    Actor, BlockedFile, CallerStatus, Code, Confirmed, Deleted, Error, ErrorObject, Event, HeldVersion,
    LoadOptions, LoadOutcome, LoadTimings, Loaded, ModuleStatus, OldState, ParsePolicyError,
    ParseTrialEndError, Phase, PhaseReached, Pin, PinKind, Pins, Policy, Purged, Record, Reply, Request,
    RequestContext, RestartTarget, RollbackSource, RolledBack, Source, Step, Stickiness, Trial, TrialEnd,
    Unblocked, VersionState, VersionStatus, Warning,
};

pub use segue_interface::{Bytes, CallError, CallFailure, Fault, List, Str, VersionId, data, interface};

pub use segue_loader::{
    Argument, AttributedBy, Digest, Interface, InterfaceMismatch, LeftOpen, Metadata, Method, Type, Unload,
    descriptors_in_use, descriptors_left_open, signal_name,
};

/// Names that the macros [`macro@interface`] and [`macro@data`] use. Not part of the public API.
#[doc(hidden)]
pub use segue_interface::__private;
