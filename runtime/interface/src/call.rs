//! What happens at a method: on the side of the module, and on that of the caller. For the code that the attribute makes.

use std::{
    any::Any,
    mem::{self, MaybeUninit},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
};

use segue_abi::{ExportRef, InterfaceRef, MethodTable, ModuleState, Outcome};

use crate::{Answer, CallError, Fault, Returns};

/// A typed interface, as [`#[segue::interface]`](macro@crate::interface) makes it of a trait: the type through which callers
/// call one version of a module.
///
/// # Safety
///
/// It is for the attribute to implement. `INTERFACE` must describe the table that the methods of `from_raw`'s value read, and that
/// value must be made of `raw` alone, so that threads which share it share nothing that changes.
pub unsafe trait Interface: Sized + 'static {
    /// What it looks like to the crate that was compiled with it.
    #[doc(hidden)]
    const INTERFACE: InterfaceRef;
    /// The same for a file's metadata: an object of JSON.
    #[doc(hidden)]
    const METADATA: &'static str;
    /// Calls one version.
    ///
    /// # Safety
    ///
    /// `raw` must be of a table that was checked against [`INTERFACE`](Interface::INTERFACE), and callable for as long as the
    /// value can be reached.
    #[doc(hidden)]
    unsafe fn from_raw(raw: Raw) -> Self;
}

/// That a module of this type exports an interface, because it implements the interface's trait.
///
/// # Safety
///
/// It is for the attribute to implement. The table must be that of the interface's description, for a state of type `M`.
pub unsafe trait ProvidedBy<M>: Interface {
    /// The functions.
    #[doc(hidden)]
    const TABLE: *const MethodTable;
}

/// What a module exports of an interface.
pub const fn export<I: ProvidedBy<M>, M>() -> ExportRef {
    ExportRef { interface: I::INTERFACE, table: I::TABLE }
}

// === The module's side ===

/// What a method answers across the boundary.
#[repr(C)]
pub struct Answered<W> {
    outcome: Outcome,
    /// Written where the outcome is `Done`.
    value: MaybeUninit<W>,
}

/// Takes the text of a fault to the host.
static TELL_FAULT: OnceLock<fn(&str)> = OnceLock::new();

/// Takes a panic to the host that its hook has not told.
static TELL_PANIC: OnceLock<TellPanic> = OnceLock::new();

/// Takes the payload of a panic.
type TellPanic = fn(&(dyn Any + Send));

/// From now on faults are told to the host, and the panics that ended a call.
pub fn attach(tell_fault: fn(&str), tell_panic: TellPanic) {
    // A second host is not possible: a module is attached once.
    let _ = TELL_FAULT.set(tell_fault);
    let _ = TELL_PANIC.set(tell_panic);
}

/// Runs a method, and keeps a panic in it inside this image.
#[inline]
pub fn answer<R: Returns>(method: impl FnOnce() -> R) -> Answered<<R::Answer as Answer>::Wire> {
    let wire = || method().into_result().map(R::Answer::into_wire);
    match catch_unwind(AssertUnwindSafe(wire)) {
        Ok(Ok(value)) => Answered { outcome: Outcome::Done, value: MaybeUninit::new(value) },
        Ok(Err(fault)) => Answered { outcome: faulted(&fault), value: MaybeUninit::uninit() },
        Err(payload) => Answered { outcome: panicked(payload), value: MaybeUninit::uninit() },
    }
}

#[cold]
fn faulted(fault: &Fault) -> Outcome {
    if let Some(tell) = TELL_FAULT.get() {
        tell(fault.text());
    }
    Outcome::Fault
}

/// Drops the payload of a panic where it was made, after the host was told of it.
#[cold]
pub fn panicked(payload: Box<dyn Any + Send>) -> Outcome {
    if let Some(tell) = TELL_PANIC.get() {
        tell(&*payload);
    }
    // A payload may panic when it is dropped, and that panic has a payload. One that does so again is leaked.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
    Outcome::Panicked
}

// === The caller's side ===

/// One version of a module, as the methods of an interface need it.
pub struct Raw {
    state: *const ModuleState,
    table: *const MethodTable,
    origin: *const Origin,
}

/// Tells of a version why its method was not done.
pub struct Origin {
    /// Makes the error of the call that just ended on this thread.
    ///
    /// # Safety
    ///
    /// It is called with the origin that it is in.
    pub failed: unsafe fn(origin: &Origin, outcome: Outcome) -> CallError,
    /// For `failed`.
    pub context: *const (),
}

impl Raw {
    /// One version of a module.
    ///
    /// # Safety
    ///
    /// `table` has the functions that [`method`](Raw::method) will be asked for, which take `state` first; all three are good
    /// for as long as the value can be reached.
    pub unsafe fn new(state: *const ModuleState, table: *const MethodTable, origin: *const Origin) -> Self {
        Raw { state, table, origin }
    }

    /// What the functions take first.
    #[inline(always)]
    pub fn state(&self) -> *const ModuleState {
        self.state
    }

    /// The functions.
    ///
    /// # Safety
    ///
    /// `Table` is the table's type, or begins it.
    #[inline(always)]
    pub unsafe fn table<Table>(&self) -> &Table {
        // SAFETY: our caller's promise, and that of `new`.
        unsafe { &*self.table.cast::<Table>() }
    }

    /// What the caller of a method gets.
    ///
    /// # Safety
    ///
    /// A method of this version has just answered so, on this thread.
    #[inline(always)]
    pub unsafe fn finish<A: Answer>(&self, answered: Answered<A::Wire>) -> Result<A, CallError> {
        match answered.outcome {
            // SAFETY: `answer` has written it then.
            Outcome::Done => Ok(A::from_wire(unsafe { answered.value.assume_init() })),
            // SAFETY: our caller's promise.
            outcome => Err(unsafe { self.failed(outcome) }),
        }
    }

    /// # Safety
    ///
    /// As [`finish`](Raw::finish).
    #[cold]
    #[inline(never)]
    unsafe fn failed(&self, outcome: Outcome) -> CallError {
        // SAFETY: the promise of `new`.
        let origin = unsafe { &*self.origin };
        // SAFETY: it is the origin that it is in.
        unsafe { (origin.failed)(origin, outcome) }
    }
}
