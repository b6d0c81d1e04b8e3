//! Stands in for `thrd_create` of C11, which libc would start past the `pthread_create` of this image.

use std::ffi::{c_int, c_void};

use libc::pthread_t;

use crate::interpose::threads::thread_create;

/// The start routine of a C11 thread.
type Start = unsafe extern "C" fn(*mut c_void) -> c_int;

// The results of `thrd_create`, as glibc numbers them.
const SUCCESS: c_int = 0;
const ERROR: c_int = 2;
const NO_MEMORY: c_int = 3;

/// Stands in for `thrd_create`. In glibc a `thrd_t` is a `pthread_t`, and `thrd_join` takes the result of the thread for a
/// number.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn c_thread_create(
    thread: *mut pthread_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let routine = Box::into_raw(Box::new((start, argument)));
    // SAFETY: our caller's promise, handed on; `run` takes the box.
    match unsafe { thread_create(thread, std::ptr::null(), run, routine.cast()) } {
        0 => SUCCESS,
        error => {
            // SAFETY: no thread was made that could take the box.
            drop(unsafe { Box::from_raw(routine) });
            if error == libc::ENOMEM { NO_MEMORY } else { ERROR }
        }
    }
}

unsafe extern "C" fn run(routine: *mut c_void) -> *mut c_void {
    // SAFETY: `c_thread_create` made the box for this one thread.
    let (start, argument) = *unsafe { Box::from_raw(routine.cast::<(Start, *mut c_void)>()) };
    // SAFETY: that is what the caller of thrd_create asked for.
    let result = unsafe { start(argument) };
    // The number, with its sign, as glibc hands it to `thrd_join`.
    std::ptr::without_provenance_mut(result as isize as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn negate(argument: *mut c_void) -> c_int {
        // SAFETY: the test hands over a number that lives until it has joined the thread.
        unsafe { -*argument.cast::<c_int>() }
    }

    #[test]
    fn the_result_of_a_c_thread_reaches_the_one_that_joins_it() {
        let mut number: c_int = 42;
        let mut thread: pthread_t = 0;
        let mut result = std::ptr::null_mut();
        // SAFETY: `thread` and `result` can be written, and `number` outlives the thread.
        unsafe {
            assert_eq!(c_thread_create(&mut thread, negate, (&raw mut number).cast()), SUCCESS);
            assert_eq!(libc::pthread_join(thread, &mut result), 0);
        }
        assert_eq!(result.addr() as c_int, -42);
    }
}
