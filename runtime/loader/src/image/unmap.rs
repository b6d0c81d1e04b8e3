//! The end of an image: what is in its way, how it is taken out of memory, and what is told of it.

use std::{
    mem::ManuallyDrop,
    thread,
    time::{Duration, Instant},
};

use crate::{
    image::{
        mapped::Mapped,
        obstacle::Obstacle,
        retained::{Backing, Retained, Unmapped, close},
    },
    signals::sigaction::remove_handlers,
};

/// How long is waited for a thread that is in a signal handler of the image, before that is told as an obstacle.
const HANDLER_WAIT_MAX: Duration = Duration::from_millis(20);

/// Why an image is in memory still.
pub enum UnmapFailure {
    /// Something is in the way, and nothing was done.
    Obstructed(Box<Mapped>, Vec<Obstacle>),
    /// It was closed, and the dynamic linker keeps it.
    Retained(Retained),
}

// === impl Mapped ===

impl Mapped {
    /// Has the module's text written, once, when no thread of it is left.
    fn flush_output(&mut self) {
        let Backing { staged, end_bytes, .. } = &mut **self.backing;
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
    pub fn unmap(mut self) -> Result<Unmapped, UnmapFailure> {
        self.flush_output();
        // A handler runs for moments.
        let patience = Instant::now() + HANDLER_WAIT_MAX;
        while !remove_handlers(self.image_id()).is_empty() && Instant::now() < patience {
            thread::sleep(Duration::from_micros(200));
        }
        let obstacles = self.obstacles();
        if !obstacles.is_empty() {
            return Err(UnmapFailure::Obstructed(Box::new(self), obstacles));
        }
        // SAFETY: no call is inside, no thread of the module is left, and none can begin: `obstacles` has closed the door.
        let left = unsafe { self.root().release()() };
        // An exit handler may have restored one.
        let image = self.image_id();
        remove_handlers(image);
        // SAFETY: `self` is consumed, and has no destructor, so neither is used again.
        let (library, backing) =
            unsafe { (ManuallyDrop::take(&mut self.library), ManuallyDrop::take(&mut self.backing)) };
        if let Some(context) = &backing.context {
            // What it knows of other modules' interfaces lies in it.
            context.links.close_all();
        }
        let closed = close(library, backing, left);
        // So may a destructor of the file.
        remove_handlers(image);
        closed.map_err(UnmapFailure::Retained)
    }
}
