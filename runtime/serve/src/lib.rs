//! The application server of segue: HTTP/1.1 and HTTP/2 in front of modules.
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = segue::Runtime::builder().modules_dir("modules").state_dir("state").build()?;
//! let server = segue_serve::Server::builder(runtime)
//!     .route("/api/v1=pricing".parse()?)
//!     .bind("127.0.0.1:8080")
//!     .await?;
//! println!("serving on http://{}", server.local_addr());
//! # let stop_asked = std::future::ready(());
//! server.run(stop_asked).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a client sees
//!
//! * `GET /greeter/x?y` asks module `greeter` for `/x?y`; a [`Route`] gives a module another place.
//! * What a module answers carries `x-segue-module` and `x-segue-version: <version>+g<generation>`, also where it fails.
//! * A fault or a panic is a 500 without details; its text is in the log only.
//! * 404: no such module, or none that can be called. 503 with `retry-after`: the queue is full. 414, 431, 413: the
//!   target, the headers or the body are past a limit of [`Config`]. 408: the body took too long.
//! * A release is not seen at all: no connection belongs to a version, and nothing in here knows of releases.
//!
//! # How it works
//!
//! The reactor reads a request as a whole, finds the module's handle, and puts both into a bounded queue. A pool of host
//! threads takes them out and makes the calls, so a module may block, and a slow one never stalls a connection that is
//! not its own. The answer goes back to the connection over a channel of its own.
//!
//! The pool's threads are residents of the runtime (see [`segue::RegisteredThread`]): beside the queue they look at their inbox,
//! where a purge asks them to destroy what an old version left in their thread-locals.
//!
//! # Where it ends
//!
//! * Requests and answers are held whole, in memory: there is no streaming. [`Config`] says what that can cost.
//! * A module cannot upgrade a connection: no WebSocket.
//! * No TLS: put it behind a proxy that does it.
//! * A path is handed on as it came: percent-escapes and dots are the module's business.
//!
//! # Crate contents
//!
//! [`Server`] and its [`Builder`] run it, [`Config`] has the limits, [`Route`] says which module a path belongs to,
//! [`Stats`] counts, [`Error`] is what can go wrong. Inside, `connection` is one connection, `stream` its bytes, `handler`
//! one request on the reactor, `pool` the threads that call, `response` what a module's reply becomes on the wire.

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
