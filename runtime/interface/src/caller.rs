//! The caller's side of a method call. The methods that the attribute generates call it.

use segue_abi::{MethodTable, ModuleState, Outcome};

use crate::{CallError, answer::Answer, provider::RawAnswer};

/// One version of a module, for the methods of an interface.
pub struct Raw {
    state: *const ModuleState,
    table: *const MethodTable,
    origin: *const Origin,
}

/// Creates the error of a failed call of a version.
pub struct Origin {
    /// Creates the error of the call that has just ended on this thread.
    ///
    /// # Safety
    ///
    /// Call it with the origin that it is a field of.
    pub failed: unsafe fn(origin: &Origin, outcome: Outcome) -> CallError,
    /// Context for `failed`.
    pub context: *const (),
}

// === impl Raw ===

impl Raw {
    /// Creates the caller's side for one version of a module.
    ///
    /// # Safety
    ///
    /// `table` must have the type that [`table`](Raw::table) is called with, and its functions must take
    /// `state` as their first argument. All three pointers must be valid as long as the value is reachable.
    pub unsafe fn new(state: *const ModuleState, table: *const MethodTable, origin: *const Origin) -> Self {
        Raw { state, table, origin }
    }

    /// The first argument of each function in the table.
    #[inline(always)]
    pub fn state(&self) -> *const ModuleState {
        self.state
    }

    /// The table of functions.
    ///
    /// # Safety
    ///
    /// `Table` must be the table's type, or a prefix of it.
    #[inline(always)]
    pub unsafe fn table<Table>(&self) -> &Table {
        // SAFETY: our caller's promise, and that of `new`.
        unsafe { &*self.table.cast::<Table>() }
    }

    /// Converts the answer of a method to the caller's result.
    ///
    /// # Safety
    ///
    /// A method of this version must have just returned `answer`, on this thread.
    #[inline(always)]
    pub unsafe fn finish<A: Answer>(&self, answer: RawAnswer<A::Wire>) -> Result<A, CallError> {
        match answer.outcome {
            // SAFETY: `run_method` initialized the value, because the outcome is `Done`.
            Outcome::Done => Ok(A::from_wire(unsafe { answer.value.assume_init() })),
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
        // SAFETY: `failed` is a field of this origin.
        unsafe { (origin.failed)(origin, outcome) }
    }
}
