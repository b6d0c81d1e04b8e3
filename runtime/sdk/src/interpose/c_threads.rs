//! Replaces `thrd_create` of C11. libc's own would bypass the `pthread_create` of this image.

use std::ffi::{c_int, c_void};

use libc::pthread_t;

use crate::interpose::threads::pthread_create;

/// The start routine of a C11 thread.
type CStartRoutine = unsafe extern "C" fn(*mut c_void) -> c_int;

// The results of `thrd_create` in glibc.
const SUCCESS: c_int = 0;
const ERROR: c_int = 2;
const NO_MEMORY: c_int = 3;

/// Replaces `thrd_create`. In glibc a `thrd_t` is a `pthread_t`, and `thrd_join` interprets the result of the
/// thread as a number.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn thrd_create(
    thread: *mut pthread_t,
    start: CStartRoutine,
    argument: *mut c_void,
) -> c_int {
    let task = Box::into_raw(Box::new((start, argument)));
    // SAFETY: our caller's promise, passed on; `run` takes the box.
    match unsafe { pthread_create(thread, std::ptr::null(), run, task.cast()) } {
        0 => SUCCESS,
        error => {
            // SAFETY: no thread was created that could take the box.
            drop(unsafe { Box::from_raw(task) });
            if error == libc::ENOMEM { NO_MEMORY } else { ERROR }
        }
    }
}

unsafe extern "C" fn run(task: *mut c_void) -> *mut c_void {
    // SAFETY: `thrd_create` made the box for this one thread.
    let (start, argument) = *unsafe { Box::from_raw(task.cast::<(CStartRoutine, *mut c_void)>()) };
    // SAFETY: the caller of thrd_create asked for this call.
    let result = unsafe { start(argument) };
    // Sign-extended, as glibc passes it to `thrd_join`.
    std::ptr::without_provenance_mut(result as isize as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn negate(argument: *mut c_void) -> c_int {
        // SAFETY: the test passes a pointer to a number that is alive until the thread has been joined.
        unsafe { -*argument.cast::<c_int>() }
    }

    #[test]
    fn the_result_of_a_c_thread_is_returned_to_the_joining_thread() {
        let mut number: c_int = 42;
        let mut thread: pthread_t = 0;
        let mut result = std::ptr::null_mut();
        // SAFETY: `thread` and `result` can be written, and `number` outlives the thread.
        unsafe {
            assert_eq!(thrd_create(&mut thread, negate, (&raw mut number).cast()), SUCCESS);
            assert_eq!(libc::pthread_join(thread, &mut result), 0);
        }
        assert_eq!(result.addr() as c_int, -42);
    }
}
