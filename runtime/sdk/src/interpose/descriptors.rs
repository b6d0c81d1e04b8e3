//! Replaces the functions of libc that open and close file descriptors, so that the host knows the
//! descriptors of this image.
//!
//! Rust does not drop statics. A socket in a static stays open after each load, and by default a process may
//! have 1,024 descriptors. When the image is unloaded, the host reports the descriptors that are still open.
//! It does not close them, because they may have another owner.
//!
//! These functions call the kernel directly, as [`mappings`](super::mappings) does. They take no lock,
//! because a child may call them after `fork`.

use std::{
    ffi::{c_char, c_int, c_long, c_uint, c_void},
    ptr,
};

use crate::{
    boundary::heap::heap,
    idle::wait_cancellable,
    sys::syscall::{SIGNAL_SET_BYTES, set_errno, syscall},
};

/// Defines functions that open one descriptor.
macro_rules! define_openers {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) => $number:ident($($value:expr),*);)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            ///
            /// As for the function of libc.
            pub unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
                report_opened(syscall!($number, $($value),*) as c_int)
            }
        )*
    };
}

define_openers! {
    /// Replaces `open` and `open64`. The kernel ignores `mode` if it creates no file.
    open(path: *const c_char, flags: c_int, mode: c_uint) => SYS_openat(libc::AT_FDCWD, path, flags, mode);
    /// Replaces `openat` and `openat64`.
    openat(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) =>
        SYS_openat(directory, path, flags, mode);
    /// Replaces `creat` and `creat64`.
    creat(path: *const c_char, mode: c_uint) =>
        SYS_openat(libc::AT_FDCWD, path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode);
    /// Replaces `socket`.
    socket(domain: c_int, kind: c_int, protocol: c_int) => SYS_socket(domain, kind, protocol);
    /// Replaces `dup`.
    dup(file: c_int) => SYS_dup(file);
    /// Replaces `dup3`.
    dup3(file: c_int, to: c_int, flags: c_int) => SYS_dup3(file, to, flags);
    /// Replaces `eventfd`.
    eventfd(count: c_uint, flags: c_int) => SYS_eventfd2(count, flags);
    /// Replaces `epoll_create1`.
    epoll_create1(flags: c_int) => SYS_epoll_create1(flags);
    /// Replaces `timerfd_create`.
    timerfd_create(clock: c_int, flags: c_int) => SYS_timerfd_create(clock, flags);
    /// Replaces `signalfd`.
    signalfd(file: c_int, set: *const c_void, flags: c_int) => SYS_signalfd4(file, set, SIGNAL_SET_BYTES, flags);
    /// Replaces `inotify_init`.
    inotify_init() => SYS_inotify_init1(0);
    /// Replaces `inotify_init1`.
    inotify_init1(flags: c_int) => SYS_inotify_init1(flags);
    /// Replaces `memfd_create`.
    memfd_create(name: *const c_char, flags: c_uint) => SYS_memfd_create(name, flags);
}

/// Replaces `epoll_create`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn epoll_create(size: c_int) -> c_int {
    if size <= 0 {
        set_errno(libc::EINVAL);
        return -1;
    }
    report_opened(syscall!(SYS_epoll_create1, 0) as c_int)
}

/// Replaces `accept`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn accept(socket: c_int, address: *mut c_void, len: *mut c_void) -> c_int {
    // SAFETY: our caller's promise, passed on.
    unsafe { accept4(socket, address, len, 0) }
}

/// Replaces `accept4`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn accept4(
    socket: c_int,
    address: *mut c_void,
    len: *mut c_void,
    flags: c_int,
) -> c_int {
    report_opened(wait_cancellable(|| syscall!(SYS_accept4, socket, address, len, flags)) as c_int)
}

/// Replaces `dup2`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn dup2(file: c_int, to: c_int) -> c_int {
    if file == to {
        // Nothing changes, but the descriptor must be open.
        return if syscall!(SYS_fcntl, file, libc::F_GETFD) < 0 { -1 } else { to };
    }
    report_opened(syscall!(SYS_dup3, file, to, 0) as c_int)
}

