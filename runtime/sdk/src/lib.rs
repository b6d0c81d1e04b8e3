//! What the author of a segue module depends on: the trait [`Module`], the macro [`export_module!`], and nothing else.
//!
//! A module is a `cdylib` crate with this one dependency. It needs no build script, no linker flag and no `unsafe`.
//!
//! ```no_run
//! use segue_sdk::prelude::*;
//!
//! pub struct Greeter {
//!     greeting: String,
//! }
//!
//! impl Module for Greeter {
//!     fn on_load(host: &Host) -> Result<Self, Fault> {
//!         tracing::info!(generation = host.generation(), "ready to greet");
//!         Ok(Greeter { greeting: "Hello".to_owned() })
//!     }
//!
//!     fn handle(&self, request: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
//!         let name = request.path().trim_start_matches('/');
//!         if name.is_empty() {
//!             return Err(Fault::new("nobody to greet"));
//!         }
//!         reply.text(&format!("{}, {name}!\n", self.greeting));
//!         Ok(())
//!     }
//! }
//!
//! export_module!(Greeter);
//! # fn main() {}
//! ```
//!
//! # Concepts
//!
//! * [`Module`]: your logic. One value of it is made by each load ([`Module::on_load`]) and dropped at its purge.
//! * [`Request`] and [`Reply`]: one call. A reply is written straight into memory of the host.
//! * [`Fault`]: a call that failed. It fails that call and nothing else, as does a panic.
//! * [`Host`]: who loaded this, and as which generation; and the way to other modules ([`ModuleHandle`],
//!   [`InterfaceHandle`]).
//! * **typed interfaces**: methods that are called as fast as those of a trait object. They are defined in a crate that host
//!   and modules share, and exported with `export_module!(Shop, interfaces = [Pricing])`; see `segue_interface`.
//! * **sticky**: `export_module!(Greeter, sticky)` asks not to be replaced, nor deleted, until somebody says `segue unstick`.
//! * [`testing`]: call the module in a unit test, without a runtime; and [`testing::leaves!`] shows that its file leaves memory.
//!
//! # What the runtime does for you, and what it cannot
//!
//! * `println!`, `std::thread`, thread-locals with `Drop`, and the crates that use them work as ever, and do not keep the
//!   version from being unloaded: [`export_module!`] ties them to the image.
//! * Log with [`tracing`] or `log`: records and spans reach the host's subscriber, with the module's name,
//!   version and generation. Set no subscriber and no logger: the host is both, so `init()` panics, and the
//!   error names the line to delete. `try_init()` fails and changes nothing.
//! * A panic reaches the host's log with its message and place, and with its backtrace if `RUST_BACKTRACE` asks
//!   for one. A panic hook that you set is called after that.
//! * Your memory comes from a heap of this version ([`export_module!`] sets the global allocator): what you leave is told and freed
//!   at the purge; so is what you have mapped. But Rust drops no statics: a file or a socket that one of them owns stays open. Keep
//!   such things in the module's own value.
//! * A thread that you start keeps this version in memory until it ends. Ask it to end, and join it, in `Drop`.
//! * With the feature `rayon`, `host.pool()?` in `on_load` makes rayon's global pool one that ends with the module's value. With
//!   the feature `tokio`, `host.tokio()?` is a tokio runtime that does.
//! * A call that loops or waits long should look at [`Request::is_cancelled`] now and then: a purge asks by it.
//! * A signal handler keeps this version in memory until another takes its place. The previous handler that you get is the
//!   host's, never another version's.
//! * A C library outside of the module (`libssl.so.3`) may hold your callbacks, so this version stays in memory for ever. Link it
//!   statically, or use a Rust crate.
//! * A module must be built with `panic = "unwind"`, the default; another setting does not compile.
//!
//! # How it works
//!
//! `export_module!` puts the module's metadata into a section of the file (see [`segue_abi::metadata`]), exports the table
//! of functions that the host calls ([`segue_abi::ModuleRoot`]), sets the allocator (`src/boundary/heap.rs`), and defines hidden symbols
//! that stand in for functions of libc, so that what a thread has left to destroy in this image is known and who ends the
//! process (`src/interpose`), and what memory it has mapped (`src/interpose/mappings.rs`).

mod api;
mod boundary;
mod export;
mod idle;
mod interpose;
mod log;
mod sys;
pub mod testing;

#[cfg(feature = "rayon")]
pub use api::Pool;
pub use api::{Answer, Host, InterfaceHandle, Module, ModuleHandle, Reply, Request};
#[doc(hidden)]
pub use export::{manifest, metadata};
#[cfg(feature = "rayon")]
pub use rayon;
pub use segue_abi;
pub use segue_interface::{Bytes, CallError, CallFailure, Fault, List, Str, VersionId};
#[cfg(feature = "tokio")]
pub use tokio;
pub use tracing;

/// Everything a module usually names.
pub mod prelude {
    pub use crate::{
        Bytes, Fault, Host, InterfaceHandle, List, Module, ModuleHandle, Reply, Request, Str, export_module,
        tracing,
    };
}

/// What the macro's expansion names. No part of the SDK's interface.
#[doc(hidden)]
pub mod __private {
    /// The functions of `idle/waits.rs`.
    pub use crate::idle::stand_ins as waits;
    /// The functions of `interpose/descriptors.rs`.
    pub mod descriptors {
        pub use crate::interpose::descriptors::*;
    }

    pub use crate::{
        boundary::heap::ModuleAllocator,
        export::{
            entry::{Identity, header},
            manifest, metadata,
        },
        interpose::{
            c_threads::c_thread_create,
            environment::put as put_environment,
            exit::{at_quick_exit, exit, on_exit},
            mappings::{map, remap, unmap},
            signals::{signal, signal_action, signal_ignore, signal_once, signal_set},
            thread_locals::{key_create, key_delete, thread_atexit},
            threads::thread_create,
            timers::{timer_create, timer_delete},
        },
        testing::leaves::leaves,
    };
    pub use core::arch::global_asm;
    pub use segue_abi::{ExportRef, abi_stable::library::LibHeader};
    pub use segue_interface::__private::{Interface, export};
}
