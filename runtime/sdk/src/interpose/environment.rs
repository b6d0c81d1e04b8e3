//! Replaces `putenv`, with which the environment of the process would keep a pointer to a string of this
//! image.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    ptr,
};

use crate::sys::syscall::set_errno;

/// Replaces `putenv`. The environment gets a copy, so later changes to the string have no effect.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn putenv(string: *mut c_char) -> c_int {
    // SAFETY: our caller's promise.
    let text = unsafe { CStr::from_ptr(string) }.to_bytes();
    let Some(equals) = text.iter().position(|byte| *byte == b'=') else {
        // SAFETY: our caller's promise: no other thread changes the environment during the call.
        return unsafe { libc::unsetenv(string) };
    };
    let Ok(name) = CString::new(&text[..equals]) else {
        set_errno(libc::EINVAL);
        return -1;
    };
    // SAFETY: the value starts after the first `=`, inside the string.
    let value = unsafe { ptr::from_ref(&*string).add(equals + 1) };
    // SAFETY: both are C strings, which setenv copies; the rest is our caller's promise, passed on.
    unsafe { libc::setenv(name.as_ptr(), value, 1) }
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    #[test]
    fn the_environment_gets_a_copy() {
        let mut string = *b"SEGUE_PUT=a=b\0";
        // SAFETY: the arguments are C strings, and no other test changes the environment.
        unsafe {
            assert_eq!(putenv(string.as_mut_ptr().cast()), 0);
            string.fill(b'x');
            assert_eq!(env::var("SEGUE_PUT").as_deref(), Ok("a=b"));
            assert_eq!(putenv(c"SEGUE_PUT".as_ptr().cast_mut()), 0);
            assert_eq!(env::var("SEGUE_PUT"), Err(env::VarError::NotPresent));
            assert_eq!(putenv(c"=x".as_ptr().cast_mut()), -1);
        }
    }
}
