//! The end of an image: what is in its way, how it is taken out of memory, and what is told of it.

use std::{
    fmt, fs,
    mem::ManuallyDrop,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use libloading::os::unix::Library;
use segue_abi::Audit;

use crate::{
    LeftOpen, Mapped, ModuleThread, OutsideThread, Staged, context::Context, crash::Row, linkmap, signals,
};

/// How long is waited for a thread that is in a signal handler of the image, before that is told as an obstacle.
const HANDLER_PATIENCE: Duration = Duration::from_millis(20);

/// The image has left memory: the dynamic linker's list says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// Destructors of thread-locals that did not run, since their threads were never detached. What they would have
    /// freed beside memory (a file, a lock) is leaked.
    pub destructors_dropped: u64,
    /// pthread keys that were given back.
    pub keys_deleted: u32,
    /// The memory that the module had not freed, mostly that of its statics, in bytes. It was freed with the image.
    pub leaked_bytes: u64,
    /// The file descriptors that it had opened, and that are open still.
    pub left_open: LeftOpen,
    /// When the dynamic linker's list said so, and the memory had been freed. The private copy is removed after that.
    pub at: Instant,
}

/// Something for which an image must not be unmapped yet: it would run code that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A thread that the module started.
    Thread(ModuleThread),
    /// A thread that the module started, and that has not begun to run.
    NewThread,
    /// Threads that the module's constructors started, before the runtime could know them. They are in the way for ever.
    UnknownThreads(u32),
    /// Libraries outside the image that may call it: a callback, a thread. They are in the way for ever.
    Libraries(Vec<String>),
    /// A thread that such a library has started, or the module past the SDK, and that is in code of the image.
    Outside(OutsideThread),
    /// A signal whose handler is in the image: a thread is in it, or it was installed past the SDK.
    Signal {
        /// The signal's number.
        number: i32,
        /// What it is called: `SIGUSR1`.
        name: String,
    },
}

/// Why an image is in memory still.
pub enum Kept {
    /// Something is in the way, and nothing was done.
    Obstructed(Box<Mapped>, Vec<Obstacle>),
    /// It was closed, and the dynamic linker keeps it.
    Retained(Retained),
}

/// An image that was closed, and that the dynamic linker keeps. Nothing of it runs any more. It may go yet
/// ([`sweep`](Retained::sweep)); dropped, it stays.
pub struct Retained {
    remains: ManuallyDrop<Box<Remains>>,
    reason: String,
    /// What is to be told when it has gone.
    left: Audit,
}

/// What must stay for as long as an image is mapped: the heap that its memory is in, the host that it knows.
pub(crate) struct Remains {
    pub(crate) staged: Staged,
    /// None before the host was introduced.
    pub(crate) context: Option<Arc<Context>>,
    /// Its row in the table of images; none where that was full.
    pub(crate) row: Option<Row>,
    /// The memory that the end of the image has itself taken from its heap, in bytes, once its output was written.
    pub(crate) end_bytes: Option<u64>,
}

// === impl Mapped ===

