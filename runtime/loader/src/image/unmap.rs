//! Unmaps an image, if nothing prevents it.

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

/// How long to wait for a thread that runs a signal handler of the image. After that the handler is an
/// obstacle.
const HANDLER_WAIT_MAX: Duration = Duration::from_millis(20);

/// Why an image is still in memory.
pub enum UnmapFailure {
    /// Obstacles prevent the unmapping. Nothing was changed.
    Obstructed(Box<Mapped>, Vec<Obstacle>),
    /// It was closed, but the dynamic linker keeps it.
    Retained(Retained),
}

// === impl Mapped ===

impl Mapped {
    /// Flushes the module's buffered output, once, when none of its threads is left.
    fn flush_output(&mut self) {
        let Backing { staged, end_bytes, .. } = &mut **self.backing;
        if end_bytes.is_some() || self.context.threads.count() > 0 {
            return;
        }
        let usage = staged.heap.usage();
        let before = usage.live_bytes();
        // SAFETY: the image is mapped, and the module's value was dropped before `unmap`.
        unsafe { self.root.flush_output()() };
        // If the module has printed nothing, `std` allocates a buffer for this.
        *end_bytes = Some(usage.live_bytes().saturating_sub(before));
    }

    /// Unmaps the image, and proves that it is gone.
    ///
    /// No call can be inside: calls borrow the [`Image`](crate::Image), which was consumed for this value.
    /// Destructors that threads have not run are dropped without running.
    ///
    /// # Errors
    ///
    /// If there is an obstacle, or the dynamic linker keeps the image.
    pub fn unmap(mut self) -> Result<Unmapped, UnmapFailure> {
        self.flush_output();
        // A handler usually returns at once.
        let deadline = Instant::now() + HANDLER_WAIT_MAX;
        while !remove_handlers(self.image_id()).is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_micros(200));
        }
        let obstacles = self.obstacles();
        if !obstacles.is_empty() {
            return Err(UnmapFailure::Obstructed(Box::new(self), obstacles));
        }
        // SAFETY: no call is inside, no thread of the module is left, and `obstacles` has prevented new ones.
        let audit = unsafe { self.root().release()() };
        // An exit handler may have installed a signal handler.
        let image = self.image_id();
        remove_handlers(image);
        // SAFETY: `self` is consumed, and has no destructor, so neither field is used again.
        let (library, backing) =
            unsafe { (ManuallyDrop::take(&mut self.library), ManuallyDrop::take(&mut self.backing)) };
        if let Some(context) = &backing.context {
            // The descriptions of other modules' interfaces are in the image.
            context.links.close_all();
        }
        let closed = close(library, backing, audit);
        // A destructor of the file may have done so too.
        remove_handlers(image);
        closed.map_err(UnmapFailure::Retained)
    }
}
