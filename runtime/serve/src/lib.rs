//! The application server of segue: serves modules over HTTP/1.1 and HTTP/2.
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = segue::Runtime::builder().modules_dir("modules").state_dir("state").build()?;
//! let server = segue_serve::Server::builder(runtime)
//!     .route("/api/v1=pricing".parse()?)
//!     .bind("127.0.0.1:8080")
//!     .await?;
//! println!("serving on http://{}", server.local_addr());
//! # let shutdown = std::future::ready(());
//! server.run(shutdown).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a client sees
//!
//! * `GET /greeter/x?y` calls module `greeter` with `/x?y`. A [`Route`] maps other paths to a module.
//! * Each response of a module names it in `x-segue-module`, and its version as `<version>+g<generation>` in
//!   `x-segue-version`. This includes responses to failed calls.
//! * A fault or a panic of a module is a 500 without details. The details are only in the log.
//! * 404: no such module, or it has no current version. 503 with `retry-after`: the queue is full. 413, 414,
//!   431: the body, the target or the headers exceed a limit of [`Config`]. 408: the body took too long.
//! * Releases are invisible: connections do not belong to a version, and the server does not know of
//!   releases.
//!
//! # How it works
//!
//! The reactor reads a complete request, finds the module's handle, and puts both into a bounded queue. A
//! pool of threads takes jobs from the queue and makes the calls. A module may therefore block, and a slow
//! module does not stall connections of others. Each response returns to its connection over its own channel.
//!
//! The pool's threads are registered with the runtime (see [`segue::RegisteredThread`]). Besides the queue
//! they read an inbox, in which a purge puts tasks that destroy the old version's thread-locals on that
//! thread.
//!
//! # Limitations
//!
//! * Requests and responses are held in memory; there is no streaming. [`Config`] documents the memory use.
//! * A module cannot upgrade a connection, so there are no WebSockets.
//! * There is no TLS. Put the server behind a TLS proxy.
//! * Paths are passed on unchanged: modules must handle percent escapes and dot segments.
//!
//! # Crate contents
//!
//! [`Builder`] configures a [`Server`] and [`Config`] has its limits. [`Route`] maps paths to modules,
//! [`Stats`] counts, and [`Error`] is the error type. Internally, `connection` serves one connection,
//! `stream` handles its bytes, `handler` handles one request on the reactor, `pool` has the threads that call
//! modules, and `response` builds HTTP responses.

#![forbid(unsafe_code)]

mod config;
mod connection;
mod error;
mod handler;
mod pool;
mod response;
mod route;
mod server;
mod stats;
mod stream;
#[cfg(test)]
mod tests;

pub use config::{Config, ParseViewError, View};
pub use error::Error;
pub use route::{ParseRouteError, Route};
pub use server::{Builder, Server};
pub use stats::{Figures, Stats};
