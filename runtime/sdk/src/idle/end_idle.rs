//! Ends all threads of this image if all of them wait.

use std::{ffi::c_int, sync::atomic::Ordering::SeqCst};

use crate::{
    idle::{
        futex::futex_wake,
        state::end_if_all_wait,
        thread::{KNOWN_THREADS, threads},
        wait::BARRIER,
    },
    sys::syscall::syscall,
};

/// Ends all threads of this image, if there are `expected` and all of them wait. Returns how many are about
/// to end, or 0.
///
/// `signal` interrupts a system call and does nothing else. Call this again while threads remain, because a
/// thread may enter its system call after the signal.
pub(crate) unsafe extern "C" fn end_idle_threads(expected: u32, signal: c_int) -> u32 {
    let threads = threads();
    if !threads.iter().any(|thread| thread.state.is_ending()) {
        // Checked while all threads are held, so that none of them can start another one. The host's number
        // also includes threads that have left `run` and are destroying their thread-locals.
        let are_all =
            || threads.len() == expected as usize && threads.len() == KNOWN_THREADS.load(SeqCst) as usize;
        let states = threads.iter().map(|thread| &thread.state);
        if !end_if_all_wait(states, &BARRIER, are_all, |state| futex_wake(state.word())) {
            return 0;
        }
    }
    for thread in threads.iter() {
        // The thread exists: before it ends, it takes this lock and removes itself from the list.
        syscall!(SYS_tgkill, std::process::id(), thread.tid, signal);
        thread.wake_from_condition();
    }
    threads.len() as u32
}
