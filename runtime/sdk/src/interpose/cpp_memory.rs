//! Frees the memory that a C++ runtime in this image reserves for exceptions.
//!
//! A statically linked libstdc++ allocates 72 KiB from libc when it is mapped and never frees them. Each
//! version would leak that much.

use std::arch::asm;

/// Frees the memory, if this image contains a C++ runtime. No C++ code may run afterwards.
pub(crate) fn free() {
    // The address of `__gnu_cxx::__freeres()`. The symbol is weak, because a module without C++ has none. It
    // is hidden, so that it never resolves to a libstdc++ outside this image, whose memory is in use by the
    // whole process.
    let address: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it reads an address from this image's global offset table.
    unsafe {
        asm!(
            ".weak _ZN9__gnu_cxx9__freeresEv",
            ".hidden _ZN9__gnu_cxx9__freeresEv",
            "mov {}, qword ptr [rip + _ZN9__gnu_cxx9__freeresEv@GOTPCREL]",
            out(reg) address,
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
            out(reg) address,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    if address != 0 {
        // SAFETY: it is the address of a function without arguments.
        let free: unsafe extern "C" fn() = unsafe { std::mem::transmute(address) };
        // SAFETY: our caller promises that no C++ code runs any more.
        unsafe { free() };
    }
}
