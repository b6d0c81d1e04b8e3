//! One image, as the services of the host see it: who asks.

pub(crate) mod link;
pub(crate) mod log;

use std::{
    collections::HashMap,
    sync::{Arc, Weak, atomic::AtomicU64},
};

use parking_lot::Mutex;
use segue_loader::{Expected, LinkTarget, Services};
use tracing::Span;

use crate::{
    api::Error,
    guest::link::LinkTo,
    module::{callers::Caller, version::VersionInfo},
    shared::Shared,
};

/// One image, as the services of the host see it. What it does with log records is in `log.rs`.
pub(crate) struct HostServices {
    pub(crate) info: Arc<VersionInfo>,
    /// The id that the next span gets. Only counted: Relaxed is enough.
    pub(crate) next_span: AtomicU64,
    pub(crate) spans: Mutex<HashMap<u64, Span>>,
    /// Weak: an image that stays in memory does not keep the runtime.
    runtime: Weak<Shared>,
}

// === impl Guest ===

impl HostServices {
    pub(crate) fn new(runtime: &Arc<Shared>, info: &Arc<VersionInfo>) -> Self {
        HostServices {
            info: info.clone(),
            next_span: AtomicU64::new(1),
            spans: Mutex::default(),
            runtime: Arc::downgrade(runtime),
        }
    }
}

impl Services for HostServices {
    fn link(&self, module: &str, interface: Option<Expected>) -> Result<Box<dyn LinkTarget>, String> {
        let closing = || Error::ShuttingDown.to_string();
        let runtime = self.runtime.upgrade().filter(|runtime| !runtime.is_closing()).ok_or_else(closing)?;
        let caller = Caller::of_module(&self.info, interface);
        let link = LinkTo::new(&runtime, module, caller).map_err(|error| error.to_string())?;
        Ok(Box::new(link))
    }

    fn is_cancelled(&self) -> bool {
        self.info.is_cancelled()
    }
}
