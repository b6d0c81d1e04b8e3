//! The threads that a module started. Each runs below a function of the host, and is counted.
//!
//! Before an image is unmapped, its threads must have left its code, and not only finished their work:
//! `std`'s epilogue and the destructors of thread-locals are code of the module too. So the function at the
//! bottom of the stack is [`thread_main`], which is code of the host. It calls the start routine, then the
//! image's `detach_thread`, and then removes the thread from the list. After that libc calls nothing in the
//! image, because the image's destructors were never registered with libc (see the SDK's
//! `interpose/thread_locals.rs`).

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
    /// Its thread id in the system.
    pub tid: i32,
    /// Its name in the system. If the module does not set one, it is the module's name and the generation:
    /// `greeter.g7`.
    pub name: String,
    /// The module and generation that started it: `greeter.g7`.
    pub owner: Arc<str>,
    /// When it started.
    pub since: Instant,
}

/// The threads of one image.
pub(crate) struct Threads {
    table: Mutex<ThreadTable>,
    /// Notified when a thread was removed.
    ended: Condvar,
    /// The module and generation.
    owner: Arc<str>,
    /// The name of a thread if the module does not set one.
    name: CString,
    /// The image's `detach_thread`. Set when its root module is known.
    detach: OnceLock<unsafe extern "C" fn() -> u64>,
}

#[derive(Default)]
struct ThreadTable {
    next_id: u64,
    /// A thread is added before it exists. Its data is set when it runs.
    threads: BTreeMap<u64, Option<RunningThread>>,
    /// Whether the image is about to be unmapped, so no thread may start.
    is_closed: bool,
}

/// A thread that runs.
#[derive(Clone, Copy)]
struct RunningThread {
    tid: i32,
    since: Instant,
}

/// The argument of a new thread.
struct StartArguments {
    id: u64,
    threads: Arc<Threads>,
    image: ImageId,
    start: ThreadStart,
    argument: *mut c_void,
}

// === impl Threads ===

impl Threads {
    /// An empty list for this module and generation.
    pub(crate) fn new(module: &str, generation: u64) -> Self {
        let owner = format!("{module}.g{generation}").into();
        let name = thread_name(module, generation);
        Threads { table: Mutex::default(), ended: Condvar::new(), owner, name, detach: OnceLock::new() }
    }

    pub(crate) fn set_detach(&self, detach: unsafe extern "C" fn() -> u64) {
        // Set once, when the image is mapped.
        let _ = self.detach.set(detach);
    }

    /// `pthread_create`, with [`thread_main`] at the bottom of the new stack.
    ///
    /// # Safety
    ///
    /// As for `pthread_create`. `start` and `argument` must belong to the image of these threads.
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
        let arguments =
            Box::into_raw(Box::new(StartArguments { id, threads: self.clone(), image, start, argument }));
        // SAFETY: guaranteed by the caller, and `thread_main` takes the box. A pthread_t is an integer of the
        // size of usize.
        let error =
            unsafe { libc::pthread_create(thread.cast(), attributes.cast(), thread_main, arguments.cast()) };
        if error != 0 {
            // SAFETY: no thread was created that could take the box.
            drop(unsafe { Box::from_raw(arguments) });
            self.remove(id);
        }
        error
    }

    pub(crate) fn list(&self) -> Vec<ModuleThread> {
        let running: Vec<RunningThread> = self.table.lock().threads.values().flatten().copied().collect();
        let describe = |RunningThread { tid, since }| {
            let (name, owner) = (name_of(tid).unwrap_or_default(), self.owner.clone());
            ModuleThread { tid, name, owner, since }
        };
        running.into_iter().map(describe).collect()
    }

    /// The number of threads, including those that do not run yet.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.table.lock().threads.len()).unwrap_or(u32::MAX)
    }

    /// Waits until no thread is left, and then prevents new ones. Returns false on timeout.
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
        // SAFETY: it only returns a number.
        let tid = unsafe { libc::gettid() };
        // SAFETY: it is the calling thread, and the name is a C string. If this fails, the thread keeps its
        // name.
        unsafe { libc::pthread_setname_np(libc::pthread_self(), self.name.as_ptr()) };
        let thread = RunningThread { tid, since: Instant::now() };
        self.table.lock().threads.insert(id, Some(thread));
    }

    fn remove(&self, id: u64) {
        self.table.lock().threads.remove(&id);
        self.ended.notify_all();
    }
}

/// The longest name of a thread, in bytes.
const NAME_LEN_MAX: usize = 15;

/// The name of a module's threads: as much of the module's name as fits, and the generation.
fn thread_name(module: &str, generation: u64) -> CString {
    let generation = format!(".g{generation}");
    let max_len = NAME_LEN_MAX.saturating_sub(generation.len());
    let module: String = module.chars().filter(char::is_ascii_graphic).take(max_len).collect();
    CString::new(module + &generation).unwrap_or_default()
}

/// The function at the bottom of the stack of a thread that a module started.
extern "C" fn thread_main(arguments: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn` created the box for this thread.
    let StartArguments { id, threads, image, start, argument } =
        *unsafe { Box::from_raw(arguments.cast::<StartArguments>()) };
    threads.record_start(id);
    // Without it, a stack overflow could not be reported.
    let alternate = is_installed().then(AlternateStack::new).flatten();
    // SAFETY: the module requested this call, and the image stays while the thread is in the list.
    let result = unsafe { start.0(argument) };
    if let Some(detach) = threads.detach.get() {
        // SAFETY: the start routine has returned, and no code of the image runs on this thread after this.
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
    fn a_long_module_name_is_shortened_in_thread_names() {
        assert_eq!(thread_name("greeter", 7), c"greeter.g7".to_owned());
        assert_eq!(thread_name("a-module-with-a-long-name", 123), c"a-module-w.g123".to_owned());
        assert_eq!(thread_name("greeter", u64::MAX), c".g18446744073709551615".to_owned());
    }
}
