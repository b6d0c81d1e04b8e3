//! Replaces `timer_create` and `timer_delete`. libc would call the function of a timer on threads that the
//! host does not know.
//!
//! Here, a timer with a function gets a thread of this image, named `timer`. The thread waits for the
//! kernel's timer, calls the function, and ends with the timer. All timers that remain after the module's
//! value has been dropped are deleted, including those that send a signal.

use std::{
    ffi::{c_int, c_void},
    mem, ptr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use libc::clockid_t;

use crate::sys::syscall::{errno, set_errno, syscall};

/// The argument of `timer_create`. The `sigevent` of the crate `libc` does not name all of these fields.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    value: usize,
    signal: c_int,
    notify: c_int,
    function: Option<unsafe extern "C" fn(usize)>,
    attributes: *const c_void,
    _rest: [usize; 4],
}

const _: () = assert!(size_of::<Event>() == size_of::<libc::sigevent>());

/// The signal that wakes the thread of a timer. The thread blocks it, so no handler is called.
const SIGNAL: c_int = libc::SIGALRM;

/// The timers of this image.
static TIMERS: Mutex<Vec<Timer>> = Mutex::new(Vec::new());

struct Timer {
    /// The number that the kernel gave the timer.
    id: c_int,
    /// The thread that calls the function. `None` if the timer sends a signal.
    thread: Option<TimerThread>,
}

/// A thread that waits for a timer.
struct TimerThread {
    tid: libc::pid_t,
    /// Stored with Release by the thread that deletes the timer, loaded with Acquire by this one.
    is_deleted: Arc<AtomicBool>,
}

/// The function of a timer, and its argument.
#[derive(Clone, Copy)]
struct Callback {
    function: unsafe extern "C" fn(usize),
    value: usize,
}

/// Replaces `timer_create`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn timer_create(
    clock: clockid_t,
    event: *const Event,
    timer: *mut *mut c_void,
) -> c_int {
    // SAFETY: our caller's promise: it is null or can be read.
    let thread_event = unsafe { event.as_ref() }.filter(|event| event.notify == libc::SIGEV_THREAD);
    let id = match thread_event {
        Some(Event { function: Some(function), value, .. }) => {
            start_thread_timer(clock, Callback { function: *function, value: *value })
        }
        Some(_) => Err(libc::EINVAL),
        // SAFETY: our caller's promise, passed on: the kernel reads the same structure.
        None => unsafe { create(clock, event) }.inspect(|id| record(Timer { id: *id, thread: None })),
    };
    match id {
        Ok(id) => {
            // SAFETY: our caller's promise. In libc, a `timer_t` that is not negative is the number of the
            // kernel.
            unsafe { timer.write(ptr::without_provenance_mut(id as usize)) };
            0
        }
        Err(error) => {
            set_errno(error);
            -1
        }
    }
}

/// Replaces `timer_delete`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn timer_delete(timer: *mut c_void) -> c_int {
    let id = timer.addr() as c_int;
    let mut timers = TIMERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = timers.iter().position(|ours| ours.id == id) {
        delete(timers.swap_remove(at));
        return 0;
    }
    drop(timers);
    syscall!(SYS_timer_delete, id) as c_int
}

/// Deletes all timers. Their threads then end.
pub(crate) fn delete_all() {
    TIMERS.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(delete);
}

/// Deletes a timer, and wakes its thread so that it ends. Call it only with the lock held.
fn delete(Timer { id, thread }: Timer) {
    let Some(TimerThread { tid, is_deleted }) = thread else {
        syscall!(SYS_timer_delete, id);
        return;
    };
    // Before the signal: if a signal of the timer is already pending, the kernel drops this one, and the
    // pending one must make the thread see the flag.
    is_deleted.store(true, Ordering::Release);
    syscall!(SYS_timer_delete, id);
    // The thread still exists: before it ends, it takes the lock that our caller holds.
    syscall!(SYS_tgkill, std::process::id(), tid, SIGNAL);
}

fn record(timer: Timer) {
    TIMERS.lock().unwrap_or_else(PoisonError::into_inner).push(timer);
}

