//! Calls of the kernel that go past libc, whose `syscall` leads back into this image.

use std::ffi::{c_int, c_long};

/// A call of the kernel, by its name in `libc`: `ask!(SYS_close, file)`. Answers with its result, or -1, and
/// sets `errno`.
macro_rules! ask {
    ($number:ident $(, $argument:expr)* $(,)?) => {
        $crate::sys::kernel::call(libc::$number, &[$($crate::sys::kernel::Argument::word($argument)),*])
    };
}

pub(crate) use ask;

/// What a call of the kernel takes: a number or a pointer, in a register.
pub(crate) trait Argument {
    fn word(self) -> usize;
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Argument for $number {
            fn word(self) -> usize {
                self as usize
            }
        })*
    };
}

numbers!(i32, u32, i64, u64, usize);

impl<T> Argument for *const T {
    fn word(self) -> usize {
        self.expose_provenance()
    }
}

impl<T> Argument for *mut T {
    fn word(self) -> usize {
        self.expose_provenance()
    }
}

/// The kernel's set of signals, in bytes.
pub(crate) const SIGNAL_SET_BYTES: usize = 8;

/// The highest error number of the kernel.
const ERROR_MAX: usize = 4095;

/// Calls the kernel, as `syscall` of libc does.
pub(crate) fn call(number: c_long, arguments: &[usize]) -> c_long {
    let mut words = [0; 6];
    words[..arguments.len()].copy_from_slice(arguments);
    // SAFETY: what the call does with its arguments is the promise of whoever made them; the registers are as
    // the kernel wants them.
    result(unsafe { enter(number as usize, words) })
}

/// What `syscall` of libc answers for a result of the kernel's. An error is in `errno` then.
pub(crate) fn result(word: usize) -> c_long {
    if word >= ERROR_MAX.wrapping_neg() {
        set_errno(word.wrapping_neg() as c_int);
        return -1;
    }
    word as c_long
}

#[cfg(target_arch = "x86_64")]
unsafe fn enter(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> usize {
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
unsafe fn enter(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> usize {
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
    // SAFETY: it is the calling thread's, and always there.
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
    fn results_and_errors_come_through() {
        assert_eq!(ask!(SYS_getpid), std::process::id().into());
        assert_eq!((ask!(SYS_close, -1), errno()), (-1, libc::EBADF));
        let mut both: [c_int; 2] = [0; 2];
        assert_eq!(ask!(SYS_pipe2, both.as_mut_ptr(), libc::O_CLOEXEC), 0);
        for file in both {
            assert_eq!(ask!(SYS_close, file), 0);
        }
    }
}
