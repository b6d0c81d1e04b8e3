//! The obstacles to unmapping an image.

use std::time::Instant;

use crate::{
    image::mapped::Mapped,
    signals::{
        name::signal_name,
        sigaction::{remove_handlers, signals_handled_in},
    },
    threads::{started::ModuleThread, untracked::UntrackedThread},
};

/// Something that may still run code of an image, so the image must not be unmapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A thread that the module started.
    Thread(ModuleThread),
    /// A thread that the module started, and that does not run yet.
    NewThread,
    /// Threads that the module's constructors started, before the runtime could track them. This obstacle is
    /// permanent.
    ConstructorThreads(u32),
    /// External libraries that may call the image, through a callback or on a thread. This obstacle is
    /// permanent.
    Libraries(Vec<String>),
    /// A thread that the runtime does not track, and that is inside code of the image. An external library
    /// started it, or the module did so without the SDK.
    UntrackedThread(UntrackedThread),
    /// A signal whose handler is in the image. A thread is running the handler, or it was installed without
    /// the SDK.
    Signal {
        /// The signal's number.
        number: i32,
        /// Its name, such as `SIGUSR1`.
        name: String,
    },
}

// === impl Mapped ===

impl Mapped {
    /// The obstacles to unmapping the image. No call may be inside, and the module's value must have been
    /// dropped.
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let mut obstacles: Vec<Obstacle> = self.threads().into_iter().map(Obstacle::Thread).collect();
        // A thread that does not run yet is not listed, and a listed one may have ended: the wait decides.
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
            // The author promised that no library keeps a thread in the image, but one does. It would run
            // unmapped code.
            let inside = untracked.list().into_iter().filter(|thread| thread.is_inside);
            obstacles.extend(inside.map(Obstacle::UntrackedThread));
        }
        // No code of the module runs that needs its handlers.
        let running = remove_handlers(self.image_id());
        let installed_without_sdk = signals_handled_in(&self.range);
        obstacles.extend(
            running
                .into_iter()
                .chain(installed_without_sdk)
                .map(|number| Obstacle::Signal { number, name: signal_name(number) }),
        );
        obstacles
    }
}