/// Replaces `pipe`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn pipe(pair: *mut [c_int; 2]) -> c_int {
    let error = syscall!(SYS_pipe2, pair, 0) as c_int;
    // SAFETY: our caller's promise: two numbers can be written, and without an error the kernel has written
    // them.
    unsafe { report_pair(error, pair) }
}

/// Replaces `pipe2`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn pipe2(pair: *mut [c_int; 2], flags: c_int) -> c_int {
    let error = syscall!(SYS_pipe2, pair, flags) as c_int;
    // SAFETY: our caller's promise: two numbers can be written, and without an error the kernel has written
    // them.
    unsafe { report_pair(error, pair) }
}

/// Replaces `socketpair`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn socketpair(
    domain: c_int,
    kind: c_int,
    protocol: c_int,
    pair: *mut [c_int; 2],
) -> c_int {
    let error = syscall!(SYS_socketpair, domain, kind, protocol, pair) as c_int;
    // SAFETY: our caller's promise: two numbers can be written, and without an error the kernel has written
    // them.
    unsafe { report_pair(error, pair) }
}

/// Replaces `fcntl` and `fcntl64`. The kernel ignores `argument` for a command that has none.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn fcntl(file: c_int, command: c_int, argument: c_long) -> c_int {
    match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
            report_opened(syscall!(SYS_fcntl, file, command, argument) as c_int)
        }
        libc::F_GETOWN => owner(file),
        _ => syscall!(SYS_fcntl, file, command, argument) as c_int,
    }
}

/// Replaces `close`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn close(file: c_int) -> c_int {
    // Reported before the call: after it, another owner may already have this number.
    if let Some(heap) = heap() {
        // SAFETY: the function is that of this image's heap, and belongs to this context.
        unsafe { (heap.closed)(heap.context, file) };
    }
    syscall!(SYS_close, file) as c_int
}

/// Implements `F_GETOWN` as libc does: the kernel's `F_GETOWN` returns a process group as a negative number,
/// which looks like an error.
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

/// Reports an opened descriptor to the host, unless it is an error.
fn report_opened(file: c_int) -> c_int {
    if file >= 0
        && let Some(heap) = heap()
    {
        // SAFETY: the function is that of this image's heap, and belongs to this context.
        unsafe { (heap.opened)(heap.context, file) };
    }
    file
}

/// Reports both descriptors of a pair to the host, unless there was an error.
unsafe fn report_pair(error: c_int, pair: *mut [c_int; 2]) -> c_int {
    if error == 0 {
        // SAFETY: the kernel has written both numbers, and our caller promises that they can be read.
        let pair = unsafe { *pair };
        pair.into_iter().for_each(|file| {
            report_opened(file);
        });
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_work_as_those_of_libc_do() {
        let mut pair = [0; 2];
        // SAFETY: `pair` can be written, the bytes can be read and written, and each descriptor is closed
        // once.
        unsafe {
            assert_eq!(pipe2(&mut pair, libc::O_CLOEXEC), 0);
            let [read, write] = pair;
            assert_eq!(libc::write(write, c"x".as_ptr().cast(), 1), 1);
            let mut byte = 0u8;
            assert_eq!(libc::read(read, (&raw mut byte).cast(), 1), 1);
            assert_eq!(byte, b'x');
            assert_eq!(fcntl(read, libc::F_GETFD, 0), libc::FD_CLOEXEC);
            let copy = fcntl(read, libc::F_DUPFD_CLOEXEC, 100);
            assert!(copy >= 100);
            assert_eq!(dup2(copy, copy), copy);
            assert_eq!(dup2(write, copy), copy);
            assert_eq!(fcntl(copy, libc::F_GETOWN, 0), 0);
            for file in [read, write, copy] {
                assert_eq!(close(file), 0);
            }
            assert_eq!(close(copy), -1);
            assert_eq!(dup2(copy, copy), -1);
            assert_eq!(open(c"/nowhere/to/be/found".as_ptr(), libc::O_RDONLY, 0), -1);
            assert_eq!(*libc::__errno_location(), libc::ENOENT);
            let file = open(c"/dev/null".as_ptr(), libc::O_RDONLY, 0);
            assert!(file >= 0 && close(file) == 0);
        }
    }
}
