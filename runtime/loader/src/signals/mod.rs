//! Signal handlers of modules: unmapping their code ends the process at the next such signal.
//!
//! Crates that chain handlers (signal-hook-registry, and so `tokio::signal` and ctrlc) save the previous
//! handler and call it from their own. The previous handler may be code of an older version, which leaves
//! memory while the newer one still calls it. So a module's `sigaction` leads here ([`act`]). The kernel gets
//! one handler of the runtime's for each signal ([`dispatch`]), which calls the handlers of all images in
//! memory and that of the host. A module never learns the address of another image's handler, and cannot take
//! a signal away from the host. When an image goes, its handlers go ([`remove`]).

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
