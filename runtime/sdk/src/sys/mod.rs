//! System calls, and the functions of libc that this image replaces.
//! Put a line here if it calls the kernel or libc past our replacements, and knows nothing of modules.
//! This room must never use another room.

pub(crate) mod libc_fn;
pub(crate) mod syscall;
