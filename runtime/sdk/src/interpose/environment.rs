//! Stands in for `putenv`: the environment of the process would refer to a string of this image.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    ptr,
};

use crate::sys::syscall::set_errno;

/// Stands in for `putenv`. The environment gets a copy, so what is written to the string later is not seen.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn put(string: *mut c_char) -> c_int {
    // SAFETY: our caller's promise.
    let text = unsafe { CStr::from_ptr(string) }.to_bytes();
    let Some(equals) = text.iter().position(|byte| *byte == b'=') else {
        // SAFETY: our caller's promise: nobody else changes the environment meanwhile.
        return unsafe { libc::unsetenv(string) };
    };
    let Ok(name) = CString::new(&text[..equals]) else {
        set_errno(libc::EINVAL);
        return -1;
    };
    // SAFETY: the value is behind the first `=`, inside of the string.
    let value = unsafe { ptr::from_ref(&*string).add(equals + 1) };
    // SAFETY: both are C strings, which are copied; the rest is our caller's promise, handed on.
    unsafe { libc::setenv(name.as_ptr(), value, 1) }
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    #[test]
    fn the_environment_gets_a_copy() {
        let mut string = *b"SEGUE_PUT=a=b\0";
        // SAFETY: they are C strings, and no other test changes the environment.
        unsafe {
            assert_eq!(put(string.as_mut_ptr().cast()), 0);
            string.fill(b'x');
            assert_eq!(env::var("SEGUE_PUT").as_deref(), Ok("a=b"));
            assert_eq!(put(c"SEGUE_PUT".as_ptr().cast_mut()), 0);
            assert_eq!(env::var("SEGUE_PUT"), Err(env::VarError::NotPresent));
            assert_eq!(put(c"=x".as_ptr().cast_mut()), -1);
        }
    }
}
