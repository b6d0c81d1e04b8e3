//! The types that cross the boundary between the segue runtime and a module, and nothing else: no logic lives here.
//!
//! A module is a `cdylib` that exports one [`abi_stable`] root module, [`ModuleRoot`]. The host checks its layout, type by
//! type, before it calls any of its functions. What the two sides tell each other is always one of two things:
//!
//! * **borrowed for the call**: a [`RequestRef`], a [`RecordRef`], a piece of text; whoever receives it copies what it wants
//!   to keep;
//! * **written into memory of the host**, through a table of the host's functions: an answer ([`ReplyRef`]), a log record,
//!   a panic's message ([`HostRef`]).
//!
//! So nothing that a module allocated, and no pointer into its image, is ever left in the host, and the image can go.
//!
//! # Concepts
//!
//! * [`ModuleRoot`]: what the host may ask of a module.
//! * [`HostRef`]: what a module may ask of the host, once it was attached.
//! * [`RequestRef`] and [`ReplyRef`]: one call.
//! * [`Outcome`]: how a call ended; the text of a fault has by then been written into the host's memory.
//! * [`ExportRef`] and [`InterfaceRef`]: a typed interface that a module exports, and what it looks like to one side.
//! * [`Link`]: one module's access to another one, through the host.
//! * [`allocator`]: the heap that a module's memory comes from.
//! * [`metadata`]: where a file says what it is, for reading without running anything.
//!
//! # Growing
//!
//! The three tables of functions are *prefix types*: fields may be added behind the last one, and an older module, which
//! does not have them, still loads. Anything else that changes here makes the layout check refuse, and needs a new
//! [`metadata::REVISION`] so that it is refused with plainer words, before the file is mapped.

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
