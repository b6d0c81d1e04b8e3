//! The runtime's own threads, one for each load or rollback.
//!
//! Module code that is not a call (constructors, `on_load`, `Drop`, destructors, `dlclose`) never runs on a
//! thread of the embedder, because what it leaves on that thread could then not be destroyed. So each load
//! and each rollback starts a thread. The thread answers the caller as soon as the new version is current,
//! and then unloads the version that it displaced. The thread is started before anything changes, so no later
//! step can fail for lack of a thread.

use std::{sync::Arc, thread, time::Instant};

use crossbeam_channel::{Sender, bounded};
use parking_lot::{Condvar, Mutex};

use crate::api::Error;

/// The running tasks of one runtime.
#[derive(Default)]
pub(crate) struct Tasks {
    running: Mutex<usize>,
    ended: Condvar,
}

/// Counts a task as running until it is dropped. A panic drops it too.
struct RunningTask(Arc<Tasks>);

impl Drop for RunningTask {
    fn drop(&mut self) {
        *self.0.running.lock() -= 1;
        self.0.ended.notify_all();
    }
}

impl Tasks {
    /// Starts a task on a thread with this name. System tools show the first 15 characters of the name.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        name: String,
        task: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        *self.running.lock() += 1;
        let running = RunningTask(self.clone());
        let run = move || {
            let _running = running;
            task();
        };
        thread::Builder::new()
            .name(name.clone())
            .spawn(run)
            .map_err(|source| Error::Thread { name, source })?;
        Ok(())
    }

    /// Starts a task with a value. Returns the value if the thread cannot be started.
    pub(crate) fn spawn_with<T: Send + 'static>(
        self: &Arc<Self>,
        name: String,
        value: T,
        task: impl FnOnce(T) + Send + 'static,
    ) -> Result<(), (Error, T)> {
        let (sender, receiver) = bounded(1);
        let spawned = self.spawn(name, move || {
            // Never disconnected: the value is sent as soon as the thread exists.
            if let Ok(value) = receiver.recv() {
                task(value);
            }
        });
        if let Err(error) = spawned {
            return Err((error, value));
        }
        // The channel has room for one value.
        let _ = sender.send(value);
        Ok(())
    }

    /// Starts a task that sends an answer before it ends, and waits for the answer.
    pub(crate) fn spawn_and_wait<R: Send + 'static>(
        self: &Arc<Self>,
        name: String,
        task: impl FnOnce(Sender<Result<R, Error>>) + Send + 'static,
    ) -> Result<R, Error> {
        let (sender, receiver) = bounded(1);
        self.spawn(name.clone(), move || task(sender))?;
        // Disconnected without an answer only if the task panicked.
        let panicked = |_| Error::Internal { what: format!("thread {name} panicked") };
        receiver.recv().map_err(panicked)?
    }

    /// Waits until all tasks have ended. Returns false if one is still running at the deadline. Without a
    /// deadline it waits indefinitely.
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
