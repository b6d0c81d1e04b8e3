//! An alternate signal stack for threads that a module started. The host's `std` gives one only to its own
//! threads.

use std::{
    ffi::{c_int, c_void},
    ptr,
};

/// Its size in bytes, without the part that the system needs to deliver a signal.
const ALTERNATE_BYTES: usize = 16 << 10;

/// The size of the guard area, in bytes: the largest page size of the supported machines.
const GUARD_BYTES: usize = 64 << 10;

/// The calling thread's alternate signal stack, until this is dropped on it.
pub(crate) struct AlternateStack {
    memory: *mut c_void,
    len: usize,
}

// === impl AlternateStack ===

impl AlternateStack {
    /// Sets an alternate stack for the calling thread. `None` if it has one, or if there is no memory for
    /// one.
    pub(crate) fn new() -> Option<Self> {
        let mut before = disabled();
        // SAFETY: it only queries, and `before` is writable.
        if unsafe { libc::sigaltstack(ptr::null(), &mut before) } != 0
            || before.ss_flags & libc::SS_DISABLE == 0
        {
            return None;
        }
        // SAFETY: it only returns a number.
        let needed = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        let usable = (needed + ALTERNATE_BYTES).next_multiple_of(GUARD_BYTES);
        let len = GUARD_BYTES + usable;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: it maps new memory, at an address that the system chooses.
        let memory = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        if memory == libc::MAP_FAILED {
            return None;
        }
        let stack = AlternateStack { memory, len };
        // The part below stays inaccessible, to catch an overflow.
        let bottom = memory.wrapping_byte_add(GUARD_BYTES);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: this memory was just mapped, and nothing uses it yet.
        if unsafe { libc::mprotect(bottom, usable, access) } != 0 {
            return None;
        }
        stack.install(&libc::stack_t { ss_sp: bottom, ss_flags: 0, ss_size: usable }).then_some(stack)
    }

    fn install(&self, stack: &libc::stack_t) -> bool {
        // SAFETY: the stack is unused memory of this value, or disabled. The thread runs on neither the old
        // nor the new one.
        unsafe { libc::sigaltstack(stack, ptr::null_mut()) == 0 }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        let mut now = disabled();
        // SAFETY: it only queries, and `now` is writable.
        unsafe { libc::sigaltstack(ptr::null(), &mut now) };
        let is_ours = now.ss_sp == self.memory.wrapping_byte_add(GUARD_BYTES);
        if is_ours && !self.install(&disabled()) {
            // Leak the memory: the thread still uses the stack.
            return;
        }
        // SAFETY: `new` mapped it, and the thread no longer uses it.
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
        // SAFETY: it only queries, and `now` is writable.
        assert_eq!(unsafe { libc::sigaltstack(ptr::null(), &mut now) }, 0);
        if now.ss_flags & libc::SS_DISABLE == 0 { now.ss_size } else { 0 }
    }

    extern "C" fn check(_: *mut c_void) -> *mut c_void {
        assert_eq!(size(), 0, "libc sets none");
        let stack = AlternateStack::new().expect("there is memory");
        assert!(size() >= ALTERNATE_BYTES);
        assert!(AlternateStack::new().is_none(), "it has one");
        drop(stack);
        assert_eq!(size(), 0);
        ptr::null_mut()
    }

    #[test]
    fn a_thread_has_an_alternate_stack_until_it_is_dropped() {
        let mut thread = 0;
        // SAFETY: the new thread is joined, and the function does not use its argument.
        let error = unsafe { libc::pthread_create(&mut thread, ptr::null(), check, ptr::null_mut()) };
        assert_eq!(error, 0);
        // SAFETY: the thread was just created.
        assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
    }
}
