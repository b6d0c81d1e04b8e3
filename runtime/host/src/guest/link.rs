//! Modules that call modules: what one has of another.

use std::sync::{Arc, Weak};

use segue_core::{Facet, FacetMissing, View};
use segue_interface::CallError;
use segue_loader::{FoundInterface, LinkTarget, ReplyBuffer, abi::RequestRef};

use crate::{
    api::Error,
    call::{interface::missing, snapshot::Snapshot},
    module::{
        Module,
        callers::Caller,
        version::{Version, VersionInfo},
    },
    shared::Shared,
};

/// What a module has of another one.
pub(crate) struct LinkTo {
    /// Weak, as that of the guest whose link it is.
    runtime: Weak<Shared>,
    module: Arc<Module>,
    /// The way to an interface; none where requests are sent.
    facet: Option<Arc<Facet<Version, Untyped>>>,
    caller: Arc<Caller>,
}

/// A version, as a caller sees it whose interface this program does not know.
struct Untyped {
    caller: Arc<Caller>,
}

// === impl LinkTo ===

impl LinkTo {
    pub(crate) fn new(runtime: &Arc<Shared>, module: &str, caller: Caller) -> Result<Self, Error> {
        let module = runtime.module_to_be(module);
        let caller = Arc::new(caller);
        let view = || Untyped { caller: caller.clone() };
        let facet = module.admit(&caller, || caller.expected().map(|_| module.cell.facet(view())))?;
        Ok(LinkTo { runtime: Arc::downgrade(runtime), module, facet, caller })
    }

    /// Where there is nobody to call: waits for the module's first version, where that is starting and does not wait for us.
    #[cold]
    fn await_first(&self) {
        if let (Some(runtime), Some(by)) = (self.runtime.upgrade(), self.caller.by()) {
            await_first(&runtime, by, &self.module);
        }
    }
}

impl LinkTarget for LinkTo {
    fn call(&self, request: &RequestRef<'_>) -> Result<ReplyBuffer, CallError> {
        self.caller.may_call()?;
        if let Some(all) = Snapshot::entered() {
            return all.guard(&self.module.name)?.shared().reply_to(request);
        }
        let entered = self.module.cell.enter().or_else(|| {
            self.await_first();
            self.module.cell.enter()
        });
        entered.ok_or_else(|| self.module.no_current())?.reply_to(request)
    }

    fn visit(&self, visit: &mut dyn FnMut(&FoundInterface<'_>)) -> Result<(), CallError> {
        self.caller.may_call()?;
        let Some(facet) = &self.facet else { return Err(self.module.no_current()) };
        if let Some(all) = Snapshot::entered() {
            let missing = || missing(&self.module, FacetMissing::NoView, &self.caller);
            visit(facet.at(all.guard(&self.module.name)?.shared()).ok_or_else(missing)?);
            return Ok(());
        }
        let entered = facet.enter().or_else(|_| {
            self.await_first();
            facet.enter()
        });
        let guard = entered.map_err(|why| missing(&self.module, why, &self.caller))?;
        visit(guard.get());
        Ok(())
    }
}

/// Waits for the first version of a module, for a module that calls it; unless that one waits for the caller.
fn await_first(shared: &Shared, by: &VersionInfo, module: &Module) {
    if !module.is_first_starting() {
        return;
    }
    let caller = shared.modules.read().get(&*by.module).cloned();
    let is_in_start = caller.is_some_and(|caller| caller.state().starting() == Some(by.id.generation));
    let edge = if is_in_start { shared.waits.add(&by.module, &module.name) } else { None };
    if !is_in_start || edge.is_some() {
        module.await_first(shared.limits.first_version_timeout);
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
    type Of<'a> = FoundInterface<'a>;

    fn of<'a>(&self, version: &'a Version) -> Option<FoundInterface<'a>> {
        version.image.find_interface(self.caller.expected()?).ok()
    }

    fn shorten<'short, 'long: 'short>(of: &'short FoundInterface<'long>) -> &'short FoundInterface<'short> {
        of
    }
}
