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
//! 4. [`Staged::map`] maps it, checks the layout of what it exports, and introduces the host.
//! 5. [`Mapped::on_load`] lets the module start. It is now an [`Image`], and can be called.
//!
//! An interface of it is called through an [`Implementation`], after it was checked against what its caller was compiled with
//! ([`Expected`]); by another module, through a [`Link`].
//!
//! # The way out
//!
//! 6. [`Mapped::detach_thread`], on each thread of the host that has been inside, runs what the thread has left there.
//! 7. [`Image::unload`] drops the module's own value; [`Mapped::wait_for_threads`] waits for the threads it started.
//! 8. [`Mapped::unmap`] gives its pthread keys back, closes it, and then **asks the dynamic linker's list** whether it is
//!    gone. Only [`Unmapped`] says so; everything else is a [`Retained`] with its reasons.
//!
//! # What is guaranteed, and what is not
//!
//! For a module in safe Rust: after [`Unmapped`] nothing in the process refers to the image. What a module left on
//! threads that were never detached is dropped without running, and counted ([`Unmapped::destructors_dropped`]). Code in
//! a module that is not safe Rust can keep pointers that nobody here knows of: signal handlers, callbacks in C libraries.
//!
//! The mechanism that ties thread-locals, keys and threads to an image is in the SDK (`interpose.rs`), its other half is
//! in `threads.rs` here.

mod candidate;
mod context;
mod digest;
mod elf;
mod error;
mod image;
mod implementation;
mod interface;
mod link;
mod linkmap;
mod mapped;
mod metadata;
mod reply;
mod threads;

pub use candidate::{Candidate, FILE_BYTES_MAX, Inspected, Staged};
pub use context::{Log, Services};
pub use digest::{Digest, ParseDigestError};
pub use error::{CallFault, CheckError, MapError, StageError};
pub use image::Image;
pub use implementation::{Implementation, Reached};
pub use interface::{Expected, InterfaceMismatch};
pub use link::Link;
pub use linkmap::mapped_below;
pub use mapped::{MapFailure, Mapped, Retained, Unmapped, Vetoed};
pub use metadata::{Argument, Interface, Metadata, Method, Type};
pub use reply::ReplyBuffer;
pub use segue_abi as abi;
pub use threads::ModuleThread;
