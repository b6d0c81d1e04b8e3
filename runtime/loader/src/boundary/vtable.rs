//! The functions of the host that a module calls.

use std::{
    ffi::{c_int, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::Arc,
};

use segue_abi::{
    FailureSink, FieldRef, HostContext, HostRef, HostVTable, HostVTableRef, InterfaceRef, Level, Link,
    NativeThread, Outcome, RecordRef, ReplyRef, RequestRef, SpanRef, ThreadAttributes, ThreadStart, Visit,
    Visitor,
    abi_stable::{
        prefix_type::WithMetadata,
        std_types::{RSlice, RStr},
    },
};
use segue_interface::__private::heap;

use crate::{
    boundary::{
        context::Context,
        failure::keep_failure,
        implementation::FoundInterface,
        interface::{Expected, RevokeLayouts},
        links::{OpenLink, report_failure, report_refusal},
    },
    crash::exit::record_exit,
    error::CallFault,
    signals::{fork::register_fork_handlers, image_id::ImageId, sigaction::set_action, wake::wake_signal},
};

// === impl Context ===

impl Context {
    /// The reference that the module gets. It is valid while the `Arc` is kept.
    pub(crate) fn host_ref(self: &Arc<Self>, generation: u64) -> HostRef {
        register_fork_handlers();
        let (context, wake_signal) = (Arc::as_ptr(self).cast(), wake_signal().unwrap_or(0));
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

/// Runs a service for a module. If the host panics, the module gets `otherwise`.
///
/// # Safety
///
/// As [`HostVTable`] requires. `context` must come from [`Context::host_ref`].
unsafe fn call_service<R>(
    context: *const HostContext,
    otherwise: R,
    service: impl FnOnce(&Context) -> R,
) -> R {
    // SAFETY: guaranteed by the caller: the context is kept until the image is unmapped.
    let context = unsafe { &*context.cast::<Context>() };
    catch_unwind(AssertUnwindSafe(|| service(context))).unwrap_or(otherwise)
}

unsafe extern "C" fn enabled(context: *const HostContext, level: Level) -> bool {
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, false, |context| context.services.enabled(level)) }
}

unsafe extern "C" fn event(context: *const HostContext, record: &RecordRef<'_>) {
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), |context| context.services.event(record)) }
}

unsafe extern "C" fn span_new(context: *const HostContext, span: &SpanRef<'_>) -> u64 {
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, u64::MAX, |context| context.services.span_new(span)) }
}

unsafe extern "C" fn span_record(context: *const HostContext, span: u64, fields: RSlice<'_, FieldRef<'_>>) {
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), |context| context.services.span_record(span, fields.as_slice())) }
}

unsafe extern "C" fn span_enter(context: *const HostContext, span: u64) {
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), |context| context.services.span_enter(span)) }
}

unsafe extern "C" fn span_exit(context: *const HostContext, span: u64) {
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), |context| context.services.span_exit(span)) }
}

unsafe extern "C" fn span_close(context: *const HostContext, span: u64) {
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), |context| context.services.span_close(span)) }
}

unsafe extern "C" fn panicked(context: *const HostContext, message: RStr<'_>, file: RStr<'_>, line: u32) {
    let keep_and_report = |context: &Context| {
        let (message, file) = (message.as_str(), file.as_str());
        let panic = CallFault::Panicked { message: message.to_owned(), file: file.to_owned(), line };
        keep_failure(panic);
        context.services.panicked(message, file, line);
    };
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), keep_and_report) }
}

unsafe extern "C" fn spawn(
    context: *const HostContext,
    thread: *mut NativeThread,
    attributes: ThreadAttributes,
    start: ThreadStart,
    argument: *mut c_void,
) -> c_int {
    let image = ImageId(context.addr());
    let spawn = |context: &Context| {
        // SAFETY: guaranteed by the caller, as for `pthread_create`.
        unsafe { context.threads.spawn(image, thread, attributes, start, argument) }
    };
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, libc::EAGAIN, spawn) }
}

unsafe extern "C" fn exiting(context: *const HostContext, status: c_int) {
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), |context| record_exit(&context.entry, status)) }
}

unsafe extern "C" fn signal_action(
    context: *const HostContext,
    signal: c_int,
    action: *const c_void,
    previous: *mut c_void,
) -> c_int {
    // SAFETY: guaranteed by the caller: each is null or a `struct sigaction` of libc.
    unsafe { set_action(ImageId(context.addr()), signal, action.cast(), previous.cast()) }
}

unsafe extern "C" fn is_cancelled(context: *const HostContext) -> bool {
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, false, |context| context.services.is_cancelled()) }
}

unsafe extern "C" fn faulted(context: *const HostContext, text: RStr<'_>) {
    let keep = |_: &Context| keep_failure(CallFault::Fault { text: text.as_str().to_owned() });
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), keep) }
}

unsafe extern "C" fn link(
    context: *const HostContext,
    module: RStr<'_>,
    interface: *const InterfaceRef,
    refused: FailureSink,
) -> *const Link {
    let open = |context: &Context| {
        // SAFETY: guaranteed by the caller: it is null, or valid until the link is closed.
        let expected = unsafe { interface.as_ref() }.map(Expected::new);
        // If there will be no link, the layouts are revoked here, because the module guarantees them for no
        // longer.
        let layouts = expected.as_ref().map(|expected| RevokeLayouts::of(expected.layouts()));
        match context.services.link(module.as_str(), expected) {
            Ok(link) => context.links.open(link, layouts).cast(),
            Err(reason) => {
                report_refusal(&reason, refused);
                ptr::null()
            }
        }
    };
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, ptr::null(), open) }
}

unsafe extern "C" fn unlink(context: *const HostContext, link: *const Link) {
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), |context| context.links.close(link.cast())) }
}

unsafe extern "C" fn call(
    context: *const HostContext,
    link: *const Link,
    request: &RequestRef<'_>,
    reply: ReplyRef,
    failed: FailureSink,
) -> bool {
    // SAFETY: guaranteed by the caller: the link came from `link`, and is not closed.
    let link = unsafe { &*link.cast::<OpenLink>() };
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, false, |_| link.call(request, reply, failed)) }
}

unsafe extern "C" fn visit(
    context: *const HostContext,
    link: *const Link,
    visitor: Visitor,
    failed: FailureSink,
) {
    // SAFETY: guaranteed by the caller: the link came from `link`, and is not closed.
    let link = unsafe { &*link.cast::<OpenLink>() };
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), |_| link.visit(visitor, failed)) }
}

unsafe extern "C" fn failure(
    context: *const HostContext,
    visit: *const Visit,
    outcome: Outcome,
    failed: FailureSink,
) {
    // SAFETY: guaranteed by the caller: the visit is running, and this is the value that it got.
    let found = unsafe { &*visit.cast::<FoundInterface<'_>>() };
    // SAFETY: guaranteed by the caller.
    unsafe { call_service(context, (), |_| report_failure(&found.failed(outcome), failed)) }
}
