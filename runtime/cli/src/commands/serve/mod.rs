//! `segue serve`: runs the application server and its control socket.

mod signals;

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use segue::{ModuleStatus, Runtime};
use segue_control::{Limits, Socket};
use segue_serve::{Config, Server};
use serde::Serialize;
use tokio::{sync::oneshot, task};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use self::signals::Signals;
use crate::{
    context::Context,
    error::Error,
    exit_code::ExitCode,
    settings::{ConfigError, ConfigFile, Options, Settings},
    text::clean,
    view::version::name,
};

/// How long the shutdown of the runtime may take: its last calls, and the threads of the modules.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);

/// The same if the server has cut requests: their calls have had their time.
const SHUTDOWN_DEADLINE_AFTER_CUT: Duration = Duration::from_secs(1);

/// How long leftover threads may delay the end of the process.
const EXECUTOR_SHUTDOWN: Duration = Duration::from_millis(100);

/// Serve modules over HTTP
///
/// GET /greeter/x goes to the module greeter, which gets the path /x. The files in the modules directory are
/// loaded at the start, and files that you add or replace later are loaded then. A refused file is logged,
/// recorded as an event, and changes nothing.
///
/// SIGTERM, SIGINT or SIGQUIT stops the server cleanly: it answers the requests that are inside first. A
/// second such signal stops it at once. SIGHUP, SIGUSR1 and SIGUSR2 are ignored.
///
/// The runtime reads the modules directory, and never writes or creates it. The log goes to standard error;
/// RUST_LOG sets its level.
///
/// Exits with 0 after a clean stop. Exits with 2 if the configuration is invalid, with 3 if another runtime
/// uses the address, the socket or the state directory, and with 5 if requests are still inside when the time
/// of --drain is over.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Serve {
    #[command(flatten)]
    options: Options,
    /// A TOML file with the same names (modules, listen, control, state, route, workers, queue, body_max,
    /// view, drain); options override it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

const EXAMPLES: &str = r#"Examples:
  segue serve --modules modules --listen 127.0.0.1:8080
  segue serve --config segue.toml

A configuration file; its paths are relative to its own directory:
  modules = "modules"
  listen = "0.0.0.0:8080"
  control = "/run/segue/segue.sock"
  state = "/var/lib/segue"
  route = ["/=site", "/api/v1=pricing"]
  workers = 32
  queue = 512
  body_max = 65536
  view = "snapshot"
  drain = "1m""#;

/// Printed when the server is ready.
#[derive(Serialize)]
struct Ready<'a> {
    /// The address, with the actual port.
    listening: String,
    /// The control socket.
    control: &'a Path,
    #[serde(skip)]
    modules: Vec<ModuleStatus>,
    #[serde(skip)]
    modules_dir: &'a Path,
}

// === impl Serve ===

impl Serve {
    pub(crate) fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let file = match &self.config {
            Some(path) => ConfigFile::read(path)?,
            None => ConfigFile::default(),
        };
        let settings = Settings::resolve(&self.options, context.named_control_path(), file)?;
        log_to_stderr()?;
        let executor = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::AsyncRuntime { source })?;
        let served = executor.block_on(serve(settings, context));
        // A call that never returns has its own thread, and must not keep the process alive.
        executor.shutdown_timeout(EXECUTOR_SHUTDOWN);
        served.map(|()| ExitCode::Done)
    }
}

/// Serves until a signal arrives.
///
/// It binds the addresses first: if that fails, no module is loaded. Clients that connect before the modules
/// are loaded wait.
async fn serve(settings: Settings, context: &Context) -> Result<(), Error> {
    let mut signals = Signals::listen().map_err(|source| Error::AsyncRuntime { source })?;
    let listener = tokio::net::TcpListener::bind(&settings.listen)
        .await
        .map_err(|source| segue_serve::Error::Listen { address: settings.listen.clone(), source })?;
    let socket = Socket::bind(&settings.control)?;

    let (modules_dir, state_dir) = (settings.modules.clone(), settings.state.clone());
    let build = move || Runtime::builder().modules_dir(modules_dir).state_dir(state_dir).build();
    let runtime = blocking(build).await??;
    let config = limits(&settings);
    let server =
        Server::builder(runtime.clone()).config(config).routes(settings.routes.clone()).listener(listener)?;

    let (stop_control, control_stopped) = oneshot::channel::<()>();
    let stopped = async { drop(control_stopped.await) };
    let mut control = tokio::spawn(segue_control::serve(runtime.clone(), socket, Limits::default(), stopped));
    print_ready(&settings, &server, &runtime, context);

    let served = server
        .run(async {
            tokio::select! {
                () = signals.first() => tracing::info!("stopping: answering the requests that are inside"),
                _ = &mut control => tracing::error!("stopping: the control socket has failed"),
            }
            signals.exit_at_next();
        })
        .await;
    // The control socket answers until here, so `segue status` shows what the stop waits for.
    drop(stop_control);
    let controlled = if control.is_finished() { Ok(Ok(())) } else { control.await };
    let deadline = if served.is_ok() { SHUTDOWN_DEADLINE } else { SHUTDOWN_DEADLINE_AFTER_CUT };
    let shut_down = blocking(move || runtime.shutdown(deadline)).await?;
    served?;
    controlled.map_err(|source| Error::Panicked { source })??;
    Ok(shut_down?)
}

