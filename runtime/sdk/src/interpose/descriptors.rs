//! Stands in for the functions of libc that open and close file descriptors, so that the host knows which
//! ones this image has.
//!
//! Rust drops no statics. A socket that a static owns stays open with every load, and a process may have
//! 1,024 descriptors by default. The host names what is left open when the image goes. It does not close it:
//! another owner may use it.
//!
//! They ask the kernel itself, as [`mappings`](super::mappings) does. A child after `fork` may call them, so
//! they wait for nothing.

use std::{
    ffi::{c_char, c_int, c_long, c_uint, c_void},
    ptr,
};

use crate::{
    boundary::heap::heap,
    idle::wait_at_point,
    sys::syscall::{SIGNAL_SET_BYTES, set_errno, syscall},
};

/// Defines functions that open one descriptor.
macro_rules! opens {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) => $number:ident($($value:expr),*);)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            ///
            /// As there.
            pub unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
                opened(syscall!($number, $($value),*) as c_int)
            }
        )*
    };
}

opens! {
    /// Stands in for `open` and `open64`. The kernel does not look at the mode if no file is made.
    open(path: *const c_char, flags: c_int, mode: c_uint) => SYS_openat(libc::AT_FDCWD, path, flags, mode);
    /// Stands in for `openat` and `openat64`.
    open_at(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) =>
        SYS_openat(directory, path, flags, mode);
    /// Stands in for `creat` and `creat64`.
    create(path: *const c_char, mode: c_uint) =>
        SYS_openat(libc::AT_FDCWD, path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode);
    /// Stands in for `socket`.
    socket(domain: c_int, kind: c_int, protocol: c_int) => SYS_socket(domain, kind, protocol);
    /// Stands in for `dup`.
    duplicate(file: c_int) => SYS_dup(file);
    /// Stands in for `dup3`.
    duplicate_with(file: c_int, to: c_int, flags: c_int) => SYS_dup3(file, to, flags);
    /// Stands in for `eventfd`.
    event(count: c_uint, flags: c_int) => SYS_eventfd2(count, flags);
    /// Stands in for `epoll_create1`.
    epoll(flags: c_int) => SYS_epoll_create1(flags);
    /// Stands in for `timerfd_create`.
    timer(clock: c_int, flags: c_int) => SYS_timerfd_create(clock, flags);
    /// Stands in for `signalfd`.
    signals(file: c_int, set: *const c_void, flags: c_int) => SYS_signalfd4(file, set, SIGNAL_SET_BYTES, flags);
    /// Stands in for `inotify_init`.
    watch() => SYS_inotify_init1(0);
    /// Stands in for `inotify_init1`.
    watch_with(flags: c_int) => SYS_inotify_init1(flags);
    /// Stands in for `memfd_create`.
    memory(name: *const c_char, flags: c_uint) => SYS_memfd_create(name, flags);
}

/// Stands in for `epoll_create`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn epoll_sized(size: c_int) -> c_int {
    if size <= 0 {
        set_errno(libc::EINVAL);
        return -1;
    }
    opened(syscall!(SYS_epoll_create1, 0) as c_int)
}

/// Stands in for `accept`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C-unwind" fn accept(socket: c_int, address: *mut c_void, len: *mut c_void) -> c_int {
    // SAFETY: our caller's promise, handed on.
    unsafe { accept_with(socket, address, len, 0) }
}

/// Stands in for `accept4`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C-unwind" fn accept_with(
    socket: c_int,
    address: *mut c_void,
    len: *mut c_void,
    flags: c_int,
) -> c_int {
    opened(wait_at_point(|| syscall!(SYS_accept4, socket, address, len, flags)) as c_int)
}

/// Stands in for `dup2`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn duplicate_to(file: c_int, to: c_int) -> c_int {
    if file == to {
        // Nothing is done, if the descriptor is open.
        return if syscall!(SYS_fcntl, file, libc::F_GETFD) < 0 { -1 } else { to };
    }
    opened(syscall!(SYS_dup3, file, to, 0) as c_int)
}

/// Stands in for `pipe`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn pipe(both: *mut [c_int; 2]) -> c_int {
    let error = syscall!(SYS_pipe2, both, 0) as c_int;
    // SAFETY: our caller's promise: two numbers can be written, and without an error the kernel has written
    // them.
    unsafe { opened_both(error, both) }
}

