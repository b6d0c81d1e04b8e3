//! A stack for the handler, on threads that a module started: `std` gives one only to threads that the host's `std` starts.

use std::{
    ffi::{c_int, c_void},
    ptr,
};

/// How large it is, in bytes, beside what the system itself needs to deliver a signal.
const ALTERNATE_BYTES: usize = 16 << 10;

/// What a page is at most, in bytes, on the machines that are ours.
const GUARD_BYTES: usize = 64 << 10;

/// The calling thread's alternate signal stack, until this is dropped on it.
pub(crate) struct AlternateStack {
    memory: *mut c_void,
    len: usize,
}

// === impl AlternateStack ===

impl AlternateStack {
    /// Gives the calling thread one. None where it has one, or there is no memory; then it does without.
    pub(crate) fn new() -> Option<Self> {
        let mut before = disabled();
        // SAFETY: it only asks, and `before` can be written.
        if unsafe { libc::sigaltstack(ptr::null(), &mut before) } != 0
            || before.ss_flags & libc::SS_DISABLE == 0
        {
            return None;
        }
        // SAFETY: it only asks for a number.
        let needed = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        let usable = (needed + ALTERNATE_BYTES).next_multiple_of(GUARD_BYTES);
        let len = GUARD_BYTES + usable;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: it is new memory, at a place that the system chooses.
        let memory = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        if memory == libc::MAP_FAILED {
            return None;
        }
        let stack = AlternateStack { memory, len };
        // Below it stays what cannot be touched, for the handler that overflows it.
        let bottom = memory.wrapping_byte_add(GUARD_BYTES);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: it is memory of ours that nobody uses yet.
        if unsafe { libc::mprotect(bottom, usable, access) } != 0 {
            return None;
        }
        stack.install(&libc::stack_t { ss_sp: bottom, ss_flags: 0, ss_size: usable }).then_some(stack)
    }

    fn install(&self, stack: &libc::stack_t) -> bool {
        // SAFETY: it is memory of ours, which nobody else uses, or none; and the thread runs on neither.
        unsafe { libc::sigaltstack(stack, ptr::null_mut()) == 0 }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        let mut now = disabled();
        // SAFETY: it only asks, and `now` can be written.
        unsafe { libc::sigaltstack(ptr::null(), &mut now) };
        let is_ours = now.ss_sp == self.memory.wrapping_byte_add(GUARD_BYTES);
        if is_ours && !self.install(&disabled()) {
            // Rather memory that is lost than a stack that is gone.
            return;
        }
        // SAFETY: `new` made it, and the thread has it no more.
        unsafe { libc::munmap(self.memory, self.len) };
    }
}

fn disabled() -> libc::stack_t {
    const DISABLED: c_int = libc::SS_DISABLE;
    libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: DISABLED, ss_size: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size() -> usize {
        let mut now = disabled();
        // SAFETY: it only asks, and `now` can be written.
        assert_eq!(unsafe { libc::sigaltstack(ptr::null(), &mut now) }, 0);
        if now.ss_flags & libc::SS_DISABLE == 0 { now.ss_size } else { 0 }
    }

    extern "C" fn look(_: *mut c_void) -> *mut c_void {
        assert_eq!(size(), 0, "libc gives a thread none");
        let stack = AlternateStack::new().expect("there is memory");
        assert!(size() >= ALTERNATE_BYTES);
        assert!(AlternateStack::new().is_none(), "it has one");
        drop(stack);
        assert_eq!(size(), 0);
        ptr::null_mut()
    }

    #[test]
    fn a_thread_has_one_as_long_as_it_is_kept() {
        let mut thread = 0;
        // SAFETY: a new thread, which is joined; the function looks at nothing that is handed over.
        let error = unsafe { libc::pthread_create(&mut thread, ptr::null(), look, ptr::null_mut()) };
        assert_eq!(error, 0);
        // SAFETY: it was just made.
        assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
    }
}
