//! The callers of a module: who has a handle to it, and the interface that each was compiled with.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use segue_interface::{CallError, CallFailure};
use segue_loader::{Expected, InterfaceMismatch, Metadata};

use crate::{api::CallerStatus, module::version::VersionInfo};

/// A caller that has a handle to a module.
pub(crate) struct Caller {
    /// The calling module's version; `None` for the program that embeds the runtime.
    version: Option<Arc<VersionInfo>>,
    /// The interface that it calls; `None` if it sends requests.
    expected: Option<Expected>,
}

/// The callers of one module that are reported, or checked against its versions.
#[derive(Default)]
pub(crate) struct Callers {
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    callers: Vec<Weak<Caller>>,
    /// The number of callers ever admitted.
    admitted: u64,
}

// === impl Caller ===

impl Caller {
    /// The program that embeds the runtime, with a typed handle.
    pub(crate) fn embedder(expected: Expected) -> Self {
        Caller { version: None, expected: Some(expected) }
    }

    /// A version of a module.
    pub(crate) fn of_module(info: &Arc<VersionInfo>, expected: Option<Expected>) -> Self {
        Caller { version: Some(info.clone()), expected }
    }

    /// Fails if the calling version was asked to end.
    pub(crate) fn check_not_cancelled(&self) -> Result<(), CallError> {
        match &self.version {
            Some(info) if info.is_cancelled() => {
                let (module, version) = (info.module.to_string(), info.id.clone());
                Err(CallFailure::Cancelled { module, version }.into())
            }
            _ => Ok(()),
        }
    }

    /// The calling module's version, if the caller is a module.
    pub(crate) fn version(&self) -> Option<&Arc<VersionInfo>> {
        self.version.as_ref()
    }

    pub(crate) fn expected(&self) -> Option<&Expected> {
        self.expected.as_ref()
    }

    fn status(&self) -> CallerStatus {
        CallerStatus {
            module: self.version.as_ref().map(|info| info.module.to_string()),
            version: self.version.as_ref().map(|info| info.id.clone()),
            interface: self.expected.as_ref().map(|expected| expected.name().to_owned()),
        }
    }
}

// === impl Callers ===

impl Callers {
    /// Adds a caller. It is reported and checked until its last handle is dropped.
    pub(crate) fn admit(&self, caller: &Arc<Caller>) {
        let mut live = self.live.lock();
        live.callers.retain(|caller| caller.strong_count() > 0);
        live.callers.push(Arc::downgrade(caller));
        live.admitted += 1;
    }

    /// The number of callers ever admitted. If it has not grown since a check, the check covers all callers.
    pub(crate) fn admitted(&self) -> u64 {
        self.live.lock().admitted
    }

    /// Checks a file's metadata against all callers, before any of its code runs.
    pub(crate) fn check_file(&self, metadata: &Metadata) -> Result<(), InterfaceMismatch> {
        self.check(|expected| expected.check(metadata))
    }

    /// Runs a check for the interface of each caller.
    pub(crate) fn check(
        &self,
        check: impl Fn(&Expected) -> Result<(), InterfaceMismatch>,
    ) -> Result<(), InterfaceMismatch> {
        // Outside the lock, because a check takes time.
        self.all().iter().filter_map(|caller| caller.expected()).try_for_each(check)
    }

    /// The status of each caller.
    pub(crate) fn status(&self) -> Vec<CallerStatus> {
        self.all().iter().map(|caller| caller.status()).collect()
    }

    fn all(&self) -> Vec<Arc<Caller>> {
        self.live.lock().callers.iter().filter_map(Weak::upgrade).collect()
    }
}
