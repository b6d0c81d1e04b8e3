//! The lock of the signal actions across a fork.

use std::{
    ptr,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use libc::{SIGURG, c_int, pid_t};

use crate::signals::{fork::register_fork_handlers, image_id::ImageId, lock, sigaction::set_action};

/// How long to wait for the child. It needs microseconds, unless it hangs.
const CHILD_TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn a_child_can_set_a_signal_action_if_another_thread_held_the_lock_during_the_fork() {
    register_fork_handlers();
    let (is_held, held) = mpsc::channel();
    let holder = thread::spawn(move || {
        let guard = lock::actions();
        is_held.send(()).unwrap();
        // Long enough for the other thread to reach the fork.
        thread::sleep(Duration::from_millis(200));
        drop(guard);
    });
    held.recv().unwrap();
    // SAFETY: the child only queries `sigaction`, and calls `_exit`. Both are async-signal-safe.
    let child = unsafe {
        match libc::fork() {
            0 => libc::_exit(set_action(ImageId(7_700), SIGURG, ptr::null(), ptr::null_mut())),
            child => child,
        }
    };
    assert!(child > 0, "the fork failed");
    assert_eq!(exit_code(child), Some(0), "the child set the action");
    holder.join().unwrap();
}

/// The exit code of a child; `None` if it was killed or a signal ended it.
fn exit_code(child: pid_t) -> Option<c_int> {
    let started = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: `status` is writable.
        if unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } == child {
            return libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
        }
        if started.elapsed() > CHILD_TIMEOUT {
            // SAFETY: it is a child of this process that has not been waited for.
            unsafe { libc::kill(child, libc::SIGKILL) };
        }
        thread::sleep(Duration::from_millis(5));
    }
}