/// Creates a timer whose signal goes to a new thread, which calls the function.
fn start_thread_timer(clock: clockid_t, callback: Callback) -> Result<c_int, c_int> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name("timer".to_owned()).spawn(move || {
        let (set, is_deleted) = (block_signal(), Arc::new(AtomicBool::new(false)));
        // SAFETY: it only returns a number.
        let tid = unsafe { libc::gettid() };
        let mut event = Event {
            value: 0,
            signal: SIGNAL,
            notify: libc::SIGEV_THREAD_ID,
            function: None,
            attributes: ptr::null(),
            _rest: [0; 4],
        };
        // With SIGEV_THREAD_ID, the kernel reads the thread's number from the place of the function.
        let at = &raw mut event.function;
        // SAFETY: the pointer is inside `event` and aligned, and nothing reads it as a function from here on.
        unsafe { at.cast::<libc::pid_t>().write(tid) };
        // SAFETY: the kernel can read the event.
        let id = unsafe { create(clock, &event) };
        if let Ok(id) = id {
            record(Timer { id, thread: Some(TimerThread { tid, is_deleted: is_deleted.clone() }) });
        }
        // The receiver exists: the caller waits for this.
        let _ = sender.send(id);
        if id.is_ok() {
            run(&set, callback, &is_deleted);
        }
    });
    thread.map_err(|error| error.raw_os_error().unwrap_or(libc::EAGAIN))?;
    receiver.recv().unwrap_or(Err(libc::EAGAIN))
}

/// Calls the function for each expiration, until the timer is deleted.
fn run(set: &libc::sigset_t, callback: Callback, is_deleted: &AtomicBool) {
    while !is_deleted.load(Ordering::Acquire) {
        // SAFETY: all its fields may be zero.
        let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
        // SAFETY: the set can be read, and `info` written.
        let signal = unsafe { libc::sigwaitinfo(set, &mut info) };
        if signal == SIGNAL && info.si_code == libc::SI_TIMER && !is_deleted.load(Ordering::Acquire) {
            // SAFETY: the caller of timer_create asked for this call.
            unsafe { (callback.function)(callback.value) };
        }
    }
    // The thread that deletes the timer signals this thread with the lock held. Because of this wait, this
    // thread cannot end before that, so the signal cannot reach another thread that has the same number.
    drop(TIMERS.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Blocks the signal of timers on this thread. Returns the set that contains it.
fn block_signal() -> libc::sigset_t {
    // SAFETY: all zero is the empty set, which can be written.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigaddset(&mut set, SIGNAL);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut());
        set
    }
}

/// Creates a timer of the kernel. Returns its number, or `errno`.
unsafe fn create(clock: clockid_t, event: *const Event) -> Result<c_int, c_int> {
    let mut id: c_int = 0;
    match syscall!(SYS_timer_create, clock, event, &raw mut id) {
        0 => Ok(id),
        _ => Err(errno()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        time::{Duration, Instant},
    };

    use super::*;

    static SUM: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "C" fn add(value: usize) {
        SUM.fetch_add(value, SeqCst);
    }

    fn wait_until(condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(10), "timed out");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_timer_calls_its_function_until_it_is_deleted() {
        let event = Event {
            value: 7,
            signal: 0,
            notify: libc::SIGEV_THREAD,
            function: Some(add),
            attributes: ptr::null(),
            _rest: [0; 4],
        };
        let mut timer = ptr::null_mut();
        let time = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        let every_ms = libc::itimerspec { it_interval: time, it_value: time };
        // SAFETY: the event can be read, the timer written, and it is deleted once.
        unsafe {
            assert_eq!(timer_create(libc::CLOCK_MONOTONIC, &event, &mut timer), 0);
            assert_eq!(libc::timer_settime(timer, 0, &every_ms, ptr::null_mut()), 0);
            wait_until(|| SUM.load(SeqCst) >= 21);
            assert_eq!(SUM.load(SeqCst) % 7, 0);
            assert_eq!(timer_delete(timer), 0);
            assert_eq!(timer_delete(timer), -1, "the timer does not exist any more");
            let none = Event { function: None, ..event };
            assert_eq!(timer_create(libc::CLOCK_MONOTONIC, &none, &mut timer), -1);
        }
        let after = SUM.load(SeqCst);
        thread::sleep(Duration::from_millis(20));
        assert!(SUM.load(SeqCst) <= after + 7, "one call may have been in progress");
    }
}
