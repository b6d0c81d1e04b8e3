//! Returns from a call early, past the functions that it is in.

use std::{arch::naked_asm, ffi::c_void};

use super::Start;

/// Gives back what [`call`] has kept, from where the stack is.
#[cfg(target_arch = "x86_64")]
macro_rules! give_back {
    () => {
        concat!("add rsp, 8\n", "pop r15\n", "pop r14\n", "pop r13\n", "pop r12\n", "pop rbx\n", "pop rbp",)
    };
}

/// Gives back what [`call`] has kept, from where the stack is.
#[cfg(target_arch = "aarch64")]
macro_rules! give_back {
    () => {
        concat!(
            "ldp x19, x20, [sp, #16]\n",
            "ldp x21, x22, [sp, #32]\n",
            "ldp x23, x24, [sp, #48]\n",
            "ldp x25, x26, [sp, #64]\n",
            "ldp x27, x28, [sp, #80]\n",
            "ldp d8, d9, [sp, #96]\n",
            "ldp d10, d11, [sp, #112]\n",
            "ldp d12, d13, [sp, #128]\n",
            "ldp d14, d15, [sp, #144]\n",
            "ldp x29, x30, [sp], #160",
        )
    };
}

/// Calls `start` with `argument`. `place` gets what [`escape`] needs to return from here meanwhile, with
/// null.
///
/// # Safety
///
/// `start` can be called with `argument`, and `place` written.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn call(start: Start, argument: *mut c_void, place: *mut usize) -> *mut c_void {
    // What a function must give back as it was; eight bytes more keep the stack aligned. The lines with a dot
    // are for backtraces.
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov [rdx], rsp",
        "mov rax, rdi",
        "mov rdi, rsi",
        "call rax",
        give_back!(),
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Returns from the [`call`] that has written this, with null. The functions in between are left as they are:
/// nothing of them is dropped, and nothing may look at their variables again.
///
/// # Safety
///
/// The call must be under way on this thread.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn escape(place: usize) -> ! {
    naked_asm!("mov rsp, rdi", "xor eax, eax", give_back!(), "ret",)
}

/// As on x86_64.
///
/// # Safety
///
/// As there.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn call(start: Start, argument: *mut c_void, place: *mut usize) -> *mut c_void {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-160]!",
        ".cfi_def_cfa_offset 160",
        ".cfi_offset x29, -160",
        ".cfi_offset x30, -152",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "mov x29, sp",
        ".cfi_def_cfa_register x29",
        "mov x9, sp",
        "str x9, [x2]",
        "mov x9, x0",
        "mov x0, x1",
        "blr x9",
        give_back!(),
        "ret",
        ".cfi_endproc",
    )
}

/// As on x86_64.
///
/// # Safety
///
/// As there.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn escape(place: usize) -> ! {
    naked_asm!("mov sp, x0", "mov x0, #0", give_back!(), "ret",)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Shared {
        place: usize,
        was_here: bool,
        came_back: bool,
    }

    unsafe extern "C" fn returns(shared: *mut c_void) -> *mut c_void {
        shared
    }

    unsafe extern "C" fn goes_deeper(shared: *mut c_void) -> *mut c_void {
        #[inline(never)]
        fn deeper(shared: &mut Shared, depth: u32) -> u32 {
            if depth == 0 {
                shared.was_here = true;
                // SAFETY: the call is under way, and nothing on the way here looks at its variables again.
                unsafe { escape(shared.place) };
            }
            deeper(shared, std::hint::black_box(depth - 1)) + 1
        }
        // SAFETY: the test hands over such a pointer, and looks at it after the call only.
        let shared = unsafe { &mut *shared.cast::<Shared>() };
        deeper(shared, 100);
        shared.came_back = true;
        std::ptr::dangling_mut()
    }

    #[test]
    fn a_call_returns_as_usual_or_early() {
        let mut shared = Shared::default();
        let at: *mut Shared = &raw mut shared;
        // SAFETY: both functions take such a pointer, whose field can be written.
        unsafe {
            assert_eq!(call(returns, at.cast(), &raw mut (*at).place), at.cast());
            let kept = std::hint::black_box([1u64, 2, 3, 4, 5, 6, 7]);
            assert!(call(goes_deeper, at.cast(), &raw mut (*at).place).is_null());
            assert_eq!(kept.iter().sum::<u64>(), 28, "what the caller keeps is as it was");
        }
        assert!(shared.was_here && !shared.came_back);
    }
}
