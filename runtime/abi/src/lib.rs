//! The types that cross the boundary between the segue runtime and a module. This crate has no logic.
//!
//! A module is a `cdylib` that exports one root module of [`abi_stable`], [`ModuleRoot`]. The host checks its
//! layout, type by type, before it calls any of its functions. All data crosses in one of two ways:
//!
//! * **borrowed for the call**: a [`RequestRef`], a [`RecordRef`], a text. The receiver copies what it keeps.
//! * **written into host memory**, through a table of the host's functions: a reply ([`ReplyRef`]), a log
//!   record, a panic's message ([`HostRef`]).
//!
//! So the host never keeps memory that a module allocated, or a pointer into its image, and the image can be
//! unmapped.
//!
//! # Concepts
//!
//! * [`ModuleRoot`]: the functions of a module.
//! * [`HostRef`]: the functions of the host, for an attached module.
//! * [`RequestRef`] and [`ReplyRef`]: one call.
//! * [`Outcome`]: how a call ended. The text of a fault is in host memory by then.
//! * [`ExportRef`] and [`InterfaceRef`]: a typed interface that a module exports, and its description.
//! * [`Link`]: a module's access to another module, through the host.
//! * [`allocator`]: the heap of a module.
//! * [`metadata`]: the description in a module's file, which is read without running the file.
//!
//! # Compatibility
//!
//! The three tables of functions are *prefix types*. A field may be added after the last one: an older
//! module, which does not have it, still loads. Any other change makes the layout check fail. It needs a new
//! [`metadata::REVISION`], so that an older file is refused with a clearer error before it is mapped.

pub mod allocator;
mod call;
mod host;
mod interface;
pub mod layout;
mod link;
pub mod metadata;
mod root;

pub use call::{HeaderRef, Outcome, ReplyRef, ReplySink, ReplyVTable, ReplyVTableRef, RequestRef};
pub use host::{
    FieldRef, HostContext, HostRef, HostVTable, HostVTableRef, Level, NativeThread, RecordRef, SpanRef,
    ThreadAttributes, ThreadStart, ValueRef,
};
pub use interface::{ArgumentRef, ExportRef, Heap, InterfaceRef, MethodRef, MethodTable, TypeRef};
pub use link::{Entered, FailureKind, FailureRef, FailureSink, Link, Visit, Visitor};
pub use root::{Audit, ModuleRoot, ModuleRootRef, ModuleState};

pub use abi_stable;