impl Mapped {
    /// What is in the way of unmapping it. Nothing may be inside, and its state must have been dropped.
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let mut obstacles: Vec<Obstacle> = self.threads().into_iter().map(Obstacle::Thread).collect();
        // One that has not begun is not listed yet, and one that was listed may have ended since: this is what counts.
        if !self.wait_for_threads(Instant::now()) && obstacles.is_empty() {
            obstacles.push(Obstacle::NewThread);
        }
        let unknown = self.audit().unknown_threads;
        if unknown > 0 {
            obstacles.push(Obstacle::UnknownThreads(unknown));
        }
        let libraries = &self.remains.staged.libraries;
        if !libraries.is_empty() && self.metadata().unload.is_none() {
            obstacles.push(Obstacle::Libraries(libraries.clone()));
        } else if let Some(outside) = self.outside() {
            // Promised, and not so: it would run code that is gone.
            let inside = outside.threads().into_iter().filter(|thread| thread.is_inside);
            obstacles.extend(inside.map(Obstacle::Outside));
        }
        // Nothing of the module runs that would want them.
        let running = signals::remove(self.image_id());
        let past_the_sdk = signals::handled_in(&self.range);
        obstacles.extend(
            running
                .into_iter()
                .chain(past_the_sdk)
                .map(|number| Obstacle::Signal { number, name: signals::name(number) }),
        );
        obstacles
    }

    /// Has the module's text written, once, when no thread of it is left.
    fn flush_output(&mut self) {
        let Remains { staged, end_bytes, .. } = &mut **self.remains;
        if end_bytes.is_some() || self.context.threads.count() > 0 {
            return;
        }
        let usage = staged.heap.usage();
        let before = usage.live_bytes();
        // SAFETY: the image is mapped, and its value has gone: `unmap` is called after that.
        unsafe { self.root.flush_output()() };
        // `std` makes a buffer for text, if the module has printed nothing.
        *end_bytes = Some(usage.live_bytes().saturating_sub(before));
    }

    /// Takes the image out of memory, and proves it.
    ///
    /// No call can be inside: calls borrow the [`Image`](crate::Image), which was consumed for this value. Destructors that
    /// threads did not run by now are dropped.
    ///
    /// # Errors
    ///
    /// Where something is in the way, and where the dynamic linker still has it.
    pub fn unmap(mut self) -> Result<Unmapped, Kept> {
        self.flush_output();
        // A handler runs for moments.
        let patience = Instant::now() + HANDLER_PATIENCE;
        while !signals::remove(self.image_id()).is_empty() && Instant::now() < patience {
            thread::sleep(Duration::from_micros(200));
        }
        let obstacles = self.obstacles();
        if !obstacles.is_empty() {
            return Err(Kept::Obstructed(Box::new(self), obstacles));
        }
        // SAFETY: no call is inside, no thread of the module is left, and none can begin: `obstacles` has closed the door.
        let left = unsafe { self.root().release()() };
        // An exit handler may have restored one.
        let image = self.image_id();
        signals::remove(image);
        // SAFETY: `self` is consumed, and has no destructor, so neither is used again.
        let (library, remains) =
            unsafe { (ManuallyDrop::take(&mut self.library), ManuallyDrop::take(&mut self.remains)) };
        if let Some(context) = &remains.context {
            // What it knows of other modules' interfaces lies in it.
            context.links.close_all();
        }
        let closed = close(library, remains, left);
        // So may a destructor of the file.
        signals::remove(image);
        closed.map_err(Kept::Retained)
    }
}

/// Closes an image, and asks whether it is gone.
pub(crate) fn close(library: Library, remains: Box<Remains>, left: Audit) -> Result<Unmapped, Retained> {
    let reason = match library.close() {
        Ok(()) => "the dynamic linker keeps it: a thread-local destructor, or another library, refers to it"
            .to_owned(),
        Err(error) => format!("the dynamic linker refused to close it: {error}"),
    };
    Retained { remains: ManuallyDrop::new(remains), reason, left }.prove()
}

// === impl Retained ===

impl fmt::Debug for Retained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retained").field("path", &self.path()).field("reason", &self.reason).finish()
    }
}

impl Retained {
    /// The private copy that is mapped.
    pub fn path(&self) -> &Path {
        &self.remains.staged.path
    }

    /// Why, in words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Has the dynamic linker look again, and asks whether the image is gone. Where a thread-local destructor kept it, the
    /// linker would otherwise look at the next time that somebody closes a library.
    ///
    /// # Errors
    ///
    /// Where it is still there.
    pub fn sweep(self) -> Result<Unmapped, Retained> {
        linkmap::nudge(self.path());
        self.prove()
    }

    fn prove(mut self) -> Result<Unmapped, Retained> {
        if linkmap::is_mapped(self.path()) {
            return Err(self);
        }
        // SAFETY: `self` is consumed, and has no destructor. The image is gone, so nobody has a pointer to any of it.
        let Remains { staged, context, row, end_bytes } = *unsafe { ManuallyDrop::take(&mut self.remains) };
        if let Some(row) = row {
            row.has_left();
        }
        drop(context);
        let Staged { path, heap, .. } = staged;
        let leaked_bytes = heap.usage().live_bytes().saturating_sub(end_bytes.unwrap_or(0));
        let left_open = heap.left_open();
        drop(heap);
        let Audit { destructors: destructors_dropped, keys: keys_deleted, .. } = self.left;
        let unmapped =
            Unmapped { destructors_dropped, keys_deleted, leaked_bytes, left_open, at: Instant::now() };
        remove(&path);
        Ok(unmapped)
    }
}

// === impl Staged ===

impl Staged {
    /// Removes the private copy, and frees the heap: of a candidate that will not be mapped after all, or that was.
    pub fn discard(self) {
        remove(&self.path);
    }
}

fn remove(private_copy: &Path) {
    // Where it cannot be removed, the next start does it.
    let _ = fs::remove_file(private_copy);
}
