//! What a module may ask of the host: to take its log records, its panics and its threads, and for other modules.

use std::ffi::{c_int, c_void};

use abi_stable::{
    StableAbi,
    std_types::{ROption, RSlice, RStr},
};

use crate::{FailureSink, Heap, InterfaceRef, Link, Outcome, ReplyRef, RequestRef, Visit, Visitor};

/// How much a record matters.
#[repr(u8)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something may be wrong.
    Warn,
    /// What an operator wants to know.
    Info,
    /// What a developer wants to know.
    Debug,
    /// Every step.
    Trace,
}

/// The value of one field.
#[repr(u8)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// True or false.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A float.
    F64(f64),
    /// Text; also whatever has only a `Debug` form.
    Str(RStr<'a>),
}

/// One field of a record or of a span.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct FieldRef<'a> {
    /// The field's name.
    pub name: RStr<'a>,
    /// Its value.
    pub value: ValueRef<'a>,
}

/// One log record, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// How much it matters.
    pub level: Level,
    /// Which part of the module speaks: by default the path of the Rust module.
    pub target: RStr<'a>,
    /// The text.
    pub message: RStr<'a>,
    /// The other fields.
    pub fields: RSlice<'a, FieldRef<'a>>,
    /// The span it belongs to: that id, none at all (0), or, where nothing is said, the one its thread is in.
    pub parent: ROption<u64>,
}

/// A span that begins, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct SpanRef<'a> {
    /// How much it matters.
    pub level: Level,
    /// Which part of the module speaks.
    pub target: RStr<'a>,
    /// The span's name.
    pub name: RStr<'a>,
    /// The fields that have a value already.
    pub fields: RSlice<'a, FieldRef<'a>>,
    /// The span it is part of: that id, none at all (0), or, where nothing is said, the one its thread is in.
    pub parent: ROption<u64>,
}

/// What a [`HostRef`] points at: the host knows what it is, a module does not.
#[repr(C)]
#[derive(StableAbi)]
pub struct HostContext {
    _private: [u8; 0],
}

/// The identity of a thread that the host started: a `pthread_t`.
pub type NativeThread = usize;

/// The attributes of a thread to start: a `pthread_attr_t`, or null.
pub type ThreadAttributes = *const c_void;

/// What a thread runs: the start routine of `pthread_create`.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct ThreadStart(pub unsafe extern "C" fn(*mut c_void) -> *mut c_void);

/// The host, as one image of a module sees it. Valid until the image has left memory.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct HostRef {
    /// Handed back to every function of the table.
    pub context: *const HostContext,
    /// What can be asked.
    pub vtable: HostVTableRef,
    /// Memory of the host.
    pub heap: &'static Heap,
    /// Which load of the module this is.
    pub generation: u64,
    /// The signal that wakes a thread of the module that is to end, which no such thread may block. 0 if
    /// there is none. Its handler does nothing.
    pub wake_signal: c_int,
}

/// The host's functions. Each may be called from any thread, copies what it is given before it returns, and never unwinds.
///
/// # Safety
///
/// They are called with the `context` of the [`HostRef`] they came with, while the image is mapped.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostVTableRef)))]
pub struct HostVTable {
    /// Whether anybody listens to records of this level.
    pub enabled: unsafe extern "C" fn(context: *const HostContext, level: Level) -> bool,
    /// Takes a log record.
    pub event: unsafe extern "C" fn(context: *const HostContext, record: &RecordRef<'_>),
    /// Begins a span and gives it an id, never 0.
    pub span_new: unsafe extern "C" fn(context: *const HostContext, span: &SpanRef<'_>) -> u64,
    /// Adds fields to a span.
    pub span_record:
        unsafe extern "C" fn(context: *const HostContext, span: u64, fields: RSlice<'_, FieldRef<'_>>),
    /// The calling thread enters a span.
    pub span_enter: unsafe extern "C" fn(context: *const HostContext, span: u64),
    /// The calling thread leaves a span.
    pub span_exit: unsafe extern "C" fn(context: *const HostContext, span: u64),
    /// A span ends; its id is not used again.
    pub span_close: unsafe extern "C" fn(context: *const HostContext, span: u64),
    /// Takes the message and the place of a panic, on the thread that panics: before it unwinds, or, if a
    /// hook of the module kept it away, when it has ended a call. Then the line is 0.
    pub panicked:
        unsafe extern "C" fn(context: *const HostContext, message: RStr<'_>, file: RStr<'_>, line: u32),
    /// `pthread_create`, for a thread that runs code of the module. The host's own trampoline is at the bottom of the
    /// new thread's stack, so nothing of the module is left on it when the thread ends. Answers as `pthread_create` does.
    pub spawn: unsafe extern "C" fn(
        context: *const HostContext,
        thread: *mut NativeThread,
        attributes: ThreadAttributes,
        start: ThreadStart,
        argument: *mut c_void,
    ) -> c_int,
    /// Whether what runs in this image is asked to come to its end.
    pub is_cancelled: unsafe extern "C" fn(context: *const HostContext) -> bool,
    /// Takes the text of a fault of an interface's method, on the thread of the call; followed by
    /// [`Outcome::Fault`](crate::Outcome::Fault).
    pub faulted: unsafe extern "C" fn(context: *const HostContext, text: RStr<'_>),
    /// Makes a link to a module, which need not be loaded yet: to an interface of it, or, where that is null, to its `handle`.
    /// Null where the host refuses; then the sink has got the reason. The interface is to be valid until `unlink`.
    pub link: unsafe extern "C" fn(
        context: *const HostContext,
        module: RStr<'_>,
        interface: *const InterfaceRef,
        refused: FailureSink,
    ) -> *const Link,
    /// Ends a link, once. All of them end with the image at the latest.
    pub unlink: unsafe extern "C" fn(context: *const HostContext, link: *const Link),
    /// Has the current version of a link's module answer a request: true where the reply has got its answer, whole. Else the
    /// sink has got the reason, where there is one.
    pub call: unsafe extern "C" fn(
        context: *const HostContext,
        link: *const Link,
        request: &RequestRef<'_>,
        reply: ReplyRef,
        failed: FailureSink,
    ) -> bool,
    /// Enters the current version of a link's module, runs the visitor inside, and leaves it. Where it cannot be entered, the
    /// sink gets the reason instead.
    pub visit: unsafe extern "C" fn(
        context: *const HostContext,
        link: *const Link,
        visitor: Visitor,
        failed: FailureSink,
    ),
    /// Tells why a method that a visitor called was not done, on the thread of the call.
    pub failure: unsafe extern "C" fn(
        context: *const HostContext,
        visit: *const Visit,
        outcome: Outcome,
        failed: FailureSink,
    ),
    /// The module is about to end the process by `exit`, with this status.
    pub exiting: unsafe extern "C" fn(context: *const HostContext, status: c_int),
    /// `sigaction`, with two `struct sigaction` of libc, of which either may be null. The previous action is never one of
    /// another image: that image may leave memory first. Answers and sets `errno` as `sigaction` does.
    #[sabi(last_prefix_field)]
    pub signal_action: unsafe extern "C" fn(
        context: *const HostContext,
        signal: c_int,
        action: *const c_void,
        previous: *mut c_void,
    ) -> c_int,
}
