//! The control socket of segue: how a running runtime is asked and told, from outside its process.
//!
//! It is a unix socket of mode 0600 that speaks HTTP/1.1 with JSON, so `curl --unix-socket` is a client. The fields, the
//! error object and their meaning are those of the command's `--json`.
//!
//! ```no_run
//! use segue::Runtime;
//! use segue_control::{Client, Limits, Socket, serve};
//!
//! # async fn example(runtime: Runtime) -> Result<(), Box<dyn std::error::Error>> {
//! // In the process that serves:
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
//! * [`Socket`]: the file, bound by this process and by no other; it is gone when this is dropped.
//! * [`serve`]: answers on it until its shutdown future is ready. Nothing in here decides anything: each request is one
//!   call of the [`Runtime`](segue::Runtime), which blocks, and therefore runs beside the reactor.
//! * [`Limits`]: what one client may cost.
//! * [`Client`]: a typed method for each request. A command that was sent twice, since the connection broke, is done once.
//! * [`api`]: the types that both sides write and read.
//! * [`OPENAPI`]: the description that `GET /openapi.json` answers; a test holds it against the routes and the types.
//!
//! # What is not here
//!
//! Who may connect is the file's mode, and nothing else: whoever may open the socket may do everything, and the ledger has who it
//! was, as the kernel told when it connected. There is no TCP.

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
