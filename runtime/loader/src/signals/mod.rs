//! Signal handlers of modules. A handler whose code is unmapped would end the process at the next signal.
//! A line belongs here if it sets, calls or removes a signal handler of a module.
//! Never use `threads` or a room above it.
//!
//! Crates that chain handlers (signal-hook-registry, and so `tokio::signal` and ctrlc) save the previous
//! handler and call it from their own. The previous handler may be code of an older version, which is
//! unloaded while the newer version still calls it. So a module's `sigaction` is redirected to
//! [`set_action`](sigaction::set_action). The kernel gets one handler of the runtime for each signal
//! ([`dispatch`]). It calls the handlers of all images and the handler of the host. A module never sees the
//! address of another image's handler, and cannot take a signal from the host. When an image is unmapped, its
//! handlers are removed ([`remove_handlers`](sigaction::remove_handlers)).

pub(crate) mod actions;
pub(crate) mod dispatch;
pub(crate) mod fork;
pub(crate) mod handlers;
pub(crate) mod host;
pub(crate) mod image_id;
pub(crate) mod kernel;
pub(crate) mod lock;
pub(crate) mod name;
pub(crate) mod sigaction;
pub(crate) mod wake;

#[cfg(test)]
mod tests;
