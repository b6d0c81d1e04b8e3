//! The interface for authors: the trait, the host, a call, handles to other modules, and thread pools.
//! Put a line here if it is, or implements, a name that a module's author writes.
//! This room must never use `export` or `testing`.

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
