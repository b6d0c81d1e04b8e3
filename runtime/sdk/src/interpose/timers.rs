//! Stands in for `timer_create`: libc would run the function of a timer on threads that the host does not
//! know.
//!
//! Such a timer gets a thread of this image, named `timer`, that waits for the kernel's timer and calls the
//! function. It ends with the timer. Timers that are left when the module's value has gone are deleted, those
//! that send a signal too.

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

/// What `timer_create` takes, of which libc's own type names other parts.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    value: usize,
    signal: c_int,
    notify: c_int,
    function: Option<unsafe extern "C" fn(usize)>,
    attributes: *const c_void,
    _more: [usize; 4],
}

const _: () = assert!(size_of::<Event>() == size_of::<libc::sigevent>());

/// What wakes the thread of a timer. It is blocked there, so no handler sees it.
const SIGNAL: c_int = libc::SIGALRM;

/// The timers of this image.
static TIMERS: Mutex<Vec<Timer>> = Mutex::new(Vec::new());

struct Timer {
    /// The kernel's number.
    id: c_int,
    /// The thread that calls its function; none if it sends a signal.
    thread: Option<Waiting>,
}

/// A thread that waits for a timer.
struct Waiting {
    tid: libc::pid_t,
    /// Release by who ends the timer, Acquire by its thread.
    is_over: Arc<AtomicBool>,
}

/// A function and what it is called with.
#[derive(Clone, Copy)]
struct Call {
    function: unsafe extern "C" fn(usize),
    value: usize,
}

/// Stands in for `timer_create`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn timer_create(
    clock: clockid_t,
    event: *const Event,
    timer: *mut *mut c_void,
) -> c_int {
    // SAFETY: our caller's promise: it is null or can be read.
    let on_a_thread = unsafe { event.as_ref() }.filter(|event| event.notify == libc::SIGEV_THREAD);
    let id = match on_a_thread {
        Some(Event { function: Some(function), value, .. }) => {
            begin(clock, Call { function: *function, value: *value })
        }
        Some(_) => Err(libc::EINVAL),
        // SAFETY: our caller's promise, handed on: the kernel reads the same structure.
        None => unsafe { create(clock, event) }.inspect(|id| note(Timer { id: *id, thread: None })),
    };
    match id {
        Ok(id) => {
            // SAFETY: our caller's promise. In libc, a `timer_t` that is not negative is the kernel's number.
            unsafe { timer.write(ptr::without_provenance_mut(id as usize)) };
            0
        }
        Err(error) => {
            set_errno(error);
            -1
        }
    }
}

/// Stands in for `timer_delete`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn timer_delete(timer: *mut c_void) -> c_int {
    let id = timer.addr() as c_int;
    let mut timers = TIMERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = timers.iter().position(|ours| ours.id == id) {
        end(timers.swap_remove(at));
        return 0;
    }
    drop(timers);
    syscall!(SYS_timer_delete, id) as c_int
}

/// Deletes the timers that are left. Their threads end by themselves.
pub(crate) fn end_all() {
    TIMERS.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(end);
}

/// Deletes a timer, and has its thread look. Only under the lock.
fn end(Timer { id, thread }: Timer) {
    let Some(Waiting { tid, is_over }) = thread else {
        syscall!(SYS_timer_delete, id);
        return;
    };
    // Before the signal: if one of the timer's is pending, this one adds nothing, and the thread looks for
    // that one's sake.
    is_over.store(true, Ordering::Release);
    syscall!(SYS_timer_delete, id);
    // The thread ends only after this signal: it takes the lock first.
    syscall!(SYS_tgkill, std::process::id(), tid, SIGNAL);
}

fn note(timer: Timer) {
    TIMERS.lock().unwrap_or_else(PoisonError::into_inner).push(timer);
}

/// A timer whose signal goes to a new thread, which calls the function.
fn begin(clock: clockid_t, call: Call) -> Result<c_int, c_int> {
    let (tell, told) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name("timer".to_owned()).spawn(move || {
        let (set, is_over) = (blocked(), Arc::new(AtomicBool::new(false)));
        // SAFETY: it only asks for a number.
        let tid = unsafe { libc::gettid() };
        let mut event = Event {
            value: 0,
            signal: SIGNAL,
            notify: libc::SIGEV_THREAD_ID,
            function: None,
            attributes: ptr::null(),
            _more: [0; 4],
        };
        // The kernel reads the thread's number where the function would be.
        let at = &raw mut event.function;
        // SAFETY: it is inside of `event`, aligned, and nobody reads it as a function from here on.
        unsafe { at.cast::<libc::pid_t>().write(tid) };
        // SAFETY: the kernel can read the event.
        let id = unsafe { create(clock, &event) };
        if let Ok(id) = id {
            note(Timer { id, thread: Some(Waiting { tid, is_over: is_over.clone() }) });
        }
        // The one who asked waits for it.
        let _ = tell.send(id);
        if id.is_ok() {
            run(&set, call, &is_over);
        }
    });
    thread.map_err(|error| error.raw_os_error().unwrap_or(libc::EAGAIN))?;
    told.recv().unwrap_or(Err(libc::EAGAIN))
}

/// Calls the function for each expiry, until the timer is over.
fn run(set: &libc::sigset_t, call: Call, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Acquire) {
        // SAFETY: all its fields may be zero.
        let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
        // SAFETY: the set can be read, and `info` written.
        let signal = unsafe { libc::sigwaitinfo(set, &mut info) };
        if signal == SIGNAL && info.si_code == libc::SI_TIMER && !is_over.load(Ordering::Acquire) {
            // SAFETY: that is what the caller of timer_create asked for.
            unsafe { (call.function)(call.value) };
        }
    }
    // Whoever ends the timer sends this thread a signal under the lock, and may not meet another thread.
    drop(TIMERS.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Blocks the signal of timers on this thread, and answers with the set of it.
fn blocked() -> libc::sigset_t {
    // SAFETY: all zero is the empty set, which can be written.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigaddset(&mut set, SIGNAL);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut());
        set
    }
}

/// The kernel's own. Answers with its number, or `errno`.
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

    fn wait_until(is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(10), "timed out");
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
            _more: [0; 4],
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
            assert_eq!(timer_delete(timer), -1, "it is not there any more");
            let none = Event { function: None, ..event };
            assert_eq!(timer_create(libc::CLOCK_MONOTONIC, &none, &mut timer), -1);
        }
        let after = SUM.load(SeqCst);
        thread::sleep(Duration::from_millis(20));
        assert!(SUM.load(SeqCst) <= after + 7, "one call may have been under way");
    }
}
