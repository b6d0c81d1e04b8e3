//! Calls from module to module, through the host.

use std::ffi::c_void;

use abi_stable::{StableAbi, std_types::RStr};

use crate::{MethodTable, ModuleState};

/// A module's access to another module. Only the host knows its type.
#[repr(C)]
#[derive(StableAbi)]
pub struct Link {
    _private: [u8; 0],
}

/// The kind of a failed call through a [`Link`].
#[repr(u8)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The other module has no current version.
    NoCurrent,
    /// The current version of the other module does not export the interface.
    NotExported,
    /// The calling version is being purged. Module, version and generation are those of the caller.
    Cancelled,
    /// The other module returned a fault.
    Fault,
    /// The other module panicked.
    Panicked,
    /// The host refuses to create the link.
    Refused,
}

/// Why a call through a [`Link`] failed, borrowed for the call. Fields that do not apply to the kind are
/// empty.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct FailureRef<'a> {
    /// The kind.
    pub kind: FailureKind,
    /// The module that was called.
    pub module: RStr<'a>,
    /// The version that was called.
    pub version: RStr<'a>,
    /// That version's generation.
    pub generation: u64,
    /// The fault's text, the panic's message, the interface's name, or the host's reason.
    pub text: RStr<'a>,
    /// The source file of the panic.
    pub file: RStr<'a>,
    /// The line of the panic.
    pub line: u32,
}

/// Receives one failure, during the call that it is passed to.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct FailureSink {
    /// The first argument of `take`.
    pub argument: *mut c_void,
    /// Copies the failure before it returns.
    pub take: unsafe extern "C" fn(argument: *mut c_void, failure: &FailureRef<'_>),
}

/// The host's context of one visit. Only the host knows its type.
#[repr(C)]
#[derive(StableAbi)]
pub struct Visit {
    _private: [u8; 0],
}

/// An entered version of another module. The caller is counted as inside it.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Entered {
    /// The first argument of each method.
    pub state: *const ModuleState,
    /// The methods of the link's interface.
    pub table: *const MethodTable,
    /// For [`HostVTable::failure`](crate::HostVTable::failure), if a method is not
    /// [`Done`](crate::Outcome::Done).
    pub visit: *const Visit,
}

/// A function to run inside a version of another module.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Visitor {
    /// The first argument of `enter`.
    pub argument: *mut c_void,
    /// Runs once, on the calling thread. It must not unwind.
    pub enter: unsafe extern "C" fn(argument: *mut c_void, entered: &Entered),
}
