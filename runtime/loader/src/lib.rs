//! From a file to a mapped image of a module, and the proof that it left.
//!
//! # The way of a file
//!
//! 1. [`Candidate::read`] reads the file once, into memory, and computes its [`Digest`]. Everything after this looks at
//!    these bytes, so a file that changes meanwhile changes nothing.
//! 2. [`Candidate::inspect`] checks that the bytes are a whole ELF shared object for this machine, and reads the
//!    [`Metadata`] that the module's author put there. Nothing of the file is executed.
//! 3. [`Inspected::stage`] writes the bytes to a path that was never used before. The dynamic linker takes a file for
//!    one that it already has when path or inode are the same; and a file that is mapped must not change.
//! 4. [`Staged::map`] maps it, checks the layout of what it exports, and introduces the host. When the
//!    dynamic linker refuses it, each kind of refusal is its own [`MapError`], with the linker's words;
//!    [`Mapped::stale_libraries`] are those that were in memory and have another file now.
//! 5. [`Mapped::on_load`] lets the module start. It is now an [`Image`], and can be called.
//!
//! An interface of it is called through an [`Implementation`], after it was checked against what its caller was compiled with
//! ([`Expected`]); by another module, through a [`LinkTarget`].
//!
//! # The way out
//!
//! Before it, the host sees to it that nobody is inside, and that nobody can enter any more.
//!
//! 6. [`Mapped::detach_thread`], on each thread of the host that has been inside, runs what the thread has left there. After that
//!    the thread must never enter the image again; the host makes sure of it by never making the version current again.
//! 7. [`Image::unload`] drops the module's own value; [`Mapped::wait_for_threads`] waits for the threads it started.
//! 8. [`Mapped::unmap`] looks for what is in the way ([`Obstacle`]), has the image's exit handlers run and its pthread keys given
//!    back, closes it, and then **asks the dynamic linker's list** whether it is gone. Only [`Unmapped`] says so. What is kept
//!    is a [`UnmapFailure`] with its reasons, and can be tried again: [`Retained::sweep`].
//! 9. The heap that the module's memory came from is freed whole, what the module had mapped is unmapped, and what was left is told
//!    ([`Unmapped::leaked_bytes`]).
//!
//! # A crash
//!
//! A module is code of the process: where it follows a null pointer, the process dies. [`CrashReports::install`] has it say first
//! whose code that was. Each image is in a table of the process, from before its first constructor runs until the dynamic
//! linker's list says that it has left; a handler of the fatal signals looks the instruction's address up there, writes a line
//! with the module, version, generation, digest and the offset in the file, and hands the signal over to whatever was there
//! before it, so that the process dies as it would have: by the same signal, with a core where it leaves one, with what `std` says
//! of a stack that overflows. The next process reads the lines ([`read_reports`]), names the function by the file
//! ([`CrashReport::symbol`]), and clears them ([`clear_reports`]).
//!
//! Where the instruction is in no image (libc was handed a bad pointer; `abort`), the innermost return address on the stack
//! that is in one decides, and the report says so ([`AttributedBy::Stack`]): most probably right, and no proof. A signal that
//! another process sent is blamed on nobody.
//!
//! Code that had left may still be called: by a library that kept a callback, say. The places of the last 64 images that left
//! stay reserved, so such a call faults and does not run a later image's code. All places that images had are kept for the life of
//! the process, and the report names the one that was there and how long ago it left ([`AttributedBy::Left`],
//! [`CrashReport::left_ms`]).
//!
//! A module that calls `exit` has ended the process as well: that symbol is the SDK's in a module, and the host writes the line
//! before it does what was asked ([`AttributedBy::Exit`]). What goes wrong after that, while exit handlers run, is not told. A child
//! that a module has forked may call it as it likes.
//!
//! **Reported** are SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP and SIGSYS, on all threads that do not block them, and `exit`
//! from the module's introduction on, which comes after its constructors. **Not reported** are SIGKILL (and so what the system ends
//! for want of memory), `_exit`, `quick_exit`, an `exit` of libc itself (`err`) or of a library that a module is linked to and does
//! not contain, what a handler that was installed later keeps for itself, and a stack that overflows on a thread without an alternate
//! signal stack: threads of `std` in a Rust program have one, those that a module starts get one, and others are their maker's. The
//! stack is not looked at where the system forbids a process to read itself by `process_vm_readv`. Where the handler that was there
//! before lets the process live (as `std`'s does with a SIGSEGV that somebody sent), the report is there all the same, and is the
//! last one of the process.
//!
//! # The mechanism
//!
//! An image can leave memory safely if nothing in the process will ever run its code or follow a pointer into it or into its
//! memory. What could, and what is done about each:
//!
//! | what | how it is known, and ended |
//! | --- | --- |
//! | a call inside | the cell counts it; nobody is taken out before it is zero (`segue-core`) |
//! | a thread that the module started | `pthread_create` (and `thrd_create`) of the module is the SDK's, by a hidden symbol, and leads to `threads.rs`: a trampoline in host text is at the bottom of its stack; unmapping waits |
//! | a thread that ends by `pthread_exit` or is cancelled | libc unwinds it to the bottom of the image, and it ends from there like any other (SDK, `idle/escape.rs`) |
//! | a thread that waits for ever | what waits in a module is the SDK's too, and notes it; if every thread of the image waits, [`Mapped::end_idle_threads`] has each leave its functions and end (SDK, `idle/`) |
//! | destructors of thread-locals | `__cxa_thread_atexit_impl`, and `__cxa_thread_atexit` of C++, are the SDK's too: a list in a thread-local of the image, run by `detach_thread` on its own thread |
//! | pthread keys | `pthread_key_create` is the SDK's: libc gets no destructor, `detach_thread` runs it, `release` deletes the key. Near the limit of 1024 ([`keys_in_use`]) no file is mapped |
//! | exit handlers | `release` has libc run those of this image, by its `__dso_handle`, and then detaches the thread once more |
//! | callbacks in libraries outside | a file that names a library other than the system's own (`imports.rs`) is never unmapped: an [`Obstacle`] for good |
//! | signal handlers | `sigaction`, `signal` and their relatives are the SDK's: the kernel gets one dispatcher for each signal, which calls the images' handlers and the host's (`signals/`). An image's handlers go before it is unmapped; a thread in one is an [`Obstacle`] |
//! | signal handlers that were installed past the SDK | the kernel's table, and those that the runtime's own has displaced, are compared with the image's addresses; one in there is an [`Obstacle`] |
//! | panic payloads | dropped inside, by the SDK; the host gets text |
//! | answers, errors, log records | copied into memory of the host, or written there at once (`segue-interface`) |
//! | layouts that `abi_stable` compares | each check has a memory of its own, and its report becomes text while the image is mapped |
//! | links to other modules | closed with the image ([`LinkTarget`]) |
//! | `DF_1_NODELETE`, `STB_GNU_UNIQUE` | found in the file, and cleared in the private copy ([`Inspected::cleared_marks`]) |
//! | static thread-local storage | refused: libc does not give it back |
//! | `$ORIGIN` | written out in the private copy as the directory of the file that was given ([`Inspected::file`]) |
//! | an executable stack | refused: in the file ([`CheckError::ExecutableStack`]), and in a library of it ([`MapError::ExecutableStack`]) |
//! | libraries that hold it | after `dlclose` the linker's list is asked; a kept one is swept until it is gone |
//! | the module's heap | one per image (`heap.rs`), whose address is in the private copy before the first constructor runs; large blocks that grow get room (`room.rs`) |
//! | a thread that ends, and the heap of an image that goes | mimalloc would have one in the other's way; a lock keeps them apart (`ends.rs`) |
//! | file descriptors | what opens and closes them is the SDK's; what is open when the image has left is told ([`Unmapped::left_open`]), and stays. Near the limit no file is mapped (`descriptors.rs`) |
//! | what it maps beside | `mmap` and its like are the SDK's too, and tell the heap (`mappings.rs`): files that `std` reads names of functions from, say |
//!
//! # What is guaranteed, and what is not
//!
//! **For a module in safe Rust**, with whatever crates: after [`Unmapped`] nothing in the process refers to the image, and its memory
//! is given back. What it left on threads that were never detached is dropped without running, and counted
//! ([`Unmapped::destructors_dropped`]): what such a destructor would have released beside memory (a file, a lock of the host) stays.
//! So does what a static owns beside memory, since Rust drops no statics: the module's own value is the place for a file.
//!
//! **For C code in a module**, threads, keys, thread-locals, mappings, exit handlers and signal handlers are as above. So are timers that
//! call a function on a thread (`timer_create`), `on_exit`, and `pthread_atfork`. A handler for `quick_exit` is not registered. Not known
//! are notifications on a thread (`SIGEV_THREAD`) by other means than a timer, threads that it starts by a system call of its own, libraries that it opens by `dlopen`, alternate signal stacks, keys and destructors that it registers past the SDK's symbols (by `dlsym`), and memory from `malloc`, which is not
//! counted and stays. What it has mapped it must not leave for others: not for a library to unmap, nor as the stack of a thread that
//! nobody joins. A destructor in its file (`.fini_array`, `__attribute__((destructor))`) runs inside `dlclose`, under the dynamic
//! linker's lock: while it hangs, no other module can be mapped or unmapped. Exit handlers run before, without that lock.
//!
//! A timer of `setitimer` or `alarm` goes on; its signal is ignored when no handler is left. `putenv` copies.
//!
//! A thread that C code has begun may end by `pthread_exit`, or be cancelled: its cleanup handlers and
//! destructors run, and it is counted out. `open`, `close` and `fcntl` are no cancellation points in a
//! module. A thread of `std`, or of the host in a call, that ends so ends the process, as in each program:
//! functions of Rust must not be unwound by libc.
//!
//! A thread that is ended because all wait must come out of what it waits in. If libc does not let it go (its
//! mutex is held by a thread outside the image, say), all its threads stay, and so does the image.
//!
//! A signal handler that leaves by `longjmp` counts as running until its thread ends or is detached from the
//! image. Of more than eight such handlers at once on one thread, the others keep their images.
//!
//! A mutex that a thread held when it was ended stays locked, unless another ended thread waited for a
//! condition with it. An exit handler or a destructor of a C++ static that locks it hangs the purge of its
//! image.
//!
//! **For C++ in a module**, the same holds if its runtime is linked statically (`cpp_link_stdlib_static`): its `std::thread` then
//! binds to the SDK's `pthread_create`.
//!
//! **For libraries outside a module** nothing is proven, so the module stays: a file that names one in `DT_NEEDED` is never unmapped,
//! unless its author promises that the library keeps nothing of it ([`Unload::Promised`]): then the library alone stays,
//! and its heap and its keys stay with it, since a callback may use them. Allowed are libc, libm, libgcc_s and their like
//! ([`is_system_library`]).
//!
//! **Not guaranteed** is anything for a module that breaks Rust's rules, or that is built without the SDK's macro. An image whose
//! constructors started threads stays for ever, and is told so: they ran before the runtime could know them.

