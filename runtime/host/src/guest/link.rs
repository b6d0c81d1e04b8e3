//! Links: how a module calls another module.

use std::sync::{Arc, Weak};

use segue_core::{Projection, ProjectionError, View};
use segue_interface::CallError;
use segue_loader::{FoundInterface, LinkTarget, ReplyBuffer, abi::RequestRef};

use crate::{
    api::Error,
    call::{interface::enter_error, snapshot::Snapshot},
    module::{
        Module,
        callers::Caller,
        version::{Version, VersionInfo},
    },
    shared::Shared,
};

/// A module's link to another module.
pub(crate) struct ModuleLink {
    /// Weak, as in `HostServices`.
    shared: Weak<Shared>,
    module: Arc<Module>,
    /// The view through an interface; `None` if the link sends requests.
    projection: Option<Arc<Projection<Version, Untyped>>>,
    caller: Arc<Caller>,
}

/// The view of a version through an interface that is only known at run time.
struct Untyped {
    caller: Arc<Caller>,
}

// === impl ModuleLink ===

impl ModuleLink {
    pub(crate) fn new(shared: &Arc<Shared>, module: &str, caller: Caller) -> Result<Self, Error> {
        let module = shared.get_or_insert_module(module);
        let caller = Arc::new(caller);
        let view = || Untyped { caller: caller.clone() };
        let projection =
            module.admit(&caller, || caller.expected().map(|_| module.cell.projection(view())))?;
        Ok(ModuleLink { shared: Arc::downgrade(shared), module, projection, caller })
    }

    /// Waits for the module's first version, if it is starting and does not wait for the caller.
    #[cold]
    fn wait_for_first_version(&self) {
        if let (Some(shared), Some(caller)) = (self.shared.upgrade(), self.caller.version()) {
            wait_for_first_version(&shared, caller, &self.module);
        }
    }
}

impl LinkTarget for ModuleLink {
    fn call(&self, request: &RequestRef<'_>) -> Result<ReplyBuffer, CallError> {
        self.caller.check_not_cancelled()?;
        if let Some(snapshot) = Snapshot::entered() {
            return snapshot.guard(&self.module.name)?.cell_guard().reply_to(request);
        }
        let entered = self.module.cell.enter().or_else(|| {
            self.wait_for_first_version();
            self.module.cell.enter()
        });
        entered.ok_or_else(|| self.module.no_current())?.reply_to(request)
    }

    fn visit(&self, visit: &mut dyn FnMut(&FoundInterface<'_>)) -> Result<(), CallError> {
        self.caller.check_not_cancelled()?;
        let Some(projection) = &self.projection else { return Err(self.module.no_current()) };
        if let Some(snapshot) = Snapshot::entered() {
            let not_exported = || enter_error(&self.module, ProjectionError::NoView, &self.caller);
            let value = projection.value_for(snapshot.guard(&self.module.name)?.cell_guard());
            visit(value.ok_or_else(not_exported)?);
            return Ok(());
        }
        let entered = projection.enter().or_else(|_| {
            self.wait_for_first_version();
            projection.enter()
        });
        let guard = entered.map_err(|error| enter_error(&self.module, error, &self.caller))?;
        visit(guard.get());
        Ok(())
    }
}

/// Waits for the first version of a module that another module calls, unless that version waits for the
/// caller.
fn wait_for_first_version(shared: &Shared, caller: &VersionInfo, module: &Module) {
    if !module.is_first_starting() {
        return;
    }
    let calling_module = shared.modules.read().get(&*caller.module).cloned();
    let is_starting = calling_module
        .is_some_and(|calling_module| calling_module.state().starting() == Some(caller.id.generation));
    let edge = if is_starting { shared.wait_graph.add(&caller.module, &module.name) } else { None };
    if !is_starting || edge.is_some() {
        module.wait_for_first_version(shared.limits.first_version_timeout);
    }
}

// === impl Version ===

impl Version {
    fn reply_to(&self, request: &RequestRef<'_>) -> Result<ReplyBuffer, CallError> {
        let mut reply = ReplyBuffer::new();
        self.image.handle(request, &mut reply)?;
        Ok(reply)
    }
}

// === impl Untyped ===

impl View<Version> for Untyped {
    type Value<'a> = FoundInterface<'a>;

    fn make<'a>(&self, version: &'a Version) -> Option<FoundInterface<'a>> {
        version.image.find_interface(self.caller.expected()?).ok()
    }

    fn shorten<'short, 'long: 'short>(
        value: &'short FoundInterface<'long>,
    ) -> &'short FoundInterface<'short> {
        value
    }
}
