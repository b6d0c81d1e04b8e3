//! An image whose module has started: it can be called.

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
/// It derefs to [`Mapped`], for what can be asked of either. Dropped without [`unload`](Image::unload), it stays in memory
/// for ever.
pub struct Image {
    mapped: Mapped,
    state: NonNull<ModuleState>,
    /// What its failures are told with.
    named: ImageOrigin,
    /// Read out of the root module once: a call goes through one pointer less.
    handle: unsafe extern "C" fn(*const ModuleState, &RequestRef<'_>, ReplyRef) -> Outcome,
}

/// A module that refused to start, with its image, which is to be taken down like any other.
pub struct OnLoadFailure {
    /// The image.
    pub mapped: Mapped,
    /// The module's fault, or its panic.
    pub fault: CallFault,
}

// SAFETY: the state is a `Module`, which is Send and Sync; the SDK's trait demands it. The functions of a root module may be
// called from any thread.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

// === impl Mapped ===

impl Mapped {
    /// Lets the module start.
    ///
    /// # Errors
    ///
    /// The module's veto, with the image.
    pub fn on_load(self) -> Result<Image, Box<OnLoadFailure>> {
        let mut reply = ReplyBuffer::new();
        let mut state = ptr::null_mut();
        // SAFETY: the host was attached in `map`, and this is called once: it consumes the `Mapped`, and `Image::unload`
        // makes one that is only to be unmapped.
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
        let named = ImageOrigin::new(&metadata.name, version);
        Image { mapped, state, named, handle }
    }

    /// Whether what answers a request is code of this image, and of no other that the dynamic linker may have given in its place.
    pub fn has_own_handler(&self) -> bool {
        self.mapped.range.contains(&(self.handle as *const ()).addr())
    }

    /// Has the module answer a request.
    ///
    /// # Errors
    ///
    /// The module's fault, or its panic. What it had written by then stays in `reply` and means nothing.
    pub fn handle(&self, request: &RequestRef<'_>, reply: &mut ReplyBuffer) -> Result<(), CallError> {
        // SAFETY: the state is that of `on_load`, and `unload`, which consumes the image, was not called.
        match unsafe { (self.handle)(self.state.as_ptr(), request, reply.raw()) } {
            Outcome::Done => Ok(()),
            outcome => Err(self.named.error(fault(outcome, std::mem::take(reply)))),
        }
    }

    /// An interface of this image, as this program was compiled with it.
    ///
    /// # Errors
    ///
    /// Where the image does not export it, or exports another form of it.
    pub fn implementation<I: Interface>(&self) -> Result<Implementation<'_, I>, InterfaceMismatch> {
        let found = self.find_interface(&Expected::of::<I>())?;
        // SAFETY: `reach` has checked the functions against what `I` says of itself.
        Ok(unsafe { found.as_interface() })
    }

    /// An interface of this image, as some caller was compiled with it.
    ///
    /// # Errors
    ///
    /// As for [`implementation`](Image::implementation).
    pub fn find_interface(&self, expected: &Expected) -> Result<FoundInterface<'_>, InterfaceMismatch> {
        let table = expected.find(self.mapped.exports())?;
        Ok(FoundInterface::new(self.state.as_ptr(), table, self.named.origin(), expected))
    }

    /// Drops the module's own value, on the calling thread, which is to be detached afterwards like any that was inside.
    ///
    /// # Errors
    ///
    /// Where its `Drop` panicked. The image can be unmapped all the same.
    pub fn unload(self) -> (Mapped, Result<(), CallFault>) {
        // SAFETY: it is the state of `on_load`, this is called once (it consumes the image), and no call is inside: a call
        // borrows the image.
        let outcome = unsafe { self.mapped.root().unload()(self.state.as_ptr()) };
        let ended = match outcome {
            Outcome::Done => Ok(()),
            outcome => Err(fault(outcome, ReplyBuffer::new())),
        };
        (self.mapped, ended)
    }
}

impl Deref for Image {
    type Target = Mapped;

    fn deref(&self) -> &Mapped {
        &self.mapped
    }
}