/// Stands in for `pipe2`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn pipe_with(both: *mut [c_int; 2], flags: c_int) -> c_int {
    let error = syscall!(SYS_pipe2, both, flags) as c_int;
    // SAFETY: our caller's promise: two numbers can be written, and without an error the kernel has written
    // them.
    unsafe { opened_both(error, both) }
}

/// Stands in for `socketpair`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn socket_pair(
    domain: c_int,
    kind: c_int,
    protocol: c_int,
    both: *mut [c_int; 2],
) -> c_int {
    let error = syscall!(SYS_socketpair, domain, kind, protocol, both) as c_int;
    // SAFETY: our caller's promise: two numbers can be written, and without an error the kernel has written
    // them.
    unsafe { opened_both(error, both) }
}

/// Stands in for `fcntl` and `fcntl64`. The kernel does not look at the argument of a command that has none.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn control(file: c_int, command: c_int, argument: c_long) -> c_int {
    match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
            opened(syscall!(SYS_fcntl, file, command, argument) as c_int)
        }
        libc::F_GETOWN => owner(file),
        _ => syscall!(SYS_fcntl, file, command, argument) as c_int,
    }
}

/// Stands in for `close`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn close(file: c_int) -> c_int {
    // Before: afterwards it may be somebody else's already.
    if let Some(heap) = heap() {
        // SAFETY: it is this image's, and stands beside that context.
        unsafe { (heap.closed)(heap.context, file) };
    }
    syscall!(SYS_close, file) as c_int
}

/// `F_GETOWN`, as libc asks for it: the kernel's own answer cannot tell a group of processes from an error.
fn owner(file: c_int) -> c_int {
    /// `F_GETOWN_EX`.
    const GET_OWNER: c_int = 16;
    /// `F_OWNER_PGRP`.
    const GROUP: c_int = 2;
    let mut owner: [c_int; 2] = [0; 2];
    match syscall!(SYS_fcntl, file, GET_OWNER, ptr::from_mut(&mut owner)) as c_int {
        0 if owner[0] == GROUP => -owner[1],
        0 => owner[1],
        error => error,
    }
}

/// Tells the host of a descriptor, if it is one.
fn opened(file: c_int) -> c_int {
    if file >= 0
        && let Some(heap) = heap()
    {
        // SAFETY: it is this image's, and stands beside that context.
        unsafe { (heap.opened)(heap.context, file) };
    }
    file
}

/// Tells the host of both descriptors, if there was no error.
unsafe fn opened_both(error: c_int, both: *mut [c_int; 2]) -> c_int {
    if error == 0 {
        // SAFETY: the kernel has written both, and our caller promises that they can be read.
        let both = unsafe { *both };
        both.into_iter().for_each(|file| {
            opened(file);
        });
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_work_as_those_of_libc() {
        let mut both = [0; 2];
        // SAFETY: `both` can be written, the bytes can be read and written, and each descriptor is closed
        // once.
        unsafe {
            assert_eq!(pipe_with(&mut both, libc::O_CLOEXEC), 0);
            let [read, write] = both;
            assert_eq!(libc::write(write, c"x".as_ptr().cast(), 1), 1);
            let mut byte = 0u8;
            assert_eq!(libc::read(read, (&raw mut byte).cast(), 1), 1);
            assert_eq!(byte, b'x');
            assert_eq!(control(read, libc::F_GETFD, 0), libc::FD_CLOEXEC);
            let copy = control(read, libc::F_DUPFD_CLOEXEC, 100);
            assert!(copy >= 100);
            assert_eq!(duplicate_to(copy, copy), copy);
            assert_eq!(duplicate_to(write, copy), copy);
            assert_eq!(control(copy, libc::F_GETOWN, 0), 0);
            for file in [read, write, copy] {
                assert_eq!(close(file), 0);
            }
            assert_eq!(close(copy), -1);
            assert_eq!(duplicate_to(copy, copy), -1);
            assert_eq!(open(c"/nowhere/to/be/found".as_ptr(), libc::O_RDONLY, 0), -1);
            assert_eq!(*libc::__errno_location(), libc::ENOENT);
            let file = open(c"/dev/null".as_ptr(), libc::O_RDONLY, 0);
            assert!(file >= 0 && close(file) == 0);
        }
    }
}
