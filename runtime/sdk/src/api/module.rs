//! The trait that a module's author implements.

use segue_interface::Fault;

use crate::api::{host::Host, reply::Reply, request::Request};

/// A module's logic. Each load makes one value, which then answers calls on many threads at once.
///
/// The [crate documentation](crate) has a complete module.
pub trait Module: Sized + Send + Sync + 'static {
    /// Makes the value that answers calls. No call reaches this version before this returns; until then, the
    /// previous version keeps answering.
    ///
    /// Acquire everything here that this version needs.
    ///
    /// # Errors
    ///
    /// A [`Fault`] or a panic refuses the load: this version is unloaded, and the previous one stays current.
    fn on_load(host: &Host) -> Result<Self, Fault>;

    /// Answers one call.
    ///
    /// A call ends in the version in which it started, even if another version is loaded in the meantime.
    ///
    /// # Errors
    ///
    /// A [`Fault`] or a panic fails this call only: the client gets status 500, and the host logs the text.
    fn handle(&self, request: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault>;
}
