//! The module's side of a method call. The functions that the attribute generates call it.

use std::{
    any::Any,
    mem::{self, MaybeUninit},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
};

use segue_abi::Outcome;

use crate::{
    Fault,
    answer::{Answer, Returns},
};

/// The return value of a method, as it crosses the boundary.
#[repr(C)]
pub struct RawAnswer<W> {
    pub(crate) outcome: Outcome,
    /// Initialized if the outcome is `Done`.
    pub(crate) value: MaybeUninit<W>,
}

/// Passes the text of a fault to the host.
static REPORT_FAULT: OnceLock<fn(&str)> = OnceLock::new();

/// Passes a panic to the host, if the panic hook has not done so.
static REPORT_PANIC: OnceLock<ReportPanic> = OnceLock::new();

/// Receives the payload of a panic.
type ReportPanic = fn(&(dyn Any + Send));

/// Sets the functions that pass faults, and panics that ended a call, to the host.
pub fn attach(report_fault: fn(&str), report_panic: ReportPanic) {
    // Neither is set yet: a module is attached once.
    let _ = REPORT_FAULT.set(report_fault);
    let _ = REPORT_PANIC.set(report_panic);
}

/// Runs a method. A panic in it does not leave this image.
#[inline]
pub fn run_method<R: Returns>(method: impl FnOnce() -> R) -> RawAnswer<<R::Answer as Answer>::Wire> {
    let wire = || method().into_result().map(R::Answer::into_wire);
    match catch_unwind(AssertUnwindSafe(wire)) {
        Ok(Ok(value)) => RawAnswer { outcome: Outcome::Done, value: MaybeUninit::new(value) },
        Ok(Err(fault)) => RawAnswer { outcome: faulted(&fault), value: MaybeUninit::uninit() },
        Err(payload) => RawAnswer { outcome: panicked(payload), value: MaybeUninit::uninit() },
    }
}

#[cold]
fn faulted(fault: &Fault) -> Outcome {
    if let Some(report) = REPORT_FAULT.get() {
        report(fault.text());
    }
    Outcome::Fault
}

/// Reports a panic to the host, and then drops its payload in the image that created it.
#[cold]
pub fn panicked(payload: Box<dyn Any + Send>) -> Outcome {
    if let Some(report) = REPORT_PANIC.get() {
        report(&*payload);
    }
    // The drop of a payload may panic, and that panic has a payload too. The second one is leaked, in case
    // its drop also panics.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
    Outcome::Panicked
}
