mod conditions;
mod masks;

use std::{
    mem,
    sync::{LazyLock, atomic::AtomicBool},
    thread,
    time::{Duration, Instant},
};

use super::*;

/// The tests share the list of threads.
static TURN: Mutex<()> = Mutex::new(());

/// What one thread of a test does.
#[derive(Default)]
struct Work {
    spins: AtomicBool,
    is_dropped: AtomicBool,
    has_gone_on: AtomicBool,
}

/// Notes that it was dropped.
struct Noted<'a>(&'a AtomicBool);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

unsafe extern "C" fn work(work: *mut c_void) -> *mut c_void {
    // SAFETY: the tests hand over such a pointer, which lives as long as the thread.
    let work = unsafe { &*work.cast::<Work>() };
    let _noted = Noted(&work.is_dropped);
    while work.spins.load(SeqCst) {
        std::hint::spin_loop();
    }
    replacements::sleep(60);
    work.has_gone_on.store(true, SeqCst);
    ptr::null_mut()
}

extern "C" fn nothing(_: c_int) {}

/// A signal that does nothing.
static SIGNAL: LazyLock<c_int> = LazyLock::new(|| {
    let signal = libc::SIGRTMIN() + 3;
    // SAFETY: the handler does nothing. Without SA_RESTART, a system call ends.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
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
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for it in works {
            KNOWN_THREADS.fetch_add(1, SeqCst);
            // SAFETY: it outlives the thread.
            scope.spawn(|| unsafe {
                run(work, ptr::from_ref(it).cast_mut().cast(), &ExitFlag::default());
            });
        }
        while threads().len() < works.len() {
            thread::sleep(Duration::from_millis(1));
        }
        body();
    });
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(10), "timed out: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Begins a thread of this image that may never end.
fn begin<T: Sync>(start: StartRoutine, shared: &'static T) {
    KNOWN_THREADS.fetch_add(1, SeqCst);
    thread::spawn(move || {
        let shared = ptr::from_ref(shared).cast_mut().cast();
        // SAFETY: each start routine takes such a pointer.
        unsafe { run(start, shared, &ExitFlag::default()) };
    });
}

/// Has all end, which all wait.
fn all_end(expected: u32) {
    wait_until("they all wait", || end(expected) == expected);
    wait_until("they have ended", || {
        let count = threads().len() as u32;
        end(count);
        count == 0
    });
}

#[test]
fn threads_that_all_wait_end_without_going_on() {
    let works: [Work; 3] = Default::default();
    with_threads(&works, || {
        assert_eq!(end(4), 0, "one is not known yet");
        while end(3) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        while !threads().is_empty() {
            end(3);
            thread::sleep(Duration::from_millis(1));
        }
    });
    for it in &works {
        assert!(!it.has_gone_on.load(SeqCst) && !it.is_dropped.load(SeqCst));
    }
}

#[test]
fn while_one_runs_the_others_stay() {
    let works: [Work; 3] = Default::default();
    works[1].spins.store(true, SeqCst);
    with_threads(&works, || {
        for _ in 0..50 {
            assert_eq!(end(3), 0);
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(threads().len(), 3);
        works[1].spins.store(false, SeqCst);
        while !threads().is_empty() {
            end(3);
            thread::sleep(Duration::from_millis(1));
        }
    });
}
