//! What the author of a module writes against: the trait, the host, a call, other modules, and pools of threads.
//! A line belongs here if a module's author types its name.
//! It must never use `export` or `testing`.

pub(crate) mod answer;
mod failure;
pub(crate) mod host;
pub(crate) mod link;
pub(crate) mod module;
pub(crate) mod pools;
pub(crate) mod reply;
pub(crate) mod request;

pub use answer::Answer;
pub use host::Host;
pub use link::{InterfaceHandle, ModuleHandle};
pub use module::Module;
#[cfg(feature = "rayon")]
pub use pools::Pool;
pub use reply::Reply;
pub use request::Request;
