//! The host, as one image sees it: what stands behind the pointer that a module hands back.

use std::{
    cell::RefCell,
    ffi::{c_int, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::Arc,
};

use segue_abi::{
    FailureSink, FieldRef, HostContext, HostRef, HostVTable, HostVTableRef, InterfaceRef, Level,
    Link as LinkOfModule, NativeThread, Outcome, RecordRef, ReplyRef, RequestRef, SpanRef, ThreadAttributes,
    ThreadStart, Visit, Visitor,
    abi_stable::{
        prefix_type::WithMetadata,
        std_types::{RSlice, RStr},
    },
};

use segue_interface::__private::heap;

use crate::{
    CallFault, Expected, Reached,
    crash::{self, Entry},
    interface::Ending,
    link::{Link, Links, OpenLink, refuse, tell},
    signals::{self, ImageId},
    threads::Threads,
};

/// What the embedding host does for a module. Everything is borrowed for the call: keep copies only.
///
/// The functions are called from any thread. A panic in one of them stays in it.
pub trait Services: Log + Send + Sync + 'static {
    /// Makes a link to another module, which need not be loaded yet: to an interface of it, or to what answers requests.
    ///
    /// # Errors
    ///
    /// Why not, in words.
    fn link(&self, module: &str, interface: Option<Expected>) -> Result<Box<dyn Link>, String>;

    /// Whether what runs in the image is asked to come to its end.
    fn is_cancelled(&self) -> bool;
}

/// What the embedding host does with what a module says, as [`Services`] do.
pub trait Log {
    /// Whether anybody listens to records of this level.
    fn enabled(&self, level: Level) -> bool;
    /// Takes a log record.
    fn event(&self, record: &RecordRef<'_>);
    /// Begins a span and gives it an id, never 0 and never used before for this image.
    fn span_new(&self, span: &SpanRef<'_>) -> u64;
    /// Adds fields to a span.
    fn span_record(&self, span: u64, fields: &[FieldRef<'_>]);
    /// The calling thread enters a span.
    fn span_enter(&self, span: u64);
    /// The calling thread leaves a span.
    fn span_exit(&self, span: u64);
    /// A span ends.
    fn span_close(&self, span: u64);
    /// The calling thread panicked inside the module.
    fn panicked(&self, message: &str, file: &str, line: u32);
}

/// Stands behind [`HostContext`]. Shared by the image and by each thread that the module started, so that the last of
/// them to go can still count itself out.
pub(crate) struct Context {
    pub(crate) services: Box<dyn Services>,
    pub(crate) threads: Threads,
    pub(crate) links: Links,
    /// What is told of the image where it ends the process.
    pub(crate) entry: Entry,
}

thread_local! {
    /// The calling thread's last panic inside a module, or the last fault of a method, until the call that it ended is told.
    static LAST_FAILURE: RefCell<Option<CallFault>> = const { RefCell::new(None) };
}

/// Why a call ended so that has just ended on this thread.
pub(crate) fn take_failure(outcome: Outcome) -> CallFault {
    let last = LAST_FAILURE.try_with(|last| last.borrow_mut().take()).ok().flatten();
    let nothing = || "(the module did not say)".to_owned();
    match (outcome, last) {
        (Outcome::Panicked, Some(panic @ CallFault::Panicked { .. })) => panic,
        // Its SDK tells each panic that ends a call.
        (Outcome::Panicked, _) => {
            CallFault::Panicked { message: nothing(), file: "unknown".to_owned(), line: 0 }
        }
        (_, Some(fault @ CallFault::Fault { .. })) => fault,
        _ => CallFault::Fault { text: nothing() },
    }
}

/// Keeps why the call on this thread is about to end. Fails only on a thread that is ending, where no call waits for it.
fn keep_failure(failure: CallFault) {
    let _ = LAST_FAILURE.try_with(|last| *last.borrow_mut() = Some(failure));
}

impl Context {
    /// Who the image is to those that keep its signal handlers.
    pub(crate) fn image_id(self: &Arc<Self>) -> ImageId {
        ImageId(Arc::as_ptr(self).addr())
    }

    /// What is handed to the module. Valid while the `Arc` is kept.
    pub(crate) fn host_ref(self: &Arc<Self>, generation: u64) -> HostRef {
        let (context, wake_signal) = (Arc::as_ptr(self).cast(), signals::wake_signal().unwrap_or(0));
        HostRef { context, vtable: VTABLE, heap: heap(), generation, wake_signal }
    }
}

const VTABLE: HostVTableRef = {
    const TABLE: &WithMetadata<HostVTable> = &WithMetadata::new(HostVTable {
        enabled,
        event,
        span_new,
        span_record,
        span_enter,
        span_exit,
        span_close,
        panicked,
        spawn,
        is_cancelled,
        faulted,
        link,
        unlink,
        call,
        visit,
        failure,
        exiting,
        signal_action,
    });
    HostVTableRef(TABLE.static_as_prefix())
};

/// Runs a service for a module, and keeps a panic of the host away from it.
///
/// # Safety
///
/// As [`HostVTable`] says; `context` came from [`Context::host_ref`].
unsafe fn serve<R>(context: *const HostContext, otherwise: R, service: impl FnOnce(&Context) -> R) -> R {
    // SAFETY: our caller's promise: the context is kept until the image has left memory.
    let context = unsafe { &*context.cast::<Context>() };
    catch_unwind(AssertUnwindSafe(|| service(context))).unwrap_or(otherwise)
}

unsafe extern "C" fn enabled(context: *const HostContext, level: Level) -> bool {
    // SAFETY: our caller's promise.
    unsafe { serve(context, false, |context| context.services.enabled(level)) }
}

unsafe extern "C" fn event(context: *const HostContext, record: &RecordRef<'_>) {
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), |context| context.services.event(record)) }
}

unsafe extern "C" fn span_new(context: *const HostContext, span: &SpanRef<'_>) -> u64 {
    // SAFETY: our caller's promise.
    unsafe { serve(context, u64::MAX, |context| context.services.span_new(span)) }
}

unsafe extern "C" fn span_record(context: *const HostContext, span: u64, fields: RSlice<'_, FieldRef<'_>>) {
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), |context| context.services.span_record(span, fields.as_slice())) }
}

