//! The traits of a typed interface. The attribute implements them.

use segue_abi::{ExportRef, InterfaceRef, MethodTable};

use crate::caller::Raw;

/// A typed interface. [`#[segue::interface]`](macro@crate::interface) makes it of a trait: it is the type
/// through which a caller calls one version of a module.
///
/// # Safety
///
/// Only the attribute may implement it. `INTERFACE` must describe the table that the methods read. The value
/// of `from_raw` must contain only `raw`, so that threads that share it share no mutable state.
pub unsafe trait Interface: Sized + 'static {
    /// The description, as the crate that is being compiled knows it.
    #[doc(hidden)]
    const INTERFACE: InterfaceRef;
    /// The same description as a JSON object, for the metadata of a file.
    #[doc(hidden)]
    const METADATA: &'static str;
    /// Creates the caller's side for one version.
    ///
    /// # Safety
    ///
    /// The table of `raw` must have been checked against [`INTERFACE`](Interface::INTERFACE), and must be
    /// callable as long as the value is reachable.
    #[doc(hidden)]
    unsafe fn from_raw(raw: Raw) -> Self;
}

/// A module of type `M` provides this interface, because it implements the interface's trait.
///
/// # Safety
///
/// Only the attribute may implement it. The table must match the description, for a state of type `M`.
pub unsafe trait ProvidedBy<M>: Interface {
    /// The table of functions.
    #[doc(hidden)]
    const TABLE: *const MethodTable;
}

/// The entry of an interface in a module's list of exports.
pub const fn export<I: ProvidedBy<M>, M>() -> ExportRef {
    ExportRef { interface: I::INTERFACE, table: I::TABLE }
}
