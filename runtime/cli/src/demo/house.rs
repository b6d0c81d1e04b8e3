//! What the demo serves, and from where: all the parts of `segue serve`, in one temporary directory.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use segue::{Event, Runtime, VersionId};
use segue_control::{Client, Limits, ServeError, Socket};
use segue_serve::Server;
use tempfile::TempDir;
use tokio::{
    runtime,
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    sync::watch,
    task::JoinHandle,
};

use super::Error;
use crate::embedded::{self, EmbeddedModule};

/// The module.
pub(super) const MODULE: &str = "greeter";

/// How often a pause looks whether the user still wants to see it.
const PAUSE_STEP: Duration = Duration::from_millis(50);
/// How long the runtime has in the end. Nobody asks it any more then.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// A runtime, its server and its control socket, at work.
pub(super) struct House {
    pub(super) runtime: Runtime,
    pub(super) address: SocketAddr,
    pub(super) control: Client,
    reactor: runtime::Runtime,
    stop: watch::Sender<bool>,
    server: JoinHandle<Result<(), segue_serve::Error>>,
    control_server: JoinHandle<Result<(), ServeError>>,
    is_interrupted: Arc<AtomicBool>,
    /// Last, so that everything in it is closed before it is removed.
    directory: TempDir,
}

// === impl House ===

impl House {
    /// Serves the first version, on a free port.
    pub(super) fn open() -> Result<Self, Error> {
        let place = std::env::temp_dir();
        let directory = tempfile::Builder::new()
            .prefix("segue-demo-")
            .tempdir()
            .map_err(|source| Error::Io { action: "making a directory in", path: place, source })?;
        let root = directory.path();
        let modules = modules_dir(root);
        make_dir(&modules)?;
        for module in embedded::greeter() {
            make_dir(&file(root, module).with_file_name(""))?;
            write(&file(root, module), module.bytes)?;
        }
        let first = embedded::greeter().first().expect("the command brings two versions along");
        write(&modules.join(first.file_name), first.bytes)?;

        let reactor = runtime::Builder::new_multi_thread()
            .thread_name("segue-reactor")
            .enable_all()
            .build()
            .map_err(|source| Error::Reactor { source })?;
        let runtime = Runtime::builder().modules_dir(&modules).state_dir(root.join("state")).build()?;
        loaded(&runtime)?;
        let control_path = root.join("segue.sock");
        let socket = Socket::bind(&control_path)?;
        let server = reactor.block_on(Server::builder(runtime.clone()).bind("127.0.0.1:0"))?;
        let address = server.local_addr();
        let (stop, stopped) = watch::channel(false);
        let stopped = || {
            let mut stopped = stopped.clone();
            // Ready as well where nobody can say it any more.
            async move { drop(stopped.wait_for(|stop| *stop).await) }
        };
        let control_server =
            reactor.spawn(segue_control::serve(runtime.clone(), socket, Limits::default(), stopped()));
        let server = reactor.spawn(server.run(stopped()));
        let is_interrupted = Arc::new(AtomicBool::new(false));
        let flag = is_interrupted.clone();
        reactor.spawn(async move {
            // Where the system gives no such signal, it ends the process as ever, and leaves the directory behind.
            let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
            tokio::select! {
                _ = ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            flag.store(true, Ordering::Relaxed);
        });
        let control = Client::new(control_path);
        Ok(House {
            runtime,
            address,
            control,
            reactor,
            stop,
            server,
            control_server,
            is_interrupted,
            directory,
        })
    }

    /// The version that is current.
    pub(super) fn current(&self) -> Result<VersionId, Error> {
        let no_current = || segue::Error::NoCurrent { name: MODULE.to_owned() };
        let current = self.runtime.status(MODULE)?.current.ok_or_else(no_current)?;
        Ok(VersionId { version: current.version, generation: current.generation })
    }

    /// The file of a version, outside of the modules directory.
    pub(super) fn file(&self, module: &EmbeddedModule) -> PathBuf {
        file(self.directory.path(), module)
    }

    /// The modules directory.
    pub(super) fn modules_dir(&self) -> PathBuf {
        modules_dir(self.directory.path())
    }

    /// Runs a command of the control socket's client.
    pub(super) fn command<T, E: Into<Error>>(
        &self,
        command: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        self.reactor.block_on(command).map_err(Into::into)
    }

    /// Waits.
    pub(super) fn pause(&self, pause: Duration) -> Result<(), Error> {
        let until = Instant::now() + pause;
        loop {
            self.go_on()?;
            match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return Ok(()),
                left => thread::sleep(left.min(PAUSE_STEP)),
            }
        }
    }

    /// Whether the user still wants to see it.
    pub(super) fn go_on(&self) -> Result<(), Error> {
        if self.is_interrupted.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Waits until old is gone. Where it is not, that is a figure of the report.
    pub(super) fn purge(&self, patience: Duration) -> Result<(), Error> {
        self.runtime.purge(MODULE, patience)?;
        Ok(())
    }

    /// Ends everything in good order, and removes the directory.
    pub(super) fn close(self) -> Result<(), Error> {
        let House { runtime, reactor, stop, server, control_server, directory, .. } = self;
        stop.send_replace(true);
        let (served, controlled) = reactor.block_on(async { (server.await, control_server.await) });
        let ended = runtime.shutdown(SHUTDOWN);
        let path = directory.path().to_owned();
        let removed = directory.close();
        served.map_err(|_| Error::Panicked { part: "the server" })??;
        controlled.map_err(|_| Error::Panicked { part: "the control socket" })??;
        ended?;
        removed.map_err(|source| Error::Io { action: "removing", path, source })
    }
}

/// Whether the first version is there. The runtime tells of a refused file by an event only.
fn loaded(runtime: &Runtime) -> Result<(), Error> {
    let refused = runtime.events().recent(0).into_iter().find_map(|record| match record.event {
        Event::Refused { error, .. } => Some(Error::Refused { error: Box::new(error) }),
        _ => None,
    });
    refused.map_or(Ok(()), Err)
}

/// Writes a file that others may read meanwhile.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|source| Error::Io { action: "writing", path: path.to_owned(), source })
}

fn make_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Io { action: "making", path: path.to_owned(), source })
}

fn modules_dir(root: &Path) -> PathBuf {
    root.join("modules")
}

fn file(root: &Path, module: &EmbeddedModule) -> PathBuf {
    root.join(module.version).join(module.file_name)
}
