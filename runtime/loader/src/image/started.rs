//! An image whose module has started.

use std::{
    ops::Deref,
    ptr::{self, NonNull},
};

use segue_abi::{ModuleState, Outcome, ReplyRef, RequestRef};
use segue_interface::{CallError, Interface, VersionId};

use crate::{
    boundary::{
        failure::fault,
        implementation::{FoundInterface, ImageOrigin, Implementation},
        interface::{Expected, InterfaceMismatch},
        reply::ReplyBuffer,
    },
    error::CallFault,
    image::mapped::Mapped,
};

/// An image whose module has started, and can be called from any thread.
///
/// It derefs to [`Mapped`]. If it is dropped without [`unload`](Image::unload), it stays in memory until the
/// process ends.
pub struct Image {
    mapped: Mapped,
    state: NonNull<ModuleState>,
    /// Names the image in the errors of its calls.
    origin: ImageOrigin,
    /// Copied from the root module, to save a call one indirection.
    handle: unsafe extern "C" fn(*const ModuleState, &RequestRef<'_>, ReplyRef) -> Outcome,
}

/// A module whose `on_load` failed, with its image. The image must be unmapped like any other.
pub struct OnLoadFailure {
    /// The image.
    pub mapped: Mapped,
    /// The module's fault, or its panic.
    pub fault: CallFault,
}

// SAFETY: the state is a `Module`, and the SDK's trait requires Send and Sync. The functions of a root module
// may be called from any thread.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

// === impl Mapped ===

impl Mapped {
    /// Runs the module's `on_load`.
    ///
    /// # Errors
    ///
    /// The error of `on_load`, with the image.
    pub fn on_load(self) -> Result<Image, Box<OnLoadFailure>> {
        let mut reply = ReplyBuffer::new();
        let mut state = ptr::null_mut();
        // SAFETY: the host was attached in `map`. This is called once, because it consumes the `Mapped`, and
        // the one that `Image::unload` returns can only be unmapped.
        let outcome = unsafe { self.root.on_load()(reply.raw(), &mut state) };
        match (outcome, NonNull::new(state)) {
            (Outcome::Done, Some(state)) => Ok(Image::new(self, state)),
            (outcome, _) => Err(Box::new(OnLoadFailure { fault: fault(outcome, reply), mapped: self })),
        }
    }
}

// === impl Image ===

impl Image {
    pub(crate) fn new(mapped: Mapped, state: NonNull<ModuleState>) -> Self {
        let handle = mapped.root().handle();
        let (metadata, generation) = (mapped.metadata(), mapped.generation());
        let version = VersionId { version: metadata.version.clone(), generation };
        let origin = ImageOrigin::new(&metadata.name, version);
        Image { mapped, state, origin, handle }
    }

    /// Whether the request handler is code of this image. The dynamic linker may have bound the symbol to
    /// another image.
    pub fn has_own_handler(&self) -> bool {
        self.mapped.range.contains(&(self.handle as *const ()).addr())
    }

    /// Calls the module's request handler.
    ///
    /// # Errors
    ///
    /// The module's error or panic. Then the content of `reply` is meaningless.
    pub fn handle(&self, request: &RequestRef<'_>, reply: &mut ReplyBuffer) -> Result<(), CallError> {
        // SAFETY: the state is from `on_load`, and `unload` was not called, because it consumes the image.
        match unsafe { (self.handle)(self.state.as_ptr(), request, reply.raw()) } {
            Outcome::Done => Ok(()),
            outcome => Err(self.origin.error(fault(outcome, std::mem::take(reply)))),
        }
    }

    /// An interface of this image, as this program was compiled with it.
    ///
    /// # Errors
    ///
    /// If the image does not export it, or exports it with other methods or types.
    pub fn implementation<I: Interface>(&self) -> Result<Implementation<'_, I>, InterfaceMismatch> {
        let found = self.find_interface(&Expected::of::<I>())?;
        // SAFETY: `find_interface` has checked the functions against the description of `I`.
        Ok(unsafe { found.as_interface() })
    }

    /// An interface of this image, as a caller was compiled with it.
    ///
    /// # Errors
    ///
    /// As for [`implementation`](Image::implementation).
    pub fn find_interface(&self, expected: &Expected) -> Result<FoundInterface<'_>, InterfaceMismatch> {
        let table = expected.find(self.mapped.exports())?;
        Ok(FoundInterface::new(self.state.as_ptr(), table, self.origin.origin(), expected))
    }

    /// Drops the module's value on the calling thread. Detach that thread afterwards.
    ///
    /// # Errors
    ///
    /// If the `Drop` panicked. The image can be unmapped anyway.
    pub fn unload(self) -> (Mapped, Result<(), CallFault>) {
        // SAFETY: the state is from `on_load`, this is called once (it consumes the image), and no call is
        // inside (a call borrows the image).
        let outcome = unsafe { self.mapped.root().unload()(self.state.as_ptr()) };
        let dropped = match outcome {
            Outcome::Done => Ok(()),
            outcome => Err(fault(outcome, ReplyBuffer::new())),
        };
        (self.mapped, dropped)
    }
}

impl Deref for Image {
    type Target = Mapped;

    fn deref(&self) -> &Mapped {
        &self.mapped
    }
}