/// The server's defaults, with the settings that are given.
fn limits(settings: &Settings) -> Config {
    let defaults = Config::default();
    // A value that exceeds usize is no limit.
    let size = |value: Option<u32>, default| {
        value.map_or(default, |value| usize::try_from(value).unwrap_or(usize::MAX))
    };
    Config {
        worker_threads: settings.workers.map_or(defaults.worker_threads, usize::from),
        queue_length_max: size(settings.queue, defaults.queue_length_max),
        body_bytes_max: size(settings.body_max, defaults.body_bytes_max),
        view: settings.view.unwrap_or(defaults.view),
        drain_deadline: settings.drain.unwrap_or(defaults.drain_deadline),
        ..defaults
    }
}

/// Prints the addresses. The server runs even if this fails.
fn print_ready(settings: &Settings, server: &Server, runtime: &Runtime, context: &Context) {
    let ready = Ready {
        listening: server.local_addr().to_string(),
        control: &settings.control,
        modules: runtime.modules(),
        modules_dir: &settings.modules,
    };
    if let Err(error) = context.format.print(&ready, render) {
        tracing::warn!("{error}");
    }
}

fn render(ready: &Ready<'_>) -> String {
    let mut text = format!("serving on http://{}\n", ready.listening);
    text.push_str(&format!("control socket {}\n", clean(&ready.control.to_string_lossy())));
    for module in &ready.modules {
        let version = module.current.as_ref().map_or(String::new(), |current| {
            format!(" {}, from {}", name(&current.version, current.generation), clean(&current.source))
        });
        text.push_str(&format!("module {}{version}\n", clean(&module.name)));
    }
    if ready.modules.is_empty() {
        let directory = ready.modules_dir.to_string_lossy();
        text.push_str(&format!(
            "no modules yet: put a .so file into {}, or `segue load` one\n",
            clean(&directory)
        ));
    }
    text
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    task::spawn_blocking(work).await.map_err(|source| Error::Panicked { source })
}

/// Sends the log of this process and its modules to standard error. A line that cannot be written, because
/// the reader is gone or the disk is full, is lost: a log must not fail what it reports.
fn log_to_stderr() -> Result<(), Error> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env()
        .map_err(|error| ConfigError::Log { reason: error.to_string() })?;
    // If the process already has a subscriber, as in a test, that one stays.
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            // It would print the failure with `eprintln!`, which panics if standard error cannot be written.
            .log_internal_errors(false)
            .try_init(),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::module;

    fn ready(modules: Vec<ModuleStatus>) -> Ready<'static> {
        Ready {
            listening: "127.0.0.1:41234".to_owned(),
            control: Path::new("./segue.sock"),
            modules,
            modules_dir: Path::new("modules"),
        }
    }

    #[test]
    fn the_json_has_both_addresses() {
        let json = serde_json::to_string(&ready(vec![module()])).unwrap();
        assert_eq!(json, r#"{"listening":"127.0.0.1:41234","control":"./segue.sock"}"#);
    }

    #[test]
    fn the_text_has_the_addresses_and_the_modules() {
        let expected = "\
serving on http://127.0.0.1:41234
control socket ./segue.sock
module greeter 1.1.0+g2, from /srv/modules/libgreeter.so
";
        assert_eq!(render(&ready(vec![module()])), expected);
        assert!(render(&ready(Vec::new())).contains("no modules yet: put a .so file into modules"));
    }
}
