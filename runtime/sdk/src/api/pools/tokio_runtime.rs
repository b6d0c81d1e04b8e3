//! One tokio runtime for the image, which ends with the module's value.

use std::sync::Mutex;

use tokio::runtime::{Builder, Handle, Runtime};

use super::{at_end, lock};
use segue_interface::Fault;

use crate::api::host::Host;

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

impl Host {
    /// The tokio runtime of this version, with timers and sockets. The first call starts it, with as many
    /// workers as tokio chooses (`TOKIO_WORKER_THREADS`, or the number of processors). Needs the feature
    /// `tokio`.
    ///
    /// It ends when the module's value has been dropped, so `Drop` can still use it. A task is then dropped
    /// at its next `await`. Nobody waits for what `spawn_blocking` runs, but the version stays in memory
    /// until that returns. A handle that you keep is of no use afterwards: its tasks are cancelled at once.
    ///
    /// A task that panics fails alone, and its message goes to the host's log.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread or a descriptor, and after the module's value has been dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use segue_sdk::{prelude::*, testing, tokio};
    ///
    /// struct Sleeper {
    ///     tokio: tokio::runtime::Handle,
    /// }
    ///
    /// impl Module for Sleeper {
    ///     fn on_load(host: &Host) -> Result<Self, Fault> {
    ///         Ok(Sleeper { tokio: host.tokio()? })
    ///     }
    ///
    ///     fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
    ///         let answer = self.tokio.block_on(async {
    ///             tokio::time::sleep(Duration::from_millis(1)).await;
    ///             tokio::spawn(async { 42 }).await
    ///         })?;
    ///         reply.text(&answer.to_string());
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Fault> {
    /// assert_eq!(testing::load::<Sleeper>()?.get("/")?.text(), "42");
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokio(&self) -> Result<Handle, Fault> {
        let mut runtime = lock(&RUNTIME);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        at_end(end)?;
        let built = Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Fault::new(format!("could not start the tokio runtime: {error}")))?;
        Ok(runtime.insert(built).handle().clone())
    }
}

/// Ends the runtime without waiting for it: the host waits for its threads, and names those that stay.
fn end() {
    if let Some(runtime) = lock(&RUNTIME).take() {
        runtime.shutdown_background();
    }
}
