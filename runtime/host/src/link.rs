//! Modules that call modules: what one has of another.

use std::sync::Arc;

use segue_core::{Facet, View};
use segue_loader::{Link, Reached, ReplyBuffer, abi::RequestRef};

use crate::{CallError, Error, caller::Caller, interface::missing, module::Module, version::Version};

/// What a module has of another one.
pub(crate) struct LinkTo {
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
    pub(crate) fn new(module: Arc<Module>, caller: Caller) -> Result<Self, Error> {
        let caller = Arc::new(caller);
        let view = || Untyped { caller: caller.clone() };
        let facet = module.admit(&caller, || caller.expected().map(|_| module.cell.facet(view())))?;
        Ok(LinkTo { module, facet, caller })
    }
}

impl Link for LinkTo {
    fn call(&self, request: &RequestRef<'_>) -> Result<ReplyBuffer, CallError> {
        self.caller.may_call()?;
        let version = self.module.cell.enter().ok_or_else(|| self.module.no_current())?;
        let mut reply = ReplyBuffer::new();
        version.image.handle(request, &mut reply)?;
        Ok(reply)
    }

    fn visit(&self, visit: &mut dyn FnMut(&Reached<'_>)) -> Result<(), CallError> {
        self.caller.may_call()?;
        let Some(facet) = &self.facet else { return Err(self.module.no_current()) };
        let guard = facet.enter().map_err(|why| missing(&self.module, why, &self.caller))?;
        visit(guard.get());
        Ok(())
    }
}

// === impl Untyped ===

impl View<Version> for Untyped {
    type Of<'a> = Reached<'a>;

    fn of<'a>(&self, version: &'a Version) -> Option<Reached<'a>> {
        version.image.reach(self.caller.expected()?).ok()
    }

    fn shorten<'short, 'long: 'short>(of: &'short Reached<'long>) -> &'short Reached<'short> {
        of
    }
}
