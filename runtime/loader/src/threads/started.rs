//! The threads that a module started: each runs under a trampoline of the host, and is known.
//!
//! A thread must be out of the module's text before the image goes, not only done with its work: `std`'s own
//! epilogue and the destructors of its thread-locals are module text too. So the bottom of its stack is
//! [`thread_main`], which is host text: it calls the start routine, then the image's `detach_thread`, and
//! only then counts the thread out. What libc does afterwards calls nothing in the image: its destructors
//! were never registered with libc (see the SDK's `interpose/thread_locals.rs`).

use std::{
    collections::BTreeMap,
    ffi::{CString, c_int, c_void},
    sync::{Arc, OnceLock},
    time::Instant,
};

use parking_lot::{Condvar, Mutex};
use segue_abi::{NativeThread, ThreadAttributes, ThreadStart};

use crate::{
    crash::{actions::is_installed, alternate_stack::AlternateStack},
    signals::{handlers::forget_running, image_id::ImageId},
    threads::describe::name_of,
};

/// A thread that a module started and that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleThread {
    /// Its thread id, as the system counts them.
    pub tid: i32,
    /// Its name, as the system shows it. One that the module gave none has the module's, with the generation:
    /// `greeter.g7`.
    pub name: String,
    /// The module and the generation that it is of, whatever it is called: `greeter.g7`.
    pub owner: Arc<str>,
    /// When it began.
    pub since: Instant,
}

/// The threads of one image.
pub(crate) struct Threads {
    table: Mutex<ThreadTable>,
    /// Rung when a thread has counted itself out.
    ended: Condvar,
    /// Whose they are.
    owner: Arc<str>,
    /// What a thread is called that the module gives no name.
    name: CString,
    /// The image's `detach_thread`, known once its root module is.
    detach: OnceLock<unsafe extern "C" fn() -> u64>,
}

#[derive(Default)]
struct ThreadTable {
    next_id: u64,
    /// A thread is in here from before it exists; what is known of it comes when it runs.
    threads: BTreeMap<u64, Option<RunningThread>>,
    /// Whether the image is about to go, so that no thread may begin.
    is_closed: bool,
}

/// What is known of a thread that runs.
#[derive(Clone, Copy)]
struct RunningThread {
    tid: i32,
    since: Instant,
}

/// What a new thread needs; handed over as its one argument.
struct StartArguments {
    id: u64,
    threads: Arc<Threads>,
    image: ImageId,
    start: ThreadStart,
    argument: *mut c_void,
}

// === impl Threads ===

impl Threads {
    /// None, of this module and generation.
    pub(crate) fn new(module: &str, generation: u64) -> Self {
        let owner = format!("{module}.g{generation}").into();
        let name = thread_name(module, generation);
        Threads { table: Mutex::default(), ended: Condvar::new(), owner, name, detach: OnceLock::new() }
    }

    pub(crate) fn set_detach(&self, detach: unsafe extern "C" fn() -> u64) {
        // Set once, by the one that maps the image.
        let _ = self.detach.set(detach);
    }

    /// `pthread_create`, with [`thread_main`] at the bottom of the new thread.
    ///
    /// # Safety
    ///
    /// As `pthread_create`; `start` and `argument` are code and data of the image that these threads are of.
    pub(crate) unsafe fn spawn(
        self: &Arc<Self>,
        image: ImageId,
        thread: *mut NativeThread,
        attributes: ThreadAttributes,
        start: ThreadStart,
        argument: *mut c_void,
    ) -> c_int {
        let id = {
            let mut table = self.table.lock();
            if table.is_closed {
                return libc::EAGAIN;
            }
            table.next_id += 1;
            let id = table.next_id;
            table.threads.insert(id, None);
            id
        };
        let routine =
            Box::into_raw(Box::new(StartArguments { id, threads: self.clone(), image, start, argument }));
        // SAFETY: our caller's promise, handed on; `thread_main` takes the box. A pthread_t is an integer of
        // the size of usize.
        let error =
            unsafe { libc::pthread_create(thread.cast(), attributes.cast(), thread_main, routine.cast()) };
        if error != 0 {
            // SAFETY: no thread was made that could take the box.
            drop(unsafe { Box::from_raw(routine) });
            self.remove(id);
        }
        error
    }

    pub(crate) fn list(&self) -> Vec<ModuleThread> {
        let begun: Vec<RunningThread> = self.table.lock().threads.values().flatten().copied().collect();
        let describe = |RunningThread { tid, since }| {
            let (name, owner) = (name_of(tid).unwrap_or_default(), self.owner.clone());
            ModuleThread { tid, name, owner, since }
        };
        begun.into_iter().map(describe).collect()
    }

    /// How many there are, with those that have not begun.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.table.lock().threads.len()).unwrap_or(u32::MAX)
    }

    /// Waits until no thread is left, and then lets none begin; false where that is not so in time.
    pub(crate) fn close(&self, deadline: Instant) -> bool {
        let mut table = self.table.lock();
        while !table.threads.is_empty() {
            if self.ended.wait_until(&mut table, deadline).timed_out() && !table.threads.is_empty() {
                return false;
            }
        }
        table.is_closed = true;
        true
    }

    fn record_start(&self, id: u64) {
        // SAFETY: it only asks for a number.
        let tid = unsafe { libc::gettid() };
        // SAFETY: it is the calling thread, and the name a C string. Where it is refused, it keeps the name
        // that it has.
        unsafe { libc::pthread_setname_np(libc::pthread_self(), self.name.as_ptr()) };
        let thread = RunningThread { tid, since: Instant::now() };
        self.table.lock().threads.insert(id, Some(thread));
    }

    fn remove(&self, id: u64) {
        self.table.lock().threads.remove(&id);
        self.ended.notify_all();
    }
}

/// How long a thread's name may be, in bytes.
const NAME_LEN_MAX: usize = 15;

/// What threads of a module are called: as much of its name as fits before the generation.
fn thread_name(module: &str, generation: u64) -> CString {
    let generation = format!(".g{generation}");
    let room = NAME_LEN_MAX.saturating_sub(generation.len());
    let module: String = module.chars().filter(char::is_ascii_graphic).take(room).collect();
    CString::new(module + &generation).unwrap_or_default()
}

/// The bottom of a thread that a module started.
extern "C" fn thread_main(routine: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn` made the box for this one thread.
    let StartArguments { id, threads, image, start, argument } =
        *unsafe { Box::from_raw(routine.cast::<StartArguments>()) };
    threads.record_start(id);
    // Without one, nothing could be told of a stack that overflows.
    let alternate = is_installed().then(AlternateStack::new).flatten();
    // SAFETY: that is what the module asked for; the image stays while the thread is counted in.
    let result = unsafe { start.0(argument) };
    if let Some(detach) = threads.detach.get() {
        // SAFETY: the start routine has returned, and nothing of the image runs on this thread after this.
        unsafe { detach() };
    }
    forget_running(image);
    drop(alternate);
    threads.remove(id);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_called_as_its_module_however_long_that_is() {
        assert_eq!(thread_name("greeter", 7), c"greeter.g7".to_owned());
        assert_eq!(thread_name("a-module-with-a-long-name", 123), c"a-module-w.g123".to_owned());
        assert_eq!(thread_name("greeter", u64::MAX), c".g18446744073709551615".to_owned());
    }
}
