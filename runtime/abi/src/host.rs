//! The services of the host for a module: its log, its panics, its threads, and its links to other modules.

use std::ffi::{c_int, c_void};

use abi_stable::{
    StableAbi,
    std_types::{ROption, RSlice, RStr},
};

use crate::{FailureSink, Heap, InterfaceRef, Link, Outcome, ReplyRef, RequestRef, Visit, Visitor};

/// The severity of a record or a span.
#[repr(u8)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something may be wrong.
    Warn,
    /// For operators.
    Info,
    /// For developers.
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
    /// Text. A value that has only a `Debug` form is also text.
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
    /// Its severity.
    pub level: Level,
    /// The part of the module that logs. By default it is the path of the Rust module.
    pub target: RStr<'a>,
    /// Its message.
    pub message: RStr<'a>,
    /// The other fields.
    pub fields: RSlice<'a, FieldRef<'a>>,
    /// The id of the span that it belongs to, or 0 for none. If absent, it is the span that the thread has
    /// entered.
    pub parent: ROption<u64>,
}

/// A new span, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct SpanRef<'a> {
    /// Its severity.
    pub level: Level,
    /// The part of the module that logs.
    pub target: RStr<'a>,
    /// The span's name.
    pub name: RStr<'a>,
    /// The fields that already have a value.
    pub fields: RSlice<'a, FieldRef<'a>>,
    /// The id of its parent span, or 0 for none. If absent, it is the span that the thread has entered.
    pub parent: ROption<u64>,
}

/// The context of a [`HostRef`]. Only the host knows its type.
#[repr(C)]
#[derive(StableAbi)]
pub struct HostContext {
    _private: [u8; 0],
}

/// The id of a thread that the host started: a `pthread_t`.
pub type NativeThread = usize;

/// The attributes of a new thread: a `pthread_attr_t`, or null.
pub type ThreadAttributes = *const c_void;

/// The function that a thread runs: the start routine of `pthread_create`.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct ThreadStart(pub unsafe extern "C" fn(*mut c_void) -> *mut c_void);

/// The host, as one image of a module sees it. Valid until the image is unmapped.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct HostRef {
    /// The first argument of each function in the table.
    pub context: *const HostContext,
    /// The functions.
    pub vtable: HostVTableRef,
    /// Host memory.
    pub heap: &'static Heap,
    /// The generation of this version.
    pub generation: u64,
    /// The signal that wakes a thread of the module that must end. Its handler does nothing, and no thread of
    /// the module may block it. 0 if there is no such signal.
    pub wake_signal: c_int,
}

/// The host's functions. Each may be called from any thread, copies its arguments before it returns, and
/// never unwinds.
///
/// # Safety
///
/// Call them with the `context` of the same [`HostRef`], while the image is mapped.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostVTableRef)))]
pub struct HostVTable {
    /// Whether the host wants records of this level.
    pub enabled: unsafe extern "C" fn(context: *const HostContext, level: Level) -> bool,
    /// Logs a record.
    pub event: unsafe extern "C" fn(context: *const HostContext, record: &RecordRef<'_>),
    /// Creates a span, and returns its id, which is never 0.
    pub span_new: unsafe extern "C" fn(context: *const HostContext, span: &SpanRef<'_>) -> u64,
    /// Adds fields to a span.
    pub span_record:
        unsafe extern "C" fn(context: *const HostContext, span: u64, fields: RSlice<'_, FieldRef<'_>>),
    /// Enters a span on the calling thread.
    pub span_enter: unsafe extern "C" fn(context: *const HostContext, span: u64),
    /// Exits a span on the calling thread.
    pub span_exit: unsafe extern "C" fn(context: *const HostContext, span: u64),
    /// Closes a span. Its id is not used again.
    pub span_close: unsafe extern "C" fn(context: *const HostContext, span: u64),
    /// Records the message and the place of a panic, on the panicking thread. The panic hook calls it before
    /// the thread unwinds. If the module has replaced that hook, it is called when the panic has ended a
    /// call; then the line is 0.
    pub panicked:
        unsafe extern "C" fn(context: *const HostContext, message: RStr<'_>, file: RStr<'_>, line: u32),
    /// `pthread_create`, for a thread that runs code of the module. The host's own trampoline is at the
    /// bottom of the new thread's stack, so no frame of the module is left on it when the thread ends.
    /// Returns what `pthread_create` returns.
    pub spawn: unsafe extern "C" fn(
        context: *const HostContext,
        thread: *mut NativeThread,
        attributes: ThreadAttributes,
        start: ThreadStart,
        argument: *mut c_void,
    ) -> c_int,
    /// Whether the calls and threads in this image should end.
    pub is_cancelled: unsafe extern "C" fn(context: *const HostContext) -> bool,
    /// Sets the text of a fault of an interface method, on the thread of the call. The method then returns
    /// [`Outcome::Fault`](crate::Outcome::Fault).
    pub faulted: unsafe extern "C" fn(context: *const HostContext, text: RStr<'_>),
    /// Creates a link to a module, which need not be loaded yet: to an interface of it, or to its `handle` if
    /// `interface` is null. The interface must be valid until `unlink`. If the host refuses, it returns null
    /// and passes the reason to the sink.
    pub link: unsafe extern "C" fn(
        context: *const HostContext,
        module: RStr<'_>,
        interface: *const InterfaceRef,
        refused: FailureSink,
    ) -> *const Link,
    /// Ends a link. Call it at most once for each link. All links end with the image at the latest.
    pub unlink: unsafe extern "C" fn(context: *const HostContext, link: *const Link),
    /// Sends a request to the current version of a link's module. Returns true if the reply is complete.
    /// Otherwise the sink has received the reason, if there is one.
    pub call: unsafe extern "C" fn(
        context: *const HostContext,
        link: *const Link,
        request: &RequestRef<'_>,
        reply: ReplyRef,
        failed: FailureSink,
    ) -> bool,
    /// Enters the current version of a link's module, runs the visitor inside, and leaves the version. If it
    /// cannot be entered, the sink receives the reason instead.
    pub visit: unsafe extern "C" fn(
        context: *const HostContext,
        link: *const Link,
        visitor: Visitor,
        failed: FailureSink,
    ),
    /// Passes to the sink why a method that a visitor called failed. Call it on the thread of that method.
    pub failure: unsafe extern "C" fn(
        context: *const HostContext,
        visit: *const Visit,
        outcome: Outcome,
        failed: FailureSink,
    ),
    /// Reports that the module is about to end the process with `exit` and this status.
    pub exiting: unsafe extern "C" fn(context: *const HostContext, status: c_int),
    /// `sigaction`, with two `struct sigaction` of libc; either may be null. The previous action is never
    /// that of another image, because that image may be unmapped first. Returns and sets `errno` as
    /// `sigaction` does.
    #[sabi(last_prefix_field)]
    pub signal_action: unsafe extern "C" fn(
        context: *const HostContext,
        signal: c_int,
        action: *const c_void,
        previous: *mut c_void,
    ) -> c_int,
}
