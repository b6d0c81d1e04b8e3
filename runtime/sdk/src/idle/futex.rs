//! Waits for changes of a word, with the kernel's futex and without libc.

use std::ptr;

use crate::sys::syscall::syscall;

/// Wakes all threads that wait for a change of this word.
pub(super) fn futex_wake(word: *mut u32) {
    syscall!(SYS_futex, word, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, i32::MAX);
}

/// Waits while the word has this value. May return early. The wait is not recorded.
pub(super) fn futex_wait(word: *mut u32, value: u32) {
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    syscall!(SYS_futex, word, operation, value, ptr::null::<libc::timespec>());
}
