//! The progress that the demo reports while it runs.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use segue::{ModuleStatus, VersionId};

use crate::{
    client::{Clients, Progress},
    server::DemoServer,
};

/// Receives the progress of the demo. The caller prints it.
pub trait Observer: Sync {
    /// Called when a step begins or a release is done.
    fn step(&self, step: &Step);

    /// How often [`snapshot`](Observer::snapshot) is called during the measurement; `None` for never.
    fn snapshot_interval(&self) -> Option<Duration> {
        None
    }

    /// Called with the figures so far.
    fn snapshot(&self, snapshot: &Snapshot) {
        let _ = snapshot;
    }
}

/// A step of the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The first version is served.
    Serving {
        /// The module.
        module: String,
        /// The version.
        version: String,
        /// The address of the HTTP server.
        address: SocketAddr,
        /// The control socket.
        control: PathBuf,
    },
    /// The clients start.
    Clients {
        /// How many keep their connection.
        keep_alive: usize,
        /// How many open a connection for each request.
        fresh: usize,
        /// How long the answers to the slow client take.
        slow: Duration,
    },
    /// Requests are measured, and nothing is released.
    Quiet(Duration),
    /// Requests are measured while versions are released.
    Releasing(Duration),
    /// A release is done.
    Released(Release),
}

/// One release, as its acknowledgement reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// How the version was released.
    pub method: Method,
    /// The version that was current.
    pub from: VersionId,
    /// The version that is current now.
    pub to: VersionId,
    /// How long the store that makes a version current took, in microseconds. `None` for a drop-in, which has
    /// no answer.
    pub publish_us: Option<u64>,
}

/// How a version is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Another file is renamed over the one in the modules directory.
    Rename,
    /// The file in the modules directory is overwritten in place.
    Overwrite,
    /// The control socket loads a path.
    LoadPath,
    /// The control socket loads uploaded bytes.
    Upload,
    /// The control socket rolls back.
    Rollback,
}

/// The figures so far.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The requests.
    pub requests: Progress,
    /// The modules of the runtime.
    pub modules: Vec<ModuleStatus>,
}

/// Does `work`, and sends snapshots to the observer meanwhile.
pub(crate) fn with_snapshots<T>(
    observer: &dyn Observer,
    server: &DemoServer,
    clients: &Clients,
    work: impl FnOnce() -> T,
) -> T {
    let Some(interval) = observer.snapshot_interval() else { return work() };
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let (requests, modules) = (clients.progress(), server.runtime.modules());
                observer.snapshot(&Snapshot { requests, modules });
                thread::sleep(interval);
            }
        });
        let result = work();
        is_done.store(true, Ordering::Relaxed);
        result
    })
}
