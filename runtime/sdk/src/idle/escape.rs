//! Returns from a call early, past the functions that it is in.
//!
//! libc has a thread leave its functions too: `pthread_exit`, and a thread that was cancelled, unwind the
//! stack and run cleanup handlers and destructors of C++ on the way. Below the call are frames of Rust, which
//! must not be unwound so. So the call is a place, like that of `pthread_cleanup_push` in C, at which libc
//! stops to unwind ([`Landing`]).

use std::{
    arch::naked_asm,
    ffi::{c_int, c_void},
};

use super::StartRoutine;

/// Where libc lands that has unwound the functions of the call: glibc's `__pthread_unwind_buf_t`, with room.
#[repr(C, align(16))]
pub(super) struct Landing([usize; 64]);

/// `__sigsetjmp` of glibc, or nothing of the same type.
pub(super) type SetJump = unsafe extern "C" fn(*mut Landing, c_int) -> c_int;

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    fn __sigsetjmp(landing: *mut Landing, mask: c_int) -> c_int;
    fn __pthread_register_cancel(landing: *mut Landing);
    fn __pthread_unregister_cancel(landing: *mut Landing);
}

/// As [`call`]. If `start` does not return because libc has unwound it, the answer is what libc says of a
/// thread that was cancelled.
///
/// # Safety
///
/// As for the function of libc.
#[cfg(target_env = "gnu")]
pub(super) unsafe fn call_to_the_end(
    start: StartRoutine,
    argument: *mut c_void,
    place: *mut usize,
) -> *mut c_void {
    let mut landing = Landing([0; 64]);
    let at = &raw mut landing;
    // SAFETY: as `pthread_cleanup_push` and `pthread_cleanup_pop` do it, around the call. The rest is our
    // caller's promise.
    unsafe {
        __pthread_register_cancel(at);
        let result = call(start, argument, place, at, __sigsetjmp);
        __pthread_unregister_cancel(at);
        result
    }
}

/// As above, where libc is another one: its threads are not unwound.
///
/// # Safety
///
/// As for the function of libc.
#[cfg(not(target_env = "gnu"))]
pub(super) unsafe fn call_to_the_end(
    start: StartRoutine,
    argument: *mut c_void,
    place: *mut usize,
) -> *mut c_void {
    // SAFETY: our caller's promise. Nobody reads the landing.
    unsafe { call(start, argument, place, std::ptr::null_mut(), no_jump) }
}

/// Stands where `__sigsetjmp` would: it is the first time.
#[cfg(any(test, not(target_env = "gnu")))]
unsafe extern "C" fn no_jump(_: *mut Landing, _: c_int) -> c_int {
    0
}

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
/// null. `landing` is where `set_jump` notes this place; when it returns again, the call is over, with -1.
///
/// # Safety
///
/// `start` can be called with `argument`, `place` written, and `set_jump` called with `landing`.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn call(
    start: StartRoutine,
    argument: *mut c_void,
    place: *mut usize,
    landing: *mut Landing,
    set_jump: SetJump,
) -> *mut c_void {
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
        "mov rbx, rdi",
        "mov r12, rsi",
        "mov rdi, rcx",
        "xor esi, esi",
        "call r8",
        "test eax, eax",
        "jne 2f",
        "mov rdi, r12",
        "call rbx",
        "jmp 3f",
        "2:",
        "mov rax, -1",
        "3:",
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
/// As for the function of libc.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn call(
    start: StartRoutine,
    argument: *mut c_void,
    place: *mut usize,
    landing: *mut Landing,
    set_jump: SetJump,
) -> *mut c_void {
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
        "mov x19, x0",
        "mov x20, x1",
        "mov x0, x3",
        "mov w1, #0",
        "blr x4",
        "cbnz w0, 2f",
        "mov x0, x20",
        "blr x19",
        "b 3f",
        "2:",
        "mov x0, #-1",
        "3:",
        give_back!(),
        "ret",
        ".cfi_endproc",
    )
}

/// As on x86_64.
///
/// # Safety
///
/// As for the function of libc.
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
        let call = |start| {
            // SAFETY: both functions take such a pointer, whose field can be written.
            unsafe { call(start, at.cast(), &raw mut (*at).place, std::ptr::null_mut(), no_jump) }
        };
        assert_eq!(call(returns), at.cast());
        let kept = std::hint::black_box([1u64, 2, 3, 4, 5, 6, 7]);
        assert!(call(goes_deeper).is_null());
        assert_eq!(kept.iter().sum::<u64>(), 28, "what the caller keeps is as it was");
        assert!(shared.was_here && !shared.came_back);
    }
}
