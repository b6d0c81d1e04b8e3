//! The functions of a module that the host calls.

use std::ffi::c_int;

use abi_stable::{
    StableAbi, library::RootModule, package_version_strings, sabi_types::VersionStrings, std_types::RSlice,
};

use crate::{ExportRef, HostRef, Outcome, ReplyRef, RequestRef};

/// The value that a module created in `on_load`. Only the module knows its type; the host keeps the pointer.
#[repr(C)]
#[derive(StableAbi)]
pub struct ModuleState {
    _private: [u8; 0],
}

/// What an image has left in this process that could run its code later.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Registered destructors of thread-locals that have not run.
    pub destructors: u64,
    /// Its pthread keys that still exist.
    pub keys: u32,
    /// Threads that its constructors started before the module was attached. The host does not know them.
    pub unknown_threads: u32,
}

/// The table of functions that a module exports. `abi_stable` calls it the root module.
///
/// No function lets a panic of the module out.
///
/// # Safety
///
/// * Call `attach` first, and once. The [`HostRef`] must be valid until the image is unmapped.
/// * Call `on_load` once. Only if it returns [`Outcome::Done`] may `handle` be called, from any thread, with
///   the state that `on_load` created, until `unload`. Call `unload` once.
/// * `detach_thread` destroys what the calling thread has left in the image. After it the thread must never
///   run code of the image again; otherwise `std` aborts the process.
/// * Call `release` once, when no thread will ever run code of the image again. After it the image may be
///   unmapped.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = ModuleRootRef)))]
pub struct ModuleRoot {
    /// Attaches the module to the host. From then on the module passes its panics and log records to the
    /// host.
    pub attach: unsafe extern "C" fn(host: HostRef),
    /// Creates the module's state. A fault refuses the load.
    pub on_load: unsafe extern "C" fn(reply: ReplyRef, state: &mut *mut ModuleState) -> Outcome,
    /// Answers one request.
    pub handle:
        unsafe extern "C" fn(state: *const ModuleState, request: &RequestRef<'_>, reply: ReplyRef) -> Outcome,
    /// Drops the module's state.
    pub unload: unsafe extern "C" fn(state: *mut ModuleState) -> Outcome,
    /// Runs the destructors that the calling thread has registered. Returns how many ran.
    pub detach_thread: unsafe extern "C" fn() -> u64,
    /// Counts what is left.
    pub audit: unsafe extern "C" fn() -> Audit,
    /// Runs the image's exit handlers, and deletes its pthread keys. Returns what is left: destructors that
    /// never run.
    pub release: unsafe extern "C" fn() -> Audit,
    /// The typed interfaces that the module exports. Call the functions of a table as you call `handle`: with
    /// the state, from any thread, between `on_load` and `unload`.
    #[sabi(last_prefix_field)]
    pub interfaces: unsafe extern "C" fn() -> RSlice<'static, ExportRef>,
    /// Writes the printed text that the module's `std` still buffers, because its line has not ended. Call it
    /// after `unload`.
    pub flush_output: unsafe extern "C" fn(),
    /// Ends the threads that the module started, if there are `expected` of them and each one waits: for a
    /// lock, in a sleep, for a socket. The values on their stacks are not dropped. Returns how many are about
    /// to end. If one runs, it returns 0, and nothing has changed. `signal` wakes a thread from a system
    /// call; the host's handler for it does nothing. Call it after `unload`, when no call is inside, and
    /// again while threads are left.
    #[sabi(last_prefix_field)]
    pub end_idle_threads: unsafe extern "C" fn(expected: u32, signal: c_int) -> u32,
}

/// Lets `abi_stable` name the table. The loader of `abi_stable` is not used: it never unloads a library, and
/// it compares layouts against a cache that outlives the libraries in it.
impl RootModule for ModuleRootRef {
    abi_stable::declare_root_module_statics! {ModuleRootRef}

    const BASE_NAME: &'static str = "segue_module";
    const NAME: &'static str = "segue_module";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
