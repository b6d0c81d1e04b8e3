//! The memory that a C++ runtime in this image keeps for exceptions.
//!
//! A libstdc++ that is linked statically takes 72 KiB from libc when it is mapped, and never gives it back:
//! each version would leave that much.

use std::arch::asm;

/// Gives it back, if there is a C++ runtime in this image. No code of C++ may run afterwards.
pub(crate) fn free() {
    // `__gnu_cxx::__freeres()`. Weak: a module without C++ has none. Hidden: never that of a libstdc++
    // outside of this image, whose memory is for the whole process.
    let function: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it reads an address from the table of this image's addresses.
    unsafe {
        asm!(
            ".weak _ZN9__gnu_cxx9__freeresEv",
            ".hidden _ZN9__gnu_cxx9__freeresEv",
            "mov {}, qword ptr [rip + _ZN9__gnu_cxx9__freeresEv@GOTPCREL]",
            out(reg) function,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        asm!(
            ".weak _ZN9__gnu_cxx9__freeresEv",
            ".hidden _ZN9__gnu_cxx9__freeresEv",
            "adrp {0}, :got:_ZN9__gnu_cxx9__freeresEv",
            "ldr {0}, [{0}, :got_lo12:_ZN9__gnu_cxx9__freeresEv]",
            out(reg) function,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    if function != 0 {
        // SAFETY: it is a function without arguments, and our caller promises that nothing of C++ runs any
        // more.
        let free: unsafe extern "C" fn() = unsafe { std::mem::transmute(function) };
        // SAFETY: as above.
        unsafe { free() };
    }
}
