mod conditions;
mod masks;

use std::{
    ffi::{c_int, c_void},
    mem, ptr,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use super::{thread::threads, *};

/// Taken by each test, because the tests share the list of threads.
static SERIAL: Mutex<()> = Mutex::new(());

/// The work of one thread of a test.
#[derive(Default)]
struct Work {
    spins: AtomicBool,
    is_dropped: AtomicBool,
    has_resumed: AtomicBool,
}

/// Records that it was dropped.
struct DropFlag<'a>(&'a AtomicBool);

impl Drop for DropFlag<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

unsafe extern "C" fn work(work: *mut c_void) -> *mut c_void {
    // SAFETY: the tests pass such a pointer, which is valid as long as the thread runs.
    let work = unsafe { &*work.cast::<Work>() };
    let _flag = DropFlag(&work.is_dropped);
    while work.spins.load(SeqCst) {
        std::hint::spin_loop();
    }
    replacements::sleep(60);
    work.has_resumed.store(true, SeqCst);
    ptr::null_mut()
}

extern "C" fn do_nothing(_: c_int) {}

/// A signal whose handler does nothing.
static SIGNAL: LazyLock<c_int> = LazyLock::new(|| {
    let signal = libc::SIGRTMIN() + 3;
    // SAFETY: the handler does nothing. Without SA_RESTART, the signal interrupts a system call.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = do_nothing as extern "C" fn(c_int) as usize;
        libc::sigaction(signal, &action, ptr::null_mut());
    }
    set_wake_signal(signal);
    signal
});

fn end(expected: u32) -> u32 {
    // SAFETY: the signal does nothing.
    unsafe { end_idle_threads(expected, *SIGNAL) }
}

fn with_threads(works: &[Work], body: impl FnOnce()) {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for item in works {
            KNOWN_THREADS.fetch_add(1, SeqCst);
            // SAFETY: the work outlives the thread.
            scope.spawn(|| unsafe {
                run(work, ptr::from_ref(item).cast_mut().cast(), &ExitFlag::default());
            });
        }
        while threads().len() < works.len() {
            std::thread::sleep(Duration::from_millis(1));
        }
        body();
    });
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "timed out: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Starts a thread of this image that may never end.
fn start<T: Sync>(routine: StartRoutine, shared: &'static T) {
    KNOWN_THREADS.fetch_add(1, SeqCst);
    std::thread::spawn(move || {
        let shared = ptr::from_ref(shared).cast_mut().cast();
        // SAFETY: each start routine takes such a pointer.
        unsafe { run(routine, shared, &ExitFlag::default()) };
    });
}

/// Waits until all threads wait, and ends them.
fn end_all(expected: u32) {
    wait_until("all threads wait", || end(expected) == expected);
    wait_until("all threads have ended", || {
        let count = threads().len() as u32;
        end(count);
        count == 0
    });
}

#[test]
fn threads_that_all_wait_end_without_resuming() {
    let works: [Work; 3] = Default::default();
    with_threads(&works, || {
        assert_eq!(end(4), 0, "one thread is not known yet");
        while end(3) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        while !threads().is_empty() {
            end(3);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    for work in &works {
        assert!(!work.has_resumed.load(SeqCst) && !work.is_dropped.load(SeqCst));
    }
}

#[test]
fn no_thread_ends_while_one_is_running() {
    let works: [Work; 3] = Default::default();
    works[1].spins.store(true, SeqCst);
    with_threads(&works, || {
        for _ in 0..50 {
            assert_eq!(end(3), 0);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(threads().len(), 3);
        works[1].spins.store(false, SeqCst);
        while !threads().is_empty() {
            end(3);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}
