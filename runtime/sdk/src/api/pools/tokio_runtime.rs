//! One tokio runtime per version, which ends with the module's value.

use std::sync::Mutex;

use segue_interface::Fault;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::api::{
    host::Host,
    pools::end_hooks::{lock, on_end},
};

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

impl Host {
    /// The tokio runtime of this version, with timers and sockets. The first call starts it. tokio chooses
    /// the number of workers: `TOKIO_WORKER_THREADS`, or the number of processors. Needs the feature `tokio`.
    ///
    /// The runtime ends after the module's value has been dropped, so `Drop` can still use it. Each task is
    /// then dropped at its next `await`. The shutdown does not wait for closures of `spawn_blocking`, but the
    /// version stays in memory until they return. A task that you spawn afterwards, with a handle that you
    /// kept, is cancelled at once.
    ///
    /// A task that panics fails alone, and the host logs its message.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread or a file descriptor, and after the module's value has been dropped.
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
        on_end(end)?;
        let built = Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Fault::new(format!("could not start the tokio runtime: {error}")))?;
        Ok(runtime.insert(built).handle().clone())
    }
}

/// Ends the runtime without waiting. The host waits for the threads, and reports those that stay.
fn end() {
    if let Some(runtime) = lock(&RUNTIME).take() {
        runtime.shutdown_background();
    }
}
