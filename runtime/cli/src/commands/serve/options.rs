//! The options of `segue serve`.

use std::path::PathBuf;

use clap::Args;
use segue_serve::{Route, View};

/// Serve modules over HTTP
///
/// A request for /greeter/x goes to the module greeter, which sees the path /x. `segue serve` loads every .so
/// file in the modules directory at the start, and every file that you put there later. If it refuses a file,
/// it logs the reason, records an event, and changes nothing. It reads the modules directory, and never
/// writes to it or creates it.
///
/// SIGTERM or SIGINT stops the server: it answers the requests that it has, unloads the modules and exits
/// with 0. It exits with 5 if requests are still in progress after 30 s. A second signal ends the process at
/// once, with exit code 1.
///
/// The log goes to standard error. RUST_LOG sets how much is logged, for example RUST_LOG=warn,segue=debug
/// [default: info].
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Serve {
    /// Directory of the modules to serve, one .so file each [default: modules]
    #[arg(long, value_name = "DIR")]
    pub(super) modules: Option<PathBuf>,
    /// Address to listen on; port 0 picks a free port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
    /// Directory for the runtime's own files; only one runtime at a time can use it [default: state]
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
    /// Send all paths under a prefix to a module; repeat it for more routes
    #[arg(long = "route", value_name = "PREFIX=MODULE")]
    pub(super) routes: Vec<Route>,
    /// Threads that call modules, and so the most requests handled at once [default: 4 per processor, at
    /// least 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) workers: Option<u16>,
    /// Requests that can wait for a thread; if the queue is full, the answer is 503 [default: 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) queue: Option<u32>,
    /// Longest request body, in bytes; the answer to a longer one is 413 [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    pub(super) body_max: Option<u32>,
    /// Versions that a request sees when its module calls other modules: `current` is the current version at
    /// each call; `snapshot` is every module as it was when the request started, which takes slightly longer
    /// and keeps old versions in memory until the request ends [default: current]
    #[arg(long, value_name = "current|snapshot")]
    pub(super) view: Option<View>,
    /// TOML file with these settings: modules, listen, control, state, route, workers, queue, body_max, view.
    /// Options on the command line override it
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

const EXAMPLES: &str = r#"Examples:
  segue serve --modules modules --listen 127.0.0.1:8080
  segue serve --config segue.toml

A configuration file; relative paths start at the directory of the file:
  modules = "modules"
  listen = "0.0.0.0:8080"
  control = "/run/segue/segue.sock"
  state = "/var/lib/segue"
  route = ["/=site", "/api/v1=pricing"]
  workers = 32
  queue = 512
  body_max = 65536
  view = "snapshot""#;
