//! System calls without libc, whose `syscall` leads back into this image.

use std::ffi::{c_int, c_long};

/// A system call, by its name in `libc`: `syscall!(SYS_close, file)`. Returns the result of the kernel, or -1
/// with the error in `errno`.
macro_rules! syscall {
    ($number:ident $(, $argument:expr)* $(,)?) => {
        $crate::sys::syscall::call(libc::$number, &[$($crate::sys::syscall::Argument::to_word($argument)),*])
    };
}

pub(crate) use syscall;

/// An argument of a system call: a number or a pointer, which fits a register.
pub(crate) trait Argument {
    fn to_word(self) -> usize;
}

macro_rules! impl_argument {
    ($($number:ty),*) => {
        $(impl Argument for $number {
            fn to_word(self) -> usize {
                self as usize
            }
        })*
    };
}

impl_argument!(i32, u32, i64, u64, usize);

impl<T> Argument for *const T {
    fn to_word(self) -> usize {
        self.expose_provenance()
    }
}

impl<T> Argument for *mut T {
    fn to_word(self) -> usize {
        self.expose_provenance()
    }
}

/// The size of the kernel's signal set, in bytes.
pub(crate) const SIGNAL_SET_BYTES: usize = 8;

/// The highest error number of the kernel.
const ERROR_MAX: usize = 4095;

/// Makes a system call, as libc's `syscall` does.
pub(crate) fn call(number: c_long, arguments: &[usize]) -> c_long {
    let mut words = [0; 6];
    words[..arguments.len()].copy_from_slice(arguments);
    // SAFETY: the code that made the arguments promises what the call does with them; the registers are as
    // the kernel expects them.
    into_libc_result(unsafe { enter_kernel(number as usize, words) })
}

/// Converts a result of the kernel to that of libc's `syscall`. An error is written to `errno`.
pub(crate) fn into_libc_result(word: usize) -> c_long {
    if word >= ERROR_MAX.wrapping_neg() {
        set_errno(word.wrapping_neg() as c_int);
        return -1;
    }
    word as c_long
}

#[cfg(target_arch = "x86_64")]
unsafe fn enter_kernel(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> usize {
    let result;
    // SAFETY: our caller's promise. The kernel changes these registers and no others.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

#[cfg(target_arch = "aarch64")]
unsafe fn enter_kernel(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> usize {
    let result;
    // SAFETY: our caller's promise. The kernel changes no other register.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}

/// The calling thread's `errno`.
pub(crate) fn errno() -> c_int {
    // SAFETY: the address is always valid on the calling thread.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set_errno(error: c_int) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = error };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_and_errors_are_returned_as_libc_returns_them() {
        assert_eq!(syscall!(SYS_getpid), std::process::id().into());
        assert_eq!((syscall!(SYS_close, -1), errno()), (-1, libc::EBADF));
        let mut pipe: [c_int; 2] = [0; 2];
        assert_eq!(syscall!(SYS_pipe2, pipe.as_mut_ptr(), libc::O_CLOEXEC), 0);
        for file in pipe {
            assert_eq!(syscall!(SYS_close, file), 0);
        }
    }
}