unsafe extern "C" fn span_enter(context: *const HostContext, span: u64) {
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), |context| context.services.span_enter(span)) }
}

unsafe extern "C" fn span_exit(context: *const HostContext, span: u64) {
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), |context| context.services.span_exit(span)) }
}

unsafe extern "C" fn span_close(context: *const HostContext, span: u64) {
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), |context| context.services.span_close(span)) }
}

unsafe extern "C" fn panicked(context: *const HostContext, message: RStr<'_>, file: RStr<'_>, line: u32) {
    let tell = |context: &Context| {
        let (message, file) = (message.as_str(), file.as_str());
        let panic = CallFault::Panicked { message: message.to_owned(), file: file.to_owned(), line };
        keep_failure(panic);
        context.services.panicked(message, file, line);
    };
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), tell) }
}

unsafe extern "C" fn spawn(
    context: *const HostContext,
    thread: *mut NativeThread,
    attributes: ThreadAttributes,
    start: ThreadStart,
    argument: *mut c_void,
) -> c_int {
    let context: *const Context = context.cast();
    // SAFETY: our caller's promise: the context is kept until the image has left memory, and came from an `Arc`.
    let shared = unsafe {
        Arc::increment_strong_count(context);
        Arc::from_raw(context)
    };
    catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: our caller's promise, handed on: it is that of `pthread_create`.
        unsafe { Threads::spawn(shared, thread, attributes, start, argument) }
    }))
    .unwrap_or(libc::EAGAIN)
}

unsafe extern "C" fn exiting(context: *const HostContext, status: c_int) {
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), |context| crash::exiting(&context.entry, status)) }
}

unsafe extern "C" fn signal_action(
    context: *const HostContext,
    signal: c_int,
    action: *const c_void,
    previous: *mut c_void,
) -> c_int {
    // SAFETY: our caller's promise: each is null or a `struct sigaction` of libc.
    unsafe { signals::act(ImageId(context.addr()), signal, action.cast(), previous.cast()) }
}

unsafe extern "C" fn is_cancelled(context: *const HostContext) -> bool {
    // SAFETY: our caller's promise.
    unsafe { serve(context, false, |context| context.services.is_cancelled()) }
}

unsafe extern "C" fn faulted(context: *const HostContext, text: RStr<'_>) {
    let keep = |_: &Context| keep_failure(CallFault::Fault { text: text.as_str().to_owned() });
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), keep) }
}

unsafe extern "C" fn link(
    context: *const HostContext,
    module: RStr<'_>,
    interface: *const InterfaceRef,
    refused: FailureSink,
) -> *const LinkOfModule {
    let open = |context: &Context| {
        // SAFETY: our caller's promise: it is valid until the link has ended, where it is one.
        let expected = unsafe { interface.as_ref() }.map(Expected::new);
        // Dropped here where there will be no link, whoever has what is expected then: the module promises it for no longer.
        let layouts = expected.as_ref().map(|expected| Ending::of(expected.layouts()));
        match context.services.link(module.as_str(), expected) {
            Ok(link) => context.links.open(link, layouts).cast(),
            Err(reason) => {
                refuse(&reason, refused);
                ptr::null()
            }
        }
    };
    // SAFETY: our caller's promise.
    unsafe { serve(context, ptr::null(), open) }
}

unsafe extern "C" fn unlink(context: *const HostContext, link: *const LinkOfModule) {
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), |context| context.links.close(link.cast())) }
}

unsafe extern "C" fn call(
    context: *const HostContext,
    link: *const LinkOfModule,
    request: &RequestRef<'_>,
    reply: ReplyRef,
    failed: FailureSink,
) -> bool {
    // SAFETY: our caller's promise: the link came from `link`, and has not ended.
    let link = unsafe { &*link.cast::<OpenLink>() };
    // SAFETY: our caller's promise.
    unsafe { serve(context, false, |_| link.call(request, reply, failed)) }
}

unsafe extern "C" fn visit(
    context: *const HostContext,
    link: *const LinkOfModule,
    visitor: Visitor,
    failed: FailureSink,
) {
    // SAFETY: our caller's promise: the link came from `link`, and has not ended.
    let link = unsafe { &*link.cast::<OpenLink>() };
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), |_| link.visit(visitor, failed)) }
}

unsafe extern "C" fn failure(
    context: *const HostContext,
    visit: *const Visit,
    outcome: Outcome,
    failed: FailureSink,
) {
    // SAFETY: our caller's promise: the visit goes on, and this is what it was told of it.
    let reached = unsafe { &*visit.cast::<Reached<'_>>() };
    // SAFETY: our caller's promise.
    unsafe { serve(context, (), |_| tell(&reached.failed(outcome), failed)) }
}
