//! The control socket of segue: other processes query and control a running runtime through it.
//!
//! It is a unix socket of mode 0600 that speaks HTTP/1.1 with JSON, so `curl --unix-socket` works as a
//! client. Fields and error objects are those of the command line's `--json` output.
//!
//! ```no_run
//! use segue::Runtime;
//! use segue_control::{Client, Limits, Socket, serve};
//!
//! # async fn example(runtime: Runtime) -> Result<(), Box<dyn std::error::Error>> {
//! // In the process that embeds the runtime:
//! let socket = Socket::bind("/run/user/1000/segue.sock")?;
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let server = tokio::spawn(serve(runtime, socket, Limits::default(), async { drop(stopped.await) }));
//!
//! // In any other process of the same user:
//! let client = Client::new("/run/user/1000/segue.sock");
//! for module in client.modules().await? {
//!     println!("{}: {:?}", module.name, module.current.map(|current| current.version));
//! }
//!
//! drop(stop);
//! server.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # Concepts
//!
//! * [`Socket`]: the socket file, bound by this process only. Dropping it removes the file.
//! * [`serve`]: answers requests until its shutdown future is ready. It makes no decisions: each request is
//!   one call of the [`Runtime`](segue::Runtime). Such a call can block, so it runs outside the reactor.
//! * [`Limits`]: the resources that clients may use.
//! * [`Client`]: one typed method per request. If the connection breaks, it sends a command again under the
//!   same idempotency key, so the command still runs once.
//! * [`api`]: the types that client and server share.
//! * [`OPENAPI`]: the description that `GET /openapi.json` returns. Tests compare it with the routes and the
//!   types.
//!
//! # Access control
//!
//! The mode of the socket file is the only access control: a process that can open the socket can do
//! everything. The ledger records the user and process ids of each client, as the kernel reported them when
//! it connected. There is no TCP listener.

#![forbid(unsafe_code)]

pub mod api;
mod client;
mod limits;
mod server;
mod socket;

pub use client::{Client, ClientError, EventStream, Extent};
pub use limits::Limits;
pub use server::{OPENAPI, ServeError, serve};
pub use socket::{BindError, Socket};
