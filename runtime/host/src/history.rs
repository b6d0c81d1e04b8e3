//! What has happened, out of the ledger.

use crate::{Error, Record, Runtime};

impl Runtime {
    /// The last events of a module, or of all, in the order in which they happened; also of the runtimes before this one that had
    /// its state directory.
    ///
    /// # Errors
    ///
    /// Where the ledger cannot be read.
    pub fn history(&self, module: Option<&str>, count_max: usize) -> Result<Vec<Record>, Error> {
        self.shared.events.look_up(|ledger| ledger.last_events(module, count_max))
    }
}
