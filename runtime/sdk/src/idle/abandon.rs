//! Returns early from a call, past the functions that are running in it, as `longjmp` does.
//!
//! libc can also end a call early: `pthread_exit` and the cancellation of a thread unwind the stack, and run
//! cleanup handlers and C++ destructors on the way. The frames below the call are Rust frames, which libc
//! must not unwind. So the call registers an [`UnwindBuffer`], as `pthread_cleanup_push` does in C, and libc
//! stops unwinding there.

use std::{
    arch::naked_asm,
    ffi::{c_int, c_void},
};

/// The start routine of a thread.
pub(crate) type StartRoutine = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

/// The place to which libc jumps when it has unwound the functions of the call. It is glibc's
/// `__pthread_unwind_buf_t`, with spare space.
#[repr(C, align(16))]
pub(super) struct UnwindBuffer([usize; 64]);

/// The type of glibc's `__sigsetjmp`.
pub(super) type SetJump = unsafe extern "C" fn(*mut UnwindBuffer, c_int) -> c_int;

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    fn __sigsetjmp(buffer: *mut UnwindBuffer, mask: c_int) -> c_int;
    fn __pthread_register_cancel(buffer: *mut UnwindBuffer);
    fn __pthread_unregister_cancel(buffer: *mut UnwindBuffer);
}

/// As [`call`]. If libc unwinds `start`, this returns the result that libc gives a cancelled thread (-1).
///
/// # Safety
///
/// As for the function of libc.
#[cfg(target_env = "gnu")]
pub(super) unsafe fn call_catching_unwind(
    start: StartRoutine,
    argument: *mut c_void,
    stack_pointer: *mut usize,
) -> *mut c_void {
    let mut buffer = UnwindBuffer([0; 64]);
    let at = &raw mut buffer;
    // SAFETY: the registration surrounds the call, as with `pthread_cleanup_push` and `pthread_cleanup_pop`.
    // The rest is our caller's promise.
    unsafe {
        __pthread_register_cancel(at);
        let result = call(start, argument, stack_pointer, at, __sigsetjmp);
        __pthread_unregister_cancel(at);
        result
    }
}

/// The same without glibc: other libcs do not unwind threads.
///
/// # Safety
///
/// As for the function of libc.
#[cfg(not(target_env = "gnu"))]
pub(super) unsafe fn call_catching_unwind(
    start: StartRoutine,
    argument: *mut c_void,
    stack_pointer: *mut usize,
) -> *mut c_void {
    // SAFETY: our caller's promise. Nothing reads the buffer.
    unsafe { call(start, argument, stack_pointer, std::ptr::null_mut(), set_jump_stub) }
}

/// In place of `__sigsetjmp`: always returns as for the first time.
#[cfg(any(test, not(target_env = "gnu")))]
unsafe extern "C" fn set_jump_stub(_: *mut UnwindBuffer, _: c_int) -> c_int {
    0
}

/// Restores the registers that [`call`] has saved at the stack pointer.
#[cfg(target_arch = "x86_64")]
macro_rules! restore_registers {
    () => {
        concat!("add rsp, 8\n", "pop r15\n", "pop r14\n", "pop r13\n", "pop r12\n", "pop rbx\n", "pop rbp",)
    };
}

/// Restores the registers that [`call`] has saved at the stack pointer.
#[cfg(target_arch = "aarch64")]
macro_rules! restore_registers {
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

/// Calls `start` with `argument`. Writes to `stack_pointer` the value with which [`abandon_call`] can return
/// from this call early, with null. `set_jump` records this place in `buffer`. If it returns a second time,
/// this returns -1.
///
/// # Safety
///
/// `start` can be called with `argument`, `stack_pointer` can be written, and `set_jump` can be called with
/// `buffer`.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn call(
    start: StartRoutine,
    argument: *mut c_void,
    stack_pointer: *mut usize,
    buffer: *mut UnwindBuffer,
    set_jump: SetJump,
) -> *mut c_void {
    // Saves the registers that a function must preserve. Eight more bytes keep the stack aligned. The lines
    // that start with a dot are for backtraces.
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
        restore_registers!(),
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Returns null from the [`call`] that wrote this stack pointer. The functions in between are abandoned:
/// their variables are not dropped, and nothing may use them again.
///
/// # Safety
///
/// The call must be in progress on this thread.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn abandon_call(stack_pointer: usize) -> ! {
    naked_asm!("mov rsp, rdi", "xor eax, eax", restore_registers!(), "ret",)
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
    stack_pointer: *mut usize,
    buffer: *mut UnwindBuffer,
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
        restore_registers!(),
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
pub(super) unsafe extern "C" fn abandon_call(stack_pointer: usize) -> ! {
    naked_asm!("mov sp, x0", "mov x0, #0", restore_registers!(), "ret",)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Shared {
        stack_pointer: usize,
        was_reached: bool,
        resumed: bool,
    }

    unsafe extern "C" fn returns(shared: *mut c_void) -> *mut c_void {
        shared
    }

    unsafe extern "C" fn recurses(shared: *mut c_void) -> *mut c_void {
        #[inline(never)]
        fn recurse(shared: &mut Shared, depth: u32) -> u32 {
            if depth == 0 {
                shared.was_reached = true;
                // SAFETY: the call is in progress, and no function in between uses its variables again.
                unsafe { abandon_call(shared.stack_pointer) };
            }
            recurse(shared, std::hint::black_box(depth - 1)) + 1
        }
        // SAFETY: the test passes such a pointer, and uses it only after the call.
        let shared = unsafe { &mut *shared.cast::<Shared>() };
        recurse(shared, 100);
        shared.resumed = true;
        std::ptr::dangling_mut()
    }

    #[test]
    fn a_call_returns_as_usual_or_early() {
        let mut shared = Shared::default();
        let at: *mut Shared = &raw mut shared;
        let call = |start| {
            // SAFETY: both functions take such a pointer, and its field can be written.
            unsafe {
                call(start, at.cast(), &raw mut (*at).stack_pointer, std::ptr::null_mut(), set_jump_stub)
            }
        };
        assert_eq!(call(returns), at.cast());
        let kept = std::hint::black_box([1u64, 2, 3, 4, 5, 6, 7]);
        assert!(call(recurses).is_null());
        assert_eq!(kept.iter().sum::<u64>(), 28, "the registers of the caller are restored");
        assert!(shared.was_reached && !shared.resumed);
    }
}