mod boundary;
mod crash;
mod error;
mod file;
mod heap;
mod image;
mod linker;
mod resources;
mod signal_safe;
mod signals;
mod threads;

pub use boundary::implementation::{FoundInterface, Implementation};
pub use boundary::interface::{Expected, InterfaceMismatch};
pub use boundary::links::LinkTarget;
pub use boundary::reply::ReplyBuffer;
pub use boundary::services::{Log, Services};
pub use crash::install::CrashReports;
pub use crash::reports::{AttributedBy, CrashReport, clear_reports, read_reports};
pub use error::{CallFault, CheckError, MapError, StageError};
pub use file::candidate::{Candidate, FILE_BYTES_MAX, Inspected, Staged};
pub use file::digest::{Digest, ParseDigestError};
pub use file::imports::{ImportedSymbol, Imports, is_system_library};
pub use file::metadata::{Argument, Interface, Metadata, Method, Type, Unload};
pub use file::missing::Missing;
pub use heap::usage::Usage;
pub use image::map::MapFailure;
pub use image::mapped::Mapped;
pub use image::obstacle::Obstacle;
pub use image::retained::{Retained, Unmapped};
pub use image::started::{Image, OnLoadFailure};
pub use image::unmap::UnmapFailure;

#[doc(hidden)]
pub use libloading::Error as OpenError;
#[doc(hidden)]
pub use linker::linkmap::bare_cycle;
pub use linker::linkmap::mapped_below;
pub use linker::stale::{StaleLibrary, StaleReason};
pub use resources::descriptors::{LeftOpen, descriptors_in_use, descriptors_left_open};
pub use resources::keys::keys_in_use;
pub use segue_abi as abi;
pub use signals::{name::signal_name, wake::wake_signal};
pub use threads::describe::describe_thread;
pub use threads::started::ModuleThread;
pub use threads::untracked::{UntrackedThread, UntrackedThreads};
