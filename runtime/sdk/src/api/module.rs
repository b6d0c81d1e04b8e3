//! The trait that a module's author implements.

use segue_interface::Fault;

use crate::api::{host::Host, reply::Reply, request::Request};

/// A module's logic: a value that each load makes anew, and that answers calls on many threads at once.
///
/// See the [crate's documentation](crate) for a whole module.
pub trait Module: Sized + Send + Sync + 'static {
    /// Makes the value that will answer, before any call can reach this version.
    ///
    /// Whatever this version needs, it gets here. Until it returns, the version before it goes on answering.
    ///
    /// # Errors
    ///
    /// A [`Fault`] (or a panic) is a veto: this version is taken down again and the one before it stays.
    fn on_load(host: &Host) -> Result<Self, Fault>;

    /// Answers one call.
    ///
    /// A call that began in this version also ends in it, whatever is loaded in the meantime.
    ///
    /// # Errors
    ///
    /// A [`Fault`] (or a panic) fails this call alone: a client sees status 500, and the text goes to the host's log.
    fn handle(&self, request: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault>;
}
