//! The watch of the modules directory: a `.so` file that is put there is loaded.
//! A line belongs here if it reads the modules directory, or decides when a file in it is loaded.
//! Never use `runtime` here.

mod debounce;
mod directory;
mod drop_in;

use std::{
    path::{self, PathBuf},
    sync::Arc,
    thread,
};

use crossbeam_channel::{Sender, bounded};

use crate::{
    api::Error, recovery::start_attempts::StartAttempts, shared::Shared, watch::directory::DirectoryWatcher,
};

/// The watch of one directory. Dropping it stops the watch.
pub(crate) struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

// === impl Watch ===

impl Watch {
    /// Loads the files that are in the directory, waits for these loads, and then watches the directory.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        directory: PathBuf,
        attempts: &StartAttempts,
    ) -> Result<Self, Error> {
        // `notify` reports absolute paths. A scan must find the same paths, or each file would be loaded
        // twice. The process may also change its working directory.
        let directory = path::absolute(&directory).map_err(|source| Error::Io {
            action: "resolve the path",
            path: directory,
            source,
        })?;
        let mut watcher = DirectoryWatcher::new(shared, directory);
        watcher.load_existing(shared, attempts.safe_mode());
        let (stop, stopped) = bounded(0);
        let name = "segue-watch".to_owned();
        let thread = thread::Builder::new()
            .name(name.clone())
            .spawn(move || watcher.run(&stopped))
            .map_err(|source| Error::Thread { name, source })?;
        Ok(Watch { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.take();
        // The last owner of the runtime may be a task that the watch started. Then this runs on the watch's
        // own thread, which ends anyway and must not join itself.
        if let Some(thread) = self.thread.take().filter(|watch| watch.thread().id() != thread::current().id())
        {
            // If it panicked, the panic was printed.
            let _ = thread.join();
        }
    }
}
