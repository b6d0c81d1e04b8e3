//! What is in the way of unmapping an image.

use std::time::Instant;

use crate::{
    image::mapped::Mapped,
    signals::{
        name::signal_name,
        sigaction::{remove_handlers, signals_handled_in},
    },
    threads::{started::ModuleThread, untracked::UntrackedThread},
};

/// Something for which an image must not be unmapped yet: it would run code that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A thread that the module started.
    Thread(ModuleThread),
    /// A thread that the module started, and that has not begun to run.
    NewThread,
    /// Threads that the module's constructors started, before the runtime could know them. They are in the way for ever.
    ConstructorThreads(u32),
    /// Libraries outside the image that may call it: a callback, a thread. They are in the way for ever.
    Libraries(Vec<String>),
    /// A thread that such a library has started, or the module past the SDK, and that is in code of the image.
    UntrackedThread(UntrackedThread),
    /// A signal whose handler is in the image: a thread is in it, or it was installed past the SDK.
    Signal {
        /// The signal's number.
        number: i32,
        /// What it is called: `SIGUSR1`.
        name: String,
    },
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
            obstacles.push(Obstacle::ConstructorThreads(unknown));
        }
        let libraries = &self.backing.staged.libraries;
        if !libraries.is_empty() && self.metadata().unload.is_none() {
            obstacles.push(Obstacle::Libraries(libraries.clone()));
        } else if let Some(untracked) = self.untracked_threads() {
            // Promised, and not so: it would run code that is gone.
            let inside = untracked.list().into_iter().filter(|thread| thread.is_inside);
            obstacles.extend(inside.map(Obstacle::UntrackedThread));
        }
        // Nothing of the module runs that would want them.
        let running = remove_handlers(self.image_id());
        let past_the_sdk = signals_handled_in(&self.range);
        obstacles.extend(
            running
                .into_iter()
                .chain(past_the_sdk)
                .map(|number| Obstacle::Signal { number, name: signal_name(number) }),
        );
        obstacles
    }
}
