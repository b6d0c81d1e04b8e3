//! Who has a handle to a module: who calls whom, and what they were compiled with.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use segue_interface::{CallError, CallFailure};
use segue_loader::{Expected, InterfaceMismatch, Metadata};

use crate::{api::CallerStatus, module::version::VersionInfo};

/// Somebody who has a handle to a module.
pub(crate) struct Caller {
    /// The version of a module; none for the program that embeds the runtime.
    by: Option<Arc<VersionInfo>>,
    /// The interface through which it calls; none where it sends requests.
    expected: Option<Expected>,
}

/// All who have a handle to one module that is to be told of, or to be checked.
#[derive(Default)]
pub(crate) struct Callers {
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    callers: Vec<Weak<Caller>>,
    /// How many were ever admitted.
    admitted: u64,
}

// === impl Caller ===

impl Caller {
    /// The program that embeds the runtime, with a typed handle.
    pub(crate) fn embedder(expected: Expected) -> Self {
        Caller { by: None, expected: Some(expected) }
    }

    /// A module.
    pub(crate) fn of_module(info: &Arc<VersionInfo>, expected: Option<Expected>) -> Self {
        Caller { by: Some(info.clone()), expected }
    }

    /// Fails where the caller is to come to its end.
    pub(crate) fn check_not_cancelled(&self) -> Result<(), CallError> {
        match &self.by {
            Some(by) if by.is_cancelled() => {
                let (module, version) = (by.module.to_string(), by.id.clone());
                Err(CallFailure::Cancelled { module, version }.into())
            }
            _ => Ok(()),
        }
    }

    /// The version of a module that it is, if it is one.
    pub(crate) fn by(&self) -> Option<&Arc<VersionInfo>> {
        self.by.as_ref()
    }

    pub(crate) fn expected(&self) -> Option<&Expected> {
        self.expected.as_ref()
    }

    fn status(&self) -> CallerStatus {
        CallerStatus {
            module: self.by.as_ref().map(|by| by.module.to_string()),
            version: self.by.as_ref().map(|by| by.id.clone()),
            interface: self.expected.as_ref().map(|expected| expected.name().to_owned()),
        }
    }
}

// === impl Callers ===

impl Callers {
    /// From now on it is told of and checked, until nobody has it any more.
    pub(crate) fn admit(&self, caller: &Arc<Caller>) {
        let mut live = self.live.lock();
        live.callers.retain(|caller| caller.strong_count() > 0);
        live.callers.push(Arc::downgrade(caller));
        live.admitted += 1;
    }

    /// How many were ever admitted: who has looked at all can tell by it whether there are new ones.
    pub(crate) fn admitted(&self) -> u64 {
        self.live.lock().admitted
    }

    /// Checks a file against all, before anything of it runs.
    pub(crate) fn check_file(&self, metadata: &Metadata) -> Result<(), InterfaceMismatch> {
        self.check(|expected| expected.check(metadata))
    }

    /// Checks something against what each of them was compiled with.
    pub(crate) fn check(
        &self,
        check: impl Fn(&Expected) -> Result<(), InterfaceMismatch>,
    ) -> Result<(), InterfaceMismatch> {
        // Out of the lock: it takes its time.
        self.all().iter().filter_map(|caller| caller.expected()).try_for_each(check)
    }

    /// Who they are.
    pub(crate) fn status(&self) -> Vec<CallerStatus> {
        self.all().iter().map(|caller| caller.status()).collect()
    }

    fn all(&self) -> Vec<Arc<Caller>> {
        self.live.lock().callers.iter().filter_map(Weak::upgrade).collect()
    }
}
