//! Calls of a module through a typed interface.

use std::{marker::PhantomData, ops::Deref, sync::Arc};

use segue_core::{Projection, ProjectionError, ProjectionGuard, View};
use segue_interface::Interface;
use segue_interface::{CallError, CallFailure, VersionId};
use segue_loader::{Expected, Implementation};

use crate::{
    api::Error,
    call::handle::OwnedCallGuard,
    module::{Module, callers::Caller, version::Version},
};

/// Calls one module through a typed interface. Each call goes to the version that is current at that moment.
/// A handle is cheap to clone, and any thread can use it.
///
/// While a clone of it exists, each version that becomes current must match the interface. Otherwise the load
/// or rollback fails with [`Error::Interface`].
///
/// ```no_run
/// # extern crate segue;
/// use segue::Str;
///
/// #[segue::interface]
/// pub trait Pricing {
///     fn quote(&self, sku: Str<'_>, quantity: u32) -> i64;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = segue::Runtime::builder().build()?;
/// let pricing = runtime.interface::<Pricing>("shop")?;
/// let cents = pricing.enter()?.quote("anvil".into(), 3)?;
/// # Ok(())
/// # }
/// ```
pub struct InterfaceHandle<I: Interface> {
    module: Arc<Module>,
    projection: Arc<Projection<Version, Typed<I>>>,
    /// Kept alive, because loads are checked against it.
    caller: Arc<Caller>,
}

/// A caller inside one version, through a typed interface. It derefs to the interface's methods. The version
/// stays in memory until the guard is dropped, and all calls through the guard go to it. The guard cannot
/// move to another thread.
pub struct InterfaceGuard<'a, I: Interface> {
    guard: ProjectionGuard<'a, Version, Typed<I>>,
}

/// The view of a version through one interface.
struct Typed<I>(PhantomData<fn() -> I>);

// === impl InterfaceHandle ===

impl<I: Interface> InterfaceHandle<I> {
    pub(crate) fn new(module: Arc<Module>) -> Result<Self, Error> {
        let caller = Arc::new(Caller::embedder(Expected::of::<I>()));
        let projection = module.admit(&caller, || module.cell.projection(Typed(PhantomData)))?;
        Ok(InterfaceHandle { module, projection, caller })
    }

    /// The module's name.
    pub fn name(&self) -> &str {
        &self.module.name
    }

    /// Enters the current version. It waits as [`ModuleHandle::enter`](crate::ModuleHandle::enter) does: only
    /// for a first version.
    ///
    /// # Errors
    ///
    /// [`CallFailure::NoCurrent`].
    #[inline]
    pub fn enter(&self) -> Result<InterfaceGuard<'_, I>, CallError> {
        match self.projection.enter() {
            Ok(guard) => Ok(InterfaceGuard { guard }),
            Err(_) => self.enter_after_wait(),
        }
    }

    #[cold]
    #[inline(never)]
    fn enter_after_wait(&self) -> Result<InterfaceGuard<'_, I>, CallError> {
        self.module.wait_for_first_version(self.module.first_version_timeout());
        let guard =
            self.projection.enter().map_err(|error| enter_error(&self.module, error, &self.caller))?;
        Ok(InterfaceGuard { guard })
    }
}

impl<I: Interface> InterfaceHandle<I> {
    /// The interface of the guard's version, if the version exports it.
    pub(crate) fn at<'a>(&'a self, guard: &'a OwnedCallGuard) -> Option<&'a I> {
        self.projection.value_for(guard.cell_guard()).map(|interface| &**interface)
    }
}

impl<I: Interface> Clone for InterfaceHandle<I> {
    fn clone(&self) -> Self {
        let InterfaceHandle { module, projection, caller } = self;
        InterfaceHandle { module: module.clone(), projection: projection.clone(), caller: caller.clone() }
    }
}

// === impl InterfaceGuard ===

impl<I: Interface> InterfaceGuard<'_, I> {
    /// The entered version.
    pub fn version(&self) -> &VersionId {
        &self.guard.occupant().info.id
    }
}

impl<I: Interface> Deref for InterfaceGuard<'_, I> {
    type Target = I;

    #[inline(always)]
    fn deref(&self) -> &I {
        self.guard.get()
    }
}

// === impl Typed ===

impl<I: Interface> View<Version> for Typed<I> {
    type Value<'a> = Implementation<'a, I>;

    fn make<'a>(&self, version: &'a Version) -> Option<Implementation<'a, I>> {
        version.image.implementation().ok()
    }

    fn shorten<'short, 'long: 'short>(
        value: &'short Implementation<'long, I>,
    ) -> &'short Implementation<'short, I> {
        value
    }
}

/// The error if a snapshot's version does not export the interface.
#[cold]
pub(crate) fn not_in_snapshot<I: Interface>(handle: &InterfaceHandle<I>) -> CallError {
    enter_error(&handle.module, ProjectionError::NoView, &handle.caller)
}

/// The error if a module cannot be entered through an interface.
#[cold]
pub(crate) fn enter_error(module: &Module, error: ProjectionError, caller: &Caller) -> CallError {
    match error {
        ProjectionError::NoOccupant => module.no_current(),
        ProjectionError::NoView => {
            let interface = caller.expected().map_or("", Expected::name).to_owned();
            CallFailure::NotExported { module: module.name.to_string(), interface }.into()
        }
    }
}
