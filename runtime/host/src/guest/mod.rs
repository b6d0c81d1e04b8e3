//! The services that the runtime gives to a module: its log, and its links to other modules.
//! A line belongs here if module code calls it.
//! Never use `load` or `purge` here.

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
    guest::link::ModuleLink,
    module::{callers::Caller, version::VersionInfo},
    shared::Shared,
};

/// The services for one image. `log.rs` implements its log, `link.rs` its links.
pub(crate) struct HostServices {
    pub(crate) info: Arc<VersionInfo>,
    /// The id of the next span. Only a counter, so Relaxed is enough.
    pub(crate) next_span: AtomicU64,
    pub(crate) spans: Mutex<HashMap<u64, Span>>,
    /// Weak, so an image that stays in memory does not keep the runtime alive.
    shared: Weak<Shared>,
}

// === impl HostServices ===

impl HostServices {
    pub(crate) fn new(shared: &Arc<Shared>, info: &Arc<VersionInfo>) -> Self {
        HostServices {
            info: info.clone(),
            next_span: AtomicU64::new(1),
            spans: Mutex::default(),
            shared: Arc::downgrade(shared),
        }
    }
}

impl Services for HostServices {
    fn link(&self, module: &str, interface: Option<Expected>) -> Result<Box<dyn LinkTarget>, String> {
        let closing = || Error::ShuttingDown.to_string();
        let shared = self.shared.upgrade().filter(|shared| !shared.is_shutting_down()).ok_or_else(closing)?;
        let caller = Caller::of_module(&self.info, interface);
        let link = ModuleLink::new(&shared, module, caller).map_err(|error| error.to_string())?;
        Ok(Box::new(link))
    }

    fn is_cancelled(&self) -> bool {
        self.info.is_cancelled()
    }
}
