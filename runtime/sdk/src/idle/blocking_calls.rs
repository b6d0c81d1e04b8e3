//! Replaces the functions of libc that block in a system call, so that the wait is recorded.
//!
//! These functions call the kernel directly. Functions that need libc are in the other files of this room.
//! Those call the original functions, while the wait is recorded.

use std::{
    ffi::{c_int, c_long, c_uint, c_void},
    ptr,
};

use libc::{siginfo_t, sigset_t, timespec};

use crate::{
    idle::{cancel::wait_cancellable, masks::Mask, wait::wait},
    sys::syscall::{self, SIGNAL_SET_BYTES, errno, set_errno, syscall},
};

/// Replaces `syscall`. If the caller passes fewer arguments, the others have arbitrary values, which the
/// kernel ignores.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let call = || syscall::call(number, &[a, b, c, d, e, f]);
    let is_wait = match number {
        libc::SYS_futex => {
            let command = b as c_int & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
            matches!(command, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET)
        }
        libc::SYS_clock_nanosleep | libc::SYS_nanosleep | libc::SYS_ppoll => true,
        libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2 | libc::SYS_rt_sigtimedwait => true,
        _ => false,
    };
    if is_wait { wait(call) } else { call() }
}

/// Replaces `nanosleep`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn nanosleep(time: *const timespec, left: *mut timespec) -> c_int {
    wait_cancellable(|| syscall!(SYS_nanosleep, time, left)) as c_int
}

/// Replaces `clock_nanosleep`, which returns the error.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn clock_nanosleep(
    clock: c_int,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
) -> c_int {
    let before = errno();
    let result = wait_cancellable(|| syscall!(SYS_clock_nanosleep, clock, flags, time, left));
    let error = if result == 0 { 0 } else { errno() };
    set_errno(before);
    error
}

/// Replaces `sleep`.
pub extern "C-unwind" fn sleep(seconds: c_uint) -> c_uint {
    let mut time = timespec { tv_sec: seconds.into(), tv_nsec: 0 };
    let at = &raw mut time;
    match wait_cancellable(|| syscall!(SYS_nanosleep, at, at)) {
        0 => 0,
        _ => time.tv_sec as c_uint,
    }
}

/// Replaces `usleep`.
pub extern "C-unwind" fn usleep(micros: c_uint) -> c_int {
    let time =
        timespec { tv_sec: (micros / 1_000_000).into(), tv_nsec: c_long::from(micros % 1_000_000) * 1000 };
    let at = &raw const time;
    wait_cancellable(|| syscall!(SYS_nanosleep, at, ptr::null::<timespec>())) as c_int
}

/// Replaces `poll`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn poll(
    files: *mut libc::pollfd,
    count: libc::nfds_t,
    timeout_ms: c_int,
) -> c_int {
    let ms = c_long::from(timeout_ms);
    let mut time = timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 };
    let at = if timeout_ms < 0 { ptr::null_mut() } else { &raw mut time };
    wait_cancellable(|| syscall!(SYS_ppoll, files, count, at, ptr::null::<sigset_t>(), SIGNAL_SET_BYTES))
        as c_int
}

/// Replaces `ppoll`. Unlike libc, the kernel changes the time, so it gets a copy.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn ppoll(
    files: *mut libc::pollfd,
    count: libc::nfds_t,
    time: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: our caller's promise: the pointer is null or can be read.
    let mut time = unsafe { time.as_ref() }.copied();
    let at = time.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: as above.
    let mask = unsafe { Mask::new(mask) };
    wait_cancellable(|| syscall!(SYS_ppoll, files, count, at, mask.address(), SIGNAL_SET_BYTES)) as c_int
}

/// Replaces `epoll_wait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn epoll_wait(
    file: c_int,
    events: *mut libc::epoll_event,
    count: c_int,
    timeout_ms: c_int,
) -> c_int {
    // SAFETY: our caller's promise, passed on.
    unsafe { epoll_pwait(file, events, count, timeout_ms, ptr::null()) }
}

/// Replaces `epoll_pwait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn epoll_pwait(
    file: c_int,
    events: *mut libc::epoll_event,
    count: c_int,
    timeout_ms: c_int,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: our caller's promise: the pointer is null or can be read.
    let mask = unsafe { Mask::new(mask) };
    wait_cancellable(|| {
        syscall!(SYS_epoll_pwait, file, events, count, timeout_ms, mask.address(), SIGNAL_SET_BYTES)
    }) as c_int
}

