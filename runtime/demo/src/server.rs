//! The service of the demo: all parts of `segue serve`, in one temporary directory.

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

use crate::{
    embedded::{self, EmbeddedModule},
    error::Error,
};

/// The name of the module.
pub(crate) const MODULE: &str = "greeter";

/// How often a pause checks for an interrupt.
const PAUSE_STEP: Duration = Duration::from_millis(50);
/// How long the shutdown of the runtime may take. No client is left then.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// A runtime, its HTTP server and its control socket, all running.
pub(crate) struct DemoServer {
    pub(crate) runtime: Runtime,
    pub(crate) address: SocketAddr,
    pub(crate) control: Client,
    executor: runtime::Runtime,
    stop: watch::Sender<bool>,
    http: JoinHandle<Result<(), segue_serve::Error>>,
    control_socket: JoinHandle<Result<(), ServeError>>,
    is_interrupted: Arc<AtomicBool>,
    /// The last field, so all files in the directory are closed before it is removed.
    directory: TempDir,
}

// === impl DemoServer ===

impl DemoServer {
    /// Serves the first version, on a free port.
    pub(crate) fn start() -> Result<Self, Error> {
        let temp_dir = std::env::temp_dir();
        let directory = tempfile::Builder::new()
            .prefix("segue-demo-")
            .tempdir()
            .map_err(|source| Error::Io { action: "create a directory in", path: temp_dir, source })?;
        let root = directory.path();
        let modules = modules_dir(root);
        create_dir(&modules)?;
        for module in embedded::greeter() {
            create_dir(&file(root, module).with_file_name(""))?;
            write(&file(root, module), module.bytes)?;
        }
        let [first, _] = embedded::greeter();
        write(&modules.join(first.file_name), first.bytes)?;

        let executor = runtime::Builder::new_multi_thread()
            .thread_name("segue-reactor")
            .enable_all()
            .build()
            .map_err(|source| Error::AsyncRuntime { source })?;
        let runtime = Runtime::builder().modules_dir(&modules).state_dir(root.join("state")).build()?;
        check_loaded(&runtime)?;
        let control_path = root.join("segue.sock");
        let socket = Socket::bind(&control_path)?;
        let server = executor.block_on(Server::builder(runtime.clone()).bind("127.0.0.1:0"))?;
        let address = server.local_addr();
        let (stop, stopped) = watch::channel(false);
        let stopped = || {
            let mut stopped = stopped.clone();
            // Also completes if the sender is dropped.
            async move { drop(stopped.wait_for(|stop| *stop).await) }
        };
        let control_socket =
            executor.spawn(segue_control::serve(runtime.clone(), socket, Limits::default(), stopped()));
        let http = executor.spawn(server.run(stopped()));
        let is_interrupted = Arc::new(AtomicBool::new(false));
        executor.spawn(watch_signals(is_interrupted.clone()));
        let control = Client::new(control_path);
        Ok(DemoServer {
            runtime,
            address,
            control,
            executor,
            stop,
            http,
            control_socket,
            is_interrupted,
            directory,
        })
    }

    /// The current version.
    pub(crate) fn current(&self) -> Result<VersionId, Error> {
        let no_current = || segue::Error::NoCurrent { name: MODULE.to_owned() };
        let current = self.runtime.status(MODULE)?.current.ok_or_else(no_current)?;
        Ok(VersionId { version: current.version, generation: current.generation })
    }

    /// The file of a version, outside the modules directory.
    pub(crate) fn file(&self, module: &EmbeddedModule) -> PathBuf {
        file(self.directory.path(), module)
    }

    /// The modules directory.
    pub(crate) fn modules_dir(&self) -> PathBuf {
        modules_dir(self.directory.path())
    }

    /// Waits for a command of the control client.
    pub(crate) fn command<T, E: Into<Error>>(
        &self,
        command: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        self.executor.block_on(command).map_err(Into::into)
    }

    /// Waits this long, or until an interrupt.
    pub(crate) fn pause(&self, pause: Duration) -> Result<(), Error> {
        let until = Instant::now() + pause;
        loop {
            self.check_interrupt()?;
            match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return Ok(()),
                left => thread::sleep(left.min(PAUSE_STEP)),
            }
        }
    }

    /// Fails if SIGINT or SIGTERM has come.
    pub(crate) fn check_interrupt(&self) -> Result<(), Error> {
        if self.is_interrupted.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Waits until the old version is unloaded. A timeout is not an error: the report shows the image.
    pub(crate) fn purge(&self, deadline: Duration) -> Result<(), Error> {
        self.runtime.purge(MODULE, deadline)?;
        Ok(())
    }

    /// Stops all parts cleanly, and removes the directory.
    pub(crate) fn stop(self) -> Result<(), Error> {
        let DemoServer { runtime, executor, stop, http, control_socket, directory, .. } = self;
        stop.send_replace(true);
        let (http, control_socket) = executor.block_on(async { (http.await, control_socket.await) });
        let shut_down = runtime.shutdown(SHUTDOWN);
        let path = directory.path().to_owned();
        let removed = directory.close();
        http.map_err(|_| Error::Panicked { part: "the HTTP server" })??;
        control_socket.map_err(|_| Error::Panicked { part: "the control socket" })??;
        shut_down?;
        removed.map_err(|source| Error::Io { action: "remove", path, source })
    }
}

/// Sets the flag at SIGINT or SIGTERM. If the handler of SIGTERM cannot be installed, the default actions of
/// both signals end the process, and the directory stays.
async fn watch_signals(is_interrupted: Arc<AtomicBool>) {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    is_interrupted.store(true, Ordering::Relaxed);
}

/// Fails if the first version was refused: the start of a runtime reports a refused file only as an event.
fn check_loaded(runtime: &Runtime) -> Result<(), Error> {
    let refused = runtime.events().recent(0).into_iter().find_map(|record| match record.event {
        Event::Refused { error, .. } => Some(Error::Refused { error: Box::new(error) }),
        _ => None,
    });
    refused.map_or(Ok(()), Err)
}

/// Writes a file. It is not atomic: the watcher may read half of it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|source| Error::Io { action: "write", path: path.to_owned(), source })
}

fn create_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Io { action: "create", path: path.to_owned(), source })
}

fn modules_dir(root: &Path) -> PathBuf {
    root.join("modules")
}

fn file(root: &Path, module: &EmbeddedModule) -> PathBuf {
    root.join(module.version).join(module.file_name)
}
