//! `segue serve`: runs the application server and its control socket.

mod config;
mod signals;

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use segue::{ModuleStatus, Runtime};
use segue_control::{Limits, Socket};
use segue_serve::{Config, Route, Server, View};
use serde::Serialize;
use tokio::{sync::oneshot, task};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use self::{
    config::{File, Settings},
    signals::Signals,
};
use crate::{Context, Error, ExitCode, context, text::clean};

pub use config::ConfigError;

/// How long the last calls, and the modules' threads, have to end after the server has answered everything.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);

/// How long threads that are left behind may keep the process, when all else has ended.
const REACTOR_PATIENCE: Duration = Duration::from_millis(100);

/// Serve modules over HTTP
///
/// GET /greeter/x goes to the module greeter, which sees /x. What lies in the modules directory is loaded at the start,
/// and whatever is put there later is loaded then; a file that is refused is logged, told as an event, and changes
/// nothing. SIGTERM or SIGINT ends it in good order: what is inside is answered first. A second signal ends it at once.
///
/// The modules directory belongs to you: it is read, never written and never made. The log goes to standard error;
/// RUST_LOG says how much of it.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Serve {
    /// The directory whose .so files are served [default: modules]
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Where to listen; port 0 takes any that is free [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The runtime's own directory, for one runtime at a time [default: state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// A module that gets all paths under a prefix; may be given several times
    #[arg(long = "route", value_name = "PREFIX=MODULE")]
    routes: Vec<Route>,
    /// The threads that call modules: how many requests are inside at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Requests that may wait for a thread; where they do, the next one is answered 503 [default: 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    queue: Option<u32>,
    /// The longest body of a request, in bytes; a longer one is answered 413 [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    body_max: Option<u32>,
    /// What a request sees of the modules that its module calls: what is current at each call, or all of them as they were when it
    /// was begun, which takes a little longer and keeps old versions for as long as the request [default: current]
    #[arg(long, value_name = "current|snapshot")]
    view: Option<View>,
    /// A TOML file with the same names (modules, listen, control, state, route, workers, queue, body_max, view); options go
    /// before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

const EXAMPLES: &str = r#"Examples:
  segue serve --modules modules --listen 127.0.0.1:8080
  segue serve --config segue.toml

A configuration; paths in it begin at its own directory:
  modules = "modules"
  listen = "0.0.0.0:8080"
  control = "/run/segue/segue.sock"
  state = "/var/lib/segue"
  route = ["/=site", "/api/v1=pricing"]
  workers = 32
  queue = 512
  body_max = 65536
  view = "snapshot""#;

/// What is printed when it serves.
#[derive(Serialize)]
struct Ready<'a> {
    /// The address with the port that was taken.
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
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        let named_control = context.control.clone().or_else(context::named_control_path);
        let settings = Settings::resolve(self, named_control, file)?;
        log_to_stderr()?;
        let executor = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::Reactor { source })?;
        let served = executor.block_on(serve(settings, context));
        // A call that never returns has a thread of its own, and may not keep the process.
        executor.shutdown_timeout(REACTOR_PATIENCE);
        served.map(|()| ExitCode::Done)
    }
}

/// Serves until a signal comes.
///
/// The addresses first: where one is taken, no module is touched. Clients that come before the modules are loaded wait.
async fn serve(settings: Settings, context: &Context) -> Result<(), Error> {
    let mut signals = Signals::listen().map_err(|source| Error::Reactor { source })?;
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
    tell_ready(&settings, &server, &runtime, context);

    let served = server
        .run(async {
            tokio::select! {
                () = signals.first() => tracing::info!("ending: what is inside is answered first"),
                _ = &mut control => tracing::error!("ending: the control socket is not served any more"),
            }
            signals.end_at_the_next();
        })
        .await;
    // The control socket answers until here, so that one can look at what the end waits for.
    drop(stop_control);
    let controlled = if control.is_finished() { Ok(Ok(())) } else { control.await };
    let shut_down = blocking(move || runtime.shutdown(SHUTDOWN_DEADLINE)).await?;
    served?;
    controlled.map_err(|source| Error::Broken { source })??;
    Ok(shut_down?)
}

/// The server's own limits, but for those that were set.
fn limits(settings: &Settings) -> Config {
    let defaults = Config::default();
    // Where a usize is smaller than what was set, all of it is no limit at all.
    let size =
        |set: Option<u32>, default| set.map_or(default, |set| usize::try_from(set).unwrap_or(usize::MAX));
    Config {
        worker_threads: settings.workers.map_or(defaults.worker_threads, usize::from),
        queue_length_max: size(settings.queue, defaults.queue_length_max),
        body_bytes_max: size(settings.body_max, defaults.body_bytes_max),
        view: settings.view.unwrap_or(defaults.view),
        ..defaults
    }
}

/// Says where it serves. Whether anybody reads that is no reason not to serve.
fn tell_ready(settings: &Settings, server: &Server, runtime: &Runtime, context: &Context) {
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
            format!(" {}+g{}, from {}", clean(&current.version), current.generation, clean(&current.source))
        });
        text.push_str(&format!("module {}{version}\n", clean(&module.name)));
    }
    if ready.modules.is_empty() {
        let directory = ready.modules_dir.to_string_lossy();
        text.push_str(&format!(
            "no modules yet: put a .so file into {}, or `segue load` it\n",
            clean(&directory)
        ));
    }
    text
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    task::spawn_blocking(work).await.map_err(|source| Error::Broken { source })
}

/// The log of this process, and of the modules in it.
fn log_to_stderr() -> Result<(), Error> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env()
        .map_err(|error| ConfigError::Log { reason: error.to_string() })?;
    // Where this process has a subscriber already, as a test has, it stays.
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(modules: Vec<ModuleStatus>) -> Ready<'static> {
        Ready {
            listening: "127.0.0.1:41234".to_owned(),
            control: Path::new("./segue.sock"),
            modules,
            modules_dir: Path::new("modules"),
        }
    }

    #[test]
    fn a_script_reads_where_it_serves() {
        let json = serde_json::to_string(&ready(vec![crate::commands::tests::module()])).unwrap();
        assert_eq!(json, r#"{"listening":"127.0.0.1:41234","control":"./segue.sock"}"#);
    }

    #[test]
    fn a_person_reads_what_is_served() {
        let expected = "\
serving on http://127.0.0.1:41234
control socket ./segue.sock
module greeter 1.1.0+g2, from /srv/modules/libgreeter.so
";
        assert_eq!(render(&ready(vec![crate::commands::tests::module()])), expected);
        assert!(render(&ready(Vec::new())).contains("no modules yet: put a .so file into modules"));
    }
}
