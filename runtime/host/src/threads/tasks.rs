//! The threads that take versions in and out.
//!
//! Code of a module that is not a call (constructors, `on_load`, `Drop`, destructors, `dlclose`) never runs on a thread of
//! the embedder: what it leaves on its thread could then not be destroyed. So each load, and each rollback, begins a
//! thread, which answers whoever asked as soon as the new version is current, and then takes out what it displaced. It
//! exists before anything has changed, so that nothing can fail afterwards for want of a thread.

use std::{sync::Arc, thread, time::Instant};

use crossbeam_channel::{Sender, bounded};
use parking_lot::{Condvar, Mutex};

use crate::api::Error;

/// The journeys of one runtime that have not ended.
#[derive(Default)]
pub(crate) struct Tasks {
    running: Mutex<usize>,
    ended: Condvar,
}

/// Counts a journey out when it ends, however it ends.
struct CountOut(Arc<Tasks>);

impl Drop for CountOut {
    fn drop(&mut self) {
        *self.0.running.lock() -= 1;
        self.0.ended.notify_all();
    }
}

impl Tasks {
    /// Begins a journey. The name is shown by the system's tools, which cut it after 15 characters.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        name: String,
        journey: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        *self.running.lock() += 1;
        let count_out = CountOut(self.clone());
        let run = move || {
            let _count_out = count_out;
            journey();
        };
        thread::Builder::new()
            .name(name.clone())
            .spawn(run)
            .map_err(|source| Error::Thread { name, source })?;
        Ok(())
    }

    /// Begins a journey with something in its hands, which comes back where there is no thread for it.
    pub(crate) fn spawn_with<T: Send + 'static>(
        self: &Arc<Self>,
        name: String,
        carried: T,
        journey: impl FnOnce(T) + Send + 'static,
    ) -> Result<(), (Error, T)> {
        let (hand_over, handed_over) = bounded(1);
        let begun = self.spawn(name, move || {
            // Disconnected never: it is sent as soon as the thread is there.
            if let Ok(carried) = handed_over.recv() {
                journey(carried);
            }
        });
        if let Err(error) = begun {
            return Err((error, carried));
        }
        // There is room for one.
        let _ = hand_over.send(carried);
        Ok(())
    }

    /// Begins a journey that gives an answer while it goes on, and waits for that answer.
    pub(crate) fn spawn_and_wait<R: Send + 'static>(
        self: &Arc<Self>,
        name: String,
        journey: impl FnOnce(Sender<Result<R, Error>>) + Send + 'static,
    ) -> Result<R, Error> {
        let (answer, answered) = bounded(1);
        self.spawn(name.clone(), move || journey(answer))?;
        // It is disconnected without an answer only where the journey panicked.
        let lost = |_| Error::Internal { what: format!("the thread {name} panicked") };
        answered.recv().map_err(lost)?
    }

    /// Waits for all journeys to end; false where one has not, at the deadline. Without a deadline it waits for ever.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut running = self.running.lock();
        while *running > 0 {
            match deadline {
                None => self.ended.wait(&mut running),
                Some(deadline) => {
                    if self.ended.wait_until(&mut running, deadline).timed_out() && *running > 0 {
                        return false;
                    }
                }
            }
        }
        true
    }
}
