//! Reads, maps and unmaps the file of a module, and proves that it was unmapped.
//!
//! # Loading a file
//!
//! 1. [`Candidate::read`] reads the file into memory once and computes its [`Digest`]. All later steps use
//!    these bytes, so a later change of the file has no effect.
//! 2. [`Candidate::inspect`] checks that the bytes are a complete ELF shared object for this machine, and
//!    reads the [`Metadata`] of the module. No code of the file runs.
//! 3. [`Inspected::stage`] writes the bytes to a path that was never used before. The path must be new
//!    because the dynamic linker treats a file with a known path or inode as already loaded, and a mapped
//!    file must not change.
//! 4. [`Staged::map`] maps the file, checks the layout of its exports, and passes the host's services to it.
//!    Each kind of refusal by the dynamic linker has its own [`MapError`] with the linker's message.
//!    [`Mapped::stale_libraries`] are libraries that were in memory before and whose files have changed.
//! 5. [`Mapped::on_load`] runs the module's `on_load`. The result is an [`Image`], which can be called.
//!
//! An interface of the image is called through an [`Implementation`], after it was checked against the
//! interface that the caller was compiled with ([`Expected`]). Another module calls it through a
//! [`LinkTarget`].
//!
//! # Unloading an image
//!
//! The host first ensures that no call is inside and that none can enter.
//!
//! 6. [`Mapped::detach_thread`], called on each host thread that has been inside, destroys what the thread
//!    left in the image. After that the thread must never enter the image again. The host ensures this by
//!    never making the version current again.
//! 7. [`Image::unload`] drops the module's value. [`Mapped::wait_for_threads`] waits for the threads that the
//!    module started.
//! 8. [`Mapped::unmap`] checks for obstacles ([`Obstacle`]), runs the image's exit handlers, deletes its
//!    pthread keys, closes it, and then **checks the dynamic linker's list**. Only [`Unmapped`] means that
//!    the image is gone. Otherwise the result is an [`UnmapFailure`] with the reasons. It can be tried again:
//!    [`Retained::sweep`].
//! 9. The heap of the module is freed as a whole, its mappings are unmapped, and the memory that it had not
//!    freed is reported ([`Unmapped::leaked_bytes`]).
//!
//! # Crash reports
//!
//! A module is code of the process: if it follows a null pointer, the process dies. With
//! [`CrashReports::install`] the process first reports which module's code that was. Each image is in a
//! table, from before its first constructor runs until the dynamic linker's list no longer has it. A handler
//! of the fatal signals looks up the address of the instruction in the table, and writes a line with the
//! module, version, generation, digest and address in the file. Then it forwards the signal to the previous
//! handler, so the process dies as it would have died: by the same signal, with a core file if it writes one,
//! and with the message of `std` if a stack overflows. The next process reads the lines ([`read_reports`]),
//! finds the name of the function in the file ([`CrashReport::symbol`]), and clears the lines
//! ([`clear_reports`]).
//!
//! If the instruction is in no image (for example in libc after a bad pointer, or in `abort`), the innermost
//! return address on the stack that is in an image decides, and the report says so ([`AttributedBy::Stack`]).
//! That is most probably right, but no proof. A signal that another process sent is attributed to no module.
//!
//! Unmapped code may still be called, for example by a library that kept a callback. The addresses of the
//! last 64 unmapped images stay reserved, so such a call faults and does not run the code of a later image.
//! The addresses of all images are recorded until the process ends. The report names the image that was
//! there, and how long before it was unmapped ([`AttributedBy::Left`], [`CrashReport::left_ms`]).
//!
//! A module that calls `exit` ends the process too. In a module that symbol belongs to the SDK, and the host
//! writes the line before it exits ([`AttributedBy::Exit`]). Crashes after that, while exit handlers run, are
//! not reported. A child that a module has forked may call `exit` without a report.
//!
//! **Reported** are SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP and SIGSYS on all threads that do not
//! block them, and `exit` after the module was attached, which is after its constructors.
//!
//! **Not reported** are:
//!
//! * SIGKILL, which includes the out-of-memory killer, `_exit` and `quick_exit`.
//! * An `exit` inside libc itself (`err`), or in a library that a module links and does not contain.
//! * A signal that a later handler does not forward.
//! * A stack overflow on a thread without an alternate signal stack. Threads of `std` in a Rust program and
//!   threads that a module starts have one. Others have one only if their creator sets it.
//!
//! The stack is not searched if the system forbids a process to read itself with `process_vm_readv`. If the
//! previous handler lets the process continue (as `std` does after a SIGSEGV that another process sent), the
//! report is written anyway, and it is the last one of the process.
//!
//! # How unloading is made safe
//!
//! An image can be unmapped safely if nothing in the process will ever run its code, or follow a pointer into
//! it or into its memory. The table lists what could do so, and what prevents it:
//!
//! | hazard | how it is detected and ended |
//! | --- | --- |
//! | a call inside | the cell counts calls; an image is unmapped only when the count is zero (`segue-core`) |
//! | a thread that the module started | `pthread_create` and `thrd_create` of a module are the SDK's, through hidden symbols, and call `threads/started.rs`: a function of the host is at the bottom of the stack; unmapping waits for the thread |
//! | a thread that ends by `pthread_exit` or is cancelled | libc unwinds it to the bottom of the image, and it ends from there like any other (SDK, `idle/escape.rs`) |
//! | a thread that waits forever | blocking calls in a module are the SDK's too, and are noted; if every thread of the image waits, [`Mapped::end_idle_threads`] makes each leave its functions and end (SDK, `idle/`) |
//! | destructors of thread-locals | `__cxa_thread_atexit_impl`, and `__cxa_thread_atexit` of C++, are the SDK's too: a list in a thread-local of the image, which `detach_thread` runs on its own thread |
//! | pthread keys | `pthread_key_create` is the SDK's: libc gets no destructor, `detach_thread` runs it, and `release` deletes the key; near the limit of 1024 ([`keys_in_use`]) no file is mapped |
//! | exit handlers | `release` makes libc run those of this image, found by its `__dso_handle`, and then detaches the thread once more |
//! | callbacks in external libraries | a file that links a library that is not part of the system (`file/imports.rs`) is never unmapped: a permanent [`Obstacle`] |
//! | signal handlers | `sigaction`, `signal` and related functions are the SDK's: the kernel gets one dispatcher for each signal, which calls the handlers of the images and of the host (`signals/`); an image's handlers are removed before it is unmapped; a thread that runs one is an [`Obstacle`] |
//! | signal handlers installed without the SDK | the kernel's table, and the handlers that the runtime's own handler replaced, are compared with the image's addresses; a match is an [`Obstacle`] |
//! | panic payloads | the SDK drops them inside the image; the host gets text |
//! | replies, errors, log records | copied into host memory, or written there directly (`segue-interface`) |
//! | layouts that `abi_stable` compares | each check has its own cache, and its report is converted to text while the image is mapped |
//! | links to other modules | closed with the image ([`LinkTarget`]) |
//! | `DF_1_NODELETE`, `STB_GNU_UNIQUE` | detected in the file, and cleared in the private copy ([`Inspected::cleared_marks`]) |
//! | static thread-local storage | refused: libc does not free it |
//! | `$ORIGIN` | replaced in the private copy by the directory of the original file ([`Inspected::file`]) |
//! | an executable stack | refused, in the file ([`CheckError::ExecutableStack`]) and in its libraries ([`MapError::ExecutableStack`]) |
//! | libraries that hold the image | the dynamic linker's list is checked after `dlclose`; an image that is still there is swept until it is gone |
//! | the module's heap | one for each image (`heap/`); its address is in the private copy before the first constructor runs; large growing blocks get spare room (`heap/growth.rs`) |
//! | a thread that exits while a heap that it used is destroyed | these two race in mimalloc; a lock serializes them (`heap/thread_exit.rs`) |
//! | file descriptors | the functions that open and close them are the SDK's; descriptors that are open after the unmapping are reported ([`Unmapped::left_open`]) and stay open; near the limit no file is mapped (`resources/descriptors.rs`) |
//! | direct mappings | `mmap` and related functions are the SDK's too, and are recorded (`heap/mappings.rs`), for example the files in which `std` looks up names of functions |
//!
//! # What is guaranteed
//!
//! **For a module in safe Rust**, with any crates: after [`Unmapped`] nothing in the process refers to the
//! image, and its memory is freed. Thread-locals on threads that were never detached are dropped without
//! running their destructors, and counted ([`Unmapped::destructors_dropped`]). Resources other than memory
//! that such a destructor would have released, such as a file or a lock of the host, are leaked. So are
//! resources that a static owns, because Rust does not drop statics. Keep a file in the module's value
//! instead.
//!
//! **For C code in a module**, threads, keys, thread-locals, mappings, exit handlers and signal handlers are
//! handled as above. So are timers that call a function on a thread (`timer_create`), `on_exit`, and
//! `pthread_atfork`. A handler for `quick_exit` is not registered. **Not tracked** are:
//!
//! * Notifications on a thread (`SIGEV_THREAD`), except those of timers.
//! * Threads that it starts with a direct system call.
//! * Libraries that it opens with `dlopen`, and alternate signal stacks.
//! * Keys and destructors that it registers without the SDK's symbols, through `dlsym`.
//! * Memory from `malloc`. It is not counted, and stays allocated.
//!
//! C code must not leave its mappings to others: not to a library that unmaps them, and not as the stack of a
//! thread that is never joined. A destructor in its file (`.fini_array`, `__attribute__((destructor))`) runs
//! inside `dlclose`, under the dynamic linker's lock. While it hangs, no other module can be mapped or
//! unmapped. Exit handlers run before, without that lock.
//!
//! A timer of `setitimer` or `alarm` keeps running. Its signal is ignored after the last handler was removed.
//! `putenv` copies its argument.
//!
//! A thread that C code started may end by `pthread_exit`, or be cancelled. Its cleanup handlers and
//! destructors run, and it is removed from the list. `open`, `close` and `fcntl` are not cancellation points
//! in a module. If a thread of `std`, or a thread of the host during a call, ends in this way, the process
//! ends, as in any program: libc must not unwind functions of Rust.
//!
//! Idle threads are ended only if each can leave its blocking call. If libc does not let one return (for
//! example because a thread outside the image holds its mutex), all threads of the image stay, and so does
//! the image.
//!
//! A signal handler that exits with `longjmp` counts as running until its thread ends or is detached from the
//! image. If a thread has more than eight such handlers at once, the others keep their images in memory.
//!
//! A mutex that a thread held when it was ended stays locked, unless another ended thread waited for a
//! condition with it. An exit handler or a destructor of a C++ static that locks it makes the purge of its
//! image hang.
//!
//! **For C++ in a module**, the same holds if its runtime is linked statically (`cpp_link_stdlib_static`).
//! Then its `std::thread` uses the SDK's `pthread_create`.
//!
//! **For external libraries** nothing is proven, so the module stays in memory: a file that lists one in
//! `DT_NEEDED` is never unmapped, unless its author promises that the library keeps nothing of it
//! ([`Unload::Promised`]). Then only the library stays, with its heap and its keys, because a callback may
//! use them. Allowed are libc, libm, libgcc_s and other system libraries ([`is_system_library`]).
//!
//! **Nothing is guaranteed** for a module that breaks Rust's rules, or that was built without the SDK's
//! macro. An image whose constructors started threads stays in memory until the process ends, and is
//! reported: the threads started before the runtime could track them.

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
