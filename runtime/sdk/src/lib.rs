//! The SDK for authors of segue modules, around the trait [`Module`] and the macro [`export_module!`].
//!
//! A module is a `cdylib` crate that depends on this one. It needs no build script, no linker flag and no
//! `unsafe`. The runtime loads it into a running service, and replaces it there without stopping anything.
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
//!             return Err(Fault::new("the path has no name"));
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
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! segue-sdk = { path = "…" }
//! ```
//!
//! `segue new NAME` writes such a crate, with a test.
//!
//! # Core concepts
//!
//! * [`Module`] is your logic. Each load makes one value of it ([`Module::on_load`]); the purge drops that
//!   value.
//! * A **version** is one load of your module, with a generation number. Two versions can run side by side:
//!   new calls enter *current*, and calls that are inside *old* finish there. The runtime unloads *old* when
//!   no caller is inside.
//! * [`Request`] and [`Reply`] are one call. A reply is written directly to memory of the host.
//! * [`Fault`] is a failed call. Like a panic, it fails that one call and nothing else.
//! * [`Host`] is the runtime as the module sees it. It gives name, version and generation, and handles to
//!   other modules ([`ModuleHandle`], [`InterfaceHandle`]).
//! * A **typed interface** is a trait in a crate that host and modules share. A call is as fast as one of a
//!   trait object. Export it with `export_module!(Shop, interfaces = [Pricing])`. See `segue_interface`.
//! * A **sticky** module asks not to be replaced or deleted until an operator runs `segue unstick`:
//!   `export_module!(Greeter, sticky)`.
//! * [`testing`] calls a module in a unit test, without a runtime. [`testing::leaves!`] checks that the built
//!   file unloads.
//!
//! # What works as usual
//!
//! * `println!`, `std::thread`, thread-locals with `Drop`, and crates that use them. [`export_module!`] ties
//!   these resources to the version, so it can still be unloaded.
//! * Logging with [`tracing`] or `log`. Events, records and spans reach the host's subscriber, with the
//!   module's name, version and generation.
//! * Panics. The host logs the message and the location, and the backtrace if `RUST_BACKTRACE` asks for one.
//!   After that, the panic hook that the module has set runs, if there is one.
//! * Memory. It comes from a heap of this version, because [`export_module!`] sets the global allocator. At
//!   the purge the runtime reports and frees what is left on that heap, and unmaps what the module has
//!   mapped.
//!
//! # What needs your attention
//!
//! * **Subscribers and loggers.** Set none: the host is both. `init()` panics, which fails the load, and the
//!   error names the line to delete. `try_init()` fails and changes nothing.
//! * **Statics.** Rust does not drop statics, so a file or a socket in a static stays open after the purge.
//!   Keep such things in the module's value.
//! * **Threads.** A thread that you start keeps this version in memory until the thread ends. Ask it to end,
//!   and join it, in `Drop`.
//! * **Pools.** With the feature `rayon`, `host.pool()?` in `on_load` starts rayon's global pool in a form
//!   that ends with the module's value. With the feature `tokio`, `host.tokio()?` starts a tokio runtime that
//!   does the same.
//! * **Long calls.** A call that loops or waits for long should check [`Request::is_cancelled`] regularly. It
//!   becomes true when a purge asks the call to end.
//! * **Signal handlers.** A handler keeps this version in memory until another handler replaces it. The
//!   previous handler that `sigaction` returns is always the host's, never another version's.
//! * **Shared C libraries.** A library outside the module, such as `libssl.so.3`, may keep pointers to your
//!   callbacks. The version then stays in memory for ever. Link the library statically, or use a Rust crate.
//! * **Panic strategy.** Build with `panic = "unwind"`, the default. Any other setting does not compile.
//!
//! # How it works
//!
//! [`export_module!`] does four things:
//!
//! * It writes the module's metadata to a section of the file, where the runtime reads it before it runs any
//!   code (see [`segue_abi::metadata`]).
//! * It exports the table of functions that the host calls ([`segue_abi::ModuleRoot`]; `src/export`).
//! * It sets the global allocator (`src/boundary/heap.rs`).
//! * It defines hidden symbols with the names of libc functions, such as `pthread_create` and `mmap`
//!   (`src/interpose`, `src/idle`). `std` and C code in the module bind to these. So the runtime knows which
//!   threads, thread-locals, mappings and file descriptors belong to this version, and which version ended
//!   the process.
//!
//! # Rooms of the source
//!
//! From top to bottom; each uses only those below it.
//!
//! | room | put a line here when |
//! | --- | --- |
//! | `export` | `export_module!` expands to it, or the host enters the module through it |
//! | `testing` | a module's tests call it |
//! | `api` | a module's author names it |
//! | `log` | it reports a record or a panic to the host |
//! | `interpose` | it replaces a libc function, or cleans up after one |
//! | `idle` | it ends threads that wait, or replaces a libc function that waits |
//! | `boundary` | it keeps something that the host gave this image |
//! | `sys` | it calls the kernel, or libc past our replacements, and knows nothing of modules |

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

/// The names that most modules use.
pub mod prelude {
    pub use crate::{
        Bytes, Fault, Host, InterfaceHandle, List, Module, ModuleHandle, Reply, Request, Str, export_module,
        tracing,
    };
}

/// Names for the expansion of [`export_module!`]. Not part of the public interface.
#[doc(hidden)]
pub mod __private {
    /// The functions that replace those of libc with the same names.
    pub mod replacements {
        pub use crate::{
            idle::replacements::*,
            interpose::{
                c_threads::thrd_create,
                descriptors::*,
                environment::putenv,
                exit::{cxa_at_quick_exit, exit, on_exit},
                mappings::{mmap, mremap, munmap},
                signals::{sigaction, sigignore, signal, sigset, sysv_signal},
                thread_locals::{cxa_thread_atexit, pthread_key_create, pthread_key_delete},
                threads::pthread_create,
                timers::{timer_create, timer_delete},
            },
        };
    }

    pub use crate::{
        boundary::heap::ModuleAllocator,
        export::{
            entry::{Identity, header},
            manifest, metadata,
        },
        testing::leaves::leaves,
    };
    pub use core::arch::global_asm;
    pub use segue_abi::{ExportRef, abi_stable::library::LibHeader};
    pub use segue_interface::__private::{Interface, export};
}
