//! The methods of [`Runtime`] that only read.

use segue_loader::{keys_in_use, mapped_below};

use crate::{
    api::{BlockedFile, Error, ModuleStatus, Pins, Record},
    inspect::{kept, pins, status},
    rollout::block,
    runtime::Runtime,
    store::event_log::Events,
};

impl Runtime {
    /// The status of all modules, by name.
    ///
    /// ```
    /// # fn main() -> Result<(), segue::Error> {
    /// # let runtime = segue::Runtime::builder().build()?;
    /// for module in runtime.modules() {
    ///     let current = module.current.map(|version| version.version);
    ///     println!("{}: {}", module.name, current.unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn modules(&self) -> Vec<ModuleStatus> {
        status::all(&self.shared)
    }

    /// The status of one module.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`].
    pub fn status(&self, name: &str) -> Result<ModuleStatus, Error> {
        status::of(&self.shared, name)
    }

    /// What keeps the old version and the quarantined versions of a module in memory, and what each pin waits
    /// for.
    ///
    /// A pin for a call names its thread, its age, and the other modules that the thread is inside. If the
    /// thread is a [`RegisteredThread`](crate::RegisteredThread), it also names the request.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`].
    pub fn pins(&self, name: &str) -> Result<Pins, Error> {
        pins::report(&self.shared, name)
    }

    /// The blocked files.
    ///
    /// # Errors
    ///
    /// [`Error::Ledger`].
    pub fn blocked(&self) -> Result<Vec<BlockedFile>, Error> {
        block::list(&self.shared)
    }

    /// The last `count_max` events of a module, or of all modules, oldest first. They include the events of
    /// earlier runtimes with the same state directory.
    ///
    /// # Errors
    ///
    /// [`Error::Ledger`].
    pub fn history(&self, module: Option<&str>, count_max: usize) -> Result<Vec<Record>, Error> {
        self.shared.events.read_ledger(|ledger| ledger.last_events(module, count_max))
    }

    /// The event log, for subscriptions.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use segue::NextEvent;
    ///
    /// # fn main() -> Result<(), segue::Error> {
    /// # let runtime = segue::Runtime::builder().build()?;
    /// let mut subscription = runtime.events().from(1); // everything in the ledger, then new events
    /// while let NextEvent::Event(record) = subscription.next(Duration::from_millis(10)) {
    ///     println!("{} {:?}", record.seq, record.event);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// How many pthread keys of the process are in use, by modules or by anything else. A process has 1024. A
    /// load fails if fewer than 64 are free.
    pub fn pthread_keys_in_use(&self) -> usize {
        keys_in_use()
    }

    /// The memory, in bytes, of versions that stay in memory although no call is inside: their images and
    /// their allocations.
    pub fn kept_bytes(&self) -> u64 {
        kept::bytes(&self.shared)
    }

    /// How many images of this runtime's modules are in memory, by the dynamic linker's list.
    pub fn images_mapped(&self) -> usize {
        mapped_below(&self.shared.state_dir.stage())
    }
}
