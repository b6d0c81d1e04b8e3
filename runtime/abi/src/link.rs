//! Modules that call modules: what a module gets of another one, through the host.

use std::ffi::c_void;

use abi_stable::{StableAbi, std_types::RStr};

use crate::{MethodTable, ModuleState};

/// A module's access to another module: the host knows what it is, a module does not.
#[repr(C)]
#[derive(StableAbi)]
pub struct Link {
    _private: [u8; 0],
}

/// Why a call through a [`Link`] has no answer, in kinds.
#[repr(u8)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The other module has no current version.
    NoCurrent,
    /// The current version of the other module does not export the interface.
    NotExported,
    /// The version that calls is being purged; module, version and generation are its own.
    Cancelled,
    /// The other module said that it failed.
    Fault,
    /// The other module panicked.
    Panicked,
    /// The host refuses what is asked; only for the making of a link.
    Refused,
}

/// Why a call through a [`Link`] has no answer, borrowed for the call. What does not belong to the kind is empty.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct FailureRef<'a> {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The module that was called.
    pub module: RStr<'a>,
    /// The version of it that was called.
    pub version: RStr<'a>,
    /// That version's generation.
    pub generation: u64,
    /// The fault's text, the panic's message, the interface's name, or the host's reason.
    pub text: RStr<'a>,
    /// Where it panicked: the source file.
    pub file: RStr<'a>,
    /// The line in it.
    pub line: u32,
}

/// Takes one failure, during the call that it is handed to.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct FailureSink {
    /// Handed back to `take`.
    pub argument: *mut c_void,
    /// Copies what it is given before it returns.
    pub take: unsafe extern "C" fn(argument: *mut c_void, failure: &FailureRef<'_>),
}

/// What the host knows of the version that a visitor is in.
#[repr(C)]
#[derive(StableAbi)]
pub struct Visit {
    _private: [u8; 0],
}

/// A version of another module, while the caller is counted into it.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Entered {
    /// What the methods take first.
    pub state: *const ModuleState,
    /// The methods of the interface that was asked for.
    pub table: *const MethodTable,
    /// To be handed back when a method was not [`Done`](crate::Outcome::Done).
    pub visit: *const Visit,
}

/// What is to be run inside a version of another module.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Visitor {
    /// Handed back to `enter`.
    pub argument: *mut c_void,
    /// Runs once, on the calling thread, and does not unwind.
    pub enter: unsafe extern "C" fn(argument: *mut c_void, entered: &Entered),
}
