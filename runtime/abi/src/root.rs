//! What the host may ask of a module.

use std::ffi::c_int;

use abi_stable::{
    StableAbi, library::RootModule, package_version_strings, sabi_types::VersionStrings, std_types::RSlice,
};

use crate::{ExportRef, HostRef, Outcome, ReplyRef, RequestRef};

/// What a module made in `on_load`: the module knows what it is, the host only keeps the pointer.
#[repr(C)]
#[derive(StableAbi)]
pub struct ModuleState {
    _private: [u8; 0],
}

/// What an image still has in this process that could run its code later.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Destructors of thread-locals that are registered and have not run.
    pub destructors: u64,
    /// pthread keys that it made and that still exist.
    pub keys: u32,
    /// Threads that its constructors started before the host was attached, so that the host does not know them.
    pub unknown_threads: u32,
}

/// The table of functions that a module exports: its root module, in the words of `abi_stable`.
///
/// Every function keeps panics of the module inside the module.
///
/// # Safety
///
/// * `attach` is called first, once, and the [`HostRef`] is valid until the image has left memory.
/// * `on_load` is called once; only where it answers [`Outcome::Done`] may `handle` be called, from any thread, with the
///   state it made, until `unload`, which is called once.
/// * `detach_thread` runs, on its own thread, what that thread has left to destroy in the image; after it the thread must
///   never run code of the image again. Where it does, `std` aborts the process.
/// * `release` is called once, when no thread will ever run code of the image again; after it the image may be unmapped.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = ModuleRootRef)))]
pub struct ModuleRoot {
    /// Introduces the host, and takes over panics and log records.
    pub attach: unsafe extern "C" fn(host: HostRef),
    /// Makes the module's state; a fault is a veto.
    pub on_load: unsafe extern "C" fn(reply: ReplyRef, state: &mut *mut ModuleState) -> Outcome,
    /// Answers one request.
    pub handle:
        unsafe extern "C" fn(state: *const ModuleState, request: &RequestRef<'_>, reply: ReplyRef) -> Outcome,
    /// Drops the module's state.
    pub unload: unsafe extern "C" fn(state: *mut ModuleState) -> Outcome,
    /// Runs the destructors that the calling thread has registered, and says how many ran.
    pub detach_thread: unsafe extern "C" fn() -> u64,
    /// Says what is left.
    pub audit: unsafe extern "C" fn() -> Audit,
    /// Runs the image's exit handlers, gives the pthread keys back, and says what is left: destructors that will never run.
    pub release: unsafe extern "C" fn() -> Audit,
    /// The typed interfaces that the module exports. The functions of a table are called like `handle`: with the state, from
    /// any thread, between `on_load` and `unload`.
    #[sabi(last_prefix_field)]
    pub interfaces: unsafe extern "C" fn() -> RSlice<'static, ExportRef>,
    /// Writes the text that the module has printed and that its `std` keeps, since no line of it has ended. Called after `unload`.
    pub flush_output: unsafe extern "C" fn(),
    /// Ends the threads that the module started, if there are `expected` and every one waits: for a lock, in a sleep, for a
    /// socket. What is on their stacks is not dropped. Answers how many are about to end; 0 if one runs, and then nothing has
    /// changed. `signal` is one that a handler of the host does nothing at; it wakes a thread from a system call. Called after
    /// `unload`, when no call is inside, and again while threads are left.
    #[sabi(last_prefix_field)]
    pub end_idle_threads: unsafe extern "C" fn(expected: u32, signal: c_int) -> u32,
}

/// Lets `abi_stable` name the table. Its own way of loading is not used: it keeps one library for ever, and compares
/// layouts against a cache that outlives the libraries in it.
impl RootModule for ModuleRootRef {
    abi_stable::declare_root_module_statics! {ModuleRootRef}

    const BASE_NAME: &'static str = "segue_module";
    const NAME: &'static str = "segue_module";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