/// Replaces `epoll_pwait2`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn epoll_pwait2(
    file: c_int,
    events: *mut libc::epoll_event,
    count: c_int,
    time: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: our caller's promise: the pointer is null or can be read.
    let mask = unsafe { Mask::new(mask) };
    wait_cancellable(|| {
        syscall!(SYS_epoll_pwait2, file, events, count, time, mask.address(), SIGNAL_SET_BYTES)
    }) as c_int
}

/// Replaces `select`. Like libc, it writes the remaining time to `time`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn select(
    count: c_int,
    read: *mut c_void,
    write: *mut c_void,
    other: *mut c_void,
    time: *mut libc::timeval,
) -> c_int {
    // SAFETY: our caller's promise: the pointer is null or can be read and written.
    let time = unsafe { time.as_mut() };
    if time.as_ref().is_some_and(|time| time.tv_sec < 0 || time.tv_usec < 0) {
        set_errno(libc::EINVAL);
        return -1;
    }
    // Like libc, and unlike the kernel, it accepts more than a second of microseconds.
    let mut left = time.as_ref().map(|time| timespec {
        tv_sec: time.tv_sec.saturating_add(time.tv_usec / 1_000_000),
        tv_nsec: time.tv_usec % 1_000_000 * 1000,
    });
    let at = left.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    let ready =
        wait_cancellable(|| syscall!(SYS_pselect6, count, read, write, other, at, ptr::null::<c_void>()));
    if let (Some(time), Some(left)) = (time, left) {
        (time.tv_sec, time.tv_usec) = (left.tv_sec, left.tv_nsec / 1000);
    }
    ready as c_int
}

/// Replaces `pselect`. Unlike libc, the kernel changes the time, so it gets a copy.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pselect(
    count: c_int,
    read: *mut c_void,
    write: *mut c_void,
    other: *mut c_void,
    time: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: our caller's promise: each is null or can be read.
    let (mut time, mask) = unsafe { (time.as_ref().copied(), Mask::new(mask)) };
    let at = time.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    let mask_and_size: [usize; 2] = [mask.address().expose_provenance(), SIGNAL_SET_BYTES];
    wait_cancellable(|| syscall!(SYS_pselect6, count, read, write, other, at, mask_and_size.as_ptr()))
        as c_int
}

/// Replaces `waitpid`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn waitpid(
    child: libc::pid_t,
    status: *mut c_int,
    options: c_int,
) -> libc::pid_t {
    // SAFETY: our caller's promise, passed on.
    unsafe { wait4(child, status, options, ptr::null_mut()) }
}

/// Replaces `wait4`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn wait4(
    child: libc::pid_t,
    status: *mut c_int,
    options: c_int,
    usage: *mut c_void,
) -> libc::pid_t {
    wait_cancellable(|| syscall!(SYS_wait4, child, status, options, usage)) as libc::pid_t
}

/// Replaces `waitid`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn waitid(
    kind: c_uint,
    id: c_uint,
    info: *mut siginfo_t,
    options: c_int,
) -> c_int {
    wait_cancellable(|| syscall!(SYS_waitid, kind, id, info, options, ptr::null::<c_void>())) as c_int
}

/// Replaces `read`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn read(file: c_int, bytes: *mut c_void, len: usize) -> isize {
    wait_cancellable(|| syscall!(SYS_read, file, bytes, len)) as isize
}

/// Replaces `recv`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn recv(socket: c_int, bytes: *mut c_void, len: usize, flags: c_int) -> isize {
    // SAFETY: our caller's promise, passed on.
    unsafe { recvfrom(socket, bytes, len, flags, ptr::null_mut(), ptr::null_mut()) }
}

/// Replaces `recvfrom`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn recvfrom(
    socket: c_int,
    bytes: *mut c_void,
    len: usize,
    flags: c_int,
    from: *mut c_void,
    from_len: *mut c_void,
) -> isize {
    wait_cancellable(|| syscall!(SYS_recvfrom, socket, bytes, len, flags, from, from_len)) as isize
}

/// Replaces `recvmsg`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn recvmsg(socket: c_int, message: *mut c_void, flags: c_int) -> isize {
    wait_cancellable(|| syscall!(SYS_recvmsg, socket, message, flags)) as isize
}
