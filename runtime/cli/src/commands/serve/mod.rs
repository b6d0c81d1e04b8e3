//! `segue serve`: runs the application server and the control socket.

mod config;
mod options;
mod signals;

use std::{io::IsTerminal, path::Path, time::Duration};

use segue::{ModuleStatus, Runtime};
use segue_control::{Limits, Socket};
use segue_serve::{Config, Server};
use serde::Serialize;
use tokio::{sync::oneshot, task};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use self::{
    config::{ConfigFile, Settings},
    signals::Signals,
};
use crate::{Context, Error, ExitCode, context, text::clean};

pub use config::ConfigError;
pub use options::Serve;

/// How long the runtime may take to shut down after the server has answered all requests. The last calls and
/// the modules' threads end in this time.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);

/// How long blocking threads of the async runtime may delay the exit of the process after everything else has
/// stopped.
const EXECUTOR_TIMEOUT: Duration = Duration::from_millis(100);

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
        let named_control = context.control.clone().or_else(context::named_control_path);
        let settings = Settings::resolve(self, named_control, file)?;
        log_to_stderr()?;
        let executor = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::AsyncRuntime { source })?;
        let served = executor.block_on(serve(settings, context));
        // A call that never returns occupies a thread of its own, and must not delay the exit.
        executor.shutdown_timeout(EXECUTOR_TIMEOUT);
        served.map(|()| ExitCode::Done)
    }
}

/// Serves until a signal arrives.
///
/// It binds both addresses first, so no module is loaded if one of them is taken. Clients that connect before
/// the modules are loaded wait.
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
                () = signals.next() => tracing::info!("stopping: requests in progress are answered first"),
                _ = &mut control => tracing::error!("stopping: the control socket has failed"),
            }
            signals.exit_on_next();
        })
        .await;
    // The control socket answers until here, so an operator can see what the shutdown waits for.
    drop(stop_control);
    let controlled = if control.is_finished() { Ok(Ok(())) } else { control.await };
    let shut_down = blocking(move || runtime.shutdown(SHUTDOWN_DEADLINE)).await?;
    served?;
    controlled.map_err(|source| Error::Panicked { source })??;
    Ok(shut_down?)
}

/// The server's default limits, with those that were set.
fn limits(settings: &Settings) -> Config {
    let defaults = Config::default();
    // A value that a usize cannot hold is larger than any request.
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

/// Prints the addresses and the modules. The server runs even if nobody reads standard output.
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
            format!(" {}+g{}, from {}", clean(&current.version), current.generation, clean(&current.source))
        });
        text.push_str(&format!("module {}{version}\n", clean(&module.name)));
    }
    if ready.modules.is_empty() {
        let directory = ready.modules_dir.to_string_lossy();
        text.push_str(&format!(
            "no modules yet: put a .so file into {}, or run `segue load FILE`\n",
            clean(&directory)
        ));
    }
    text
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    task::spawn_blocking(work).await.map_err(|source| Error::Panicked { source })
}

/// Writes the log of this process and its modules to standard error.
fn log_to_stderr() -> Result<(), Error> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env()
        .map_err(|error| ConfigError::Log { reason: error.to_string() })?;
    // A subscriber that is already set stays, for example in a test.
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
    fn the_json_has_both_addresses() {
        let json = serde_json::to_string(&ready(vec![crate::commands::tests::module()])).unwrap();
        assert_eq!(json, r#"{"listening":"127.0.0.1:41234","control":"./segue.sock"}"#);
    }

    #[test]
    fn the_text_lists_addresses_and_modules() {
        let expected = "\
serving on http://127.0.0.1:41234
control socket ./segue.sock
module greeter 1.1.0+g2, from /srv/modules/libgreeter.so
";
        assert_eq!(render(&ready(vec![crate::commands::tests::module()])), expected);
        assert!(render(&ready(Vec::new())).contains("no modules yet: put a .so file into modules"));
    }
}
