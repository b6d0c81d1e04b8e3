//! The types that a method may return.

use segue_abi::abi_stable::{
    StableAbi,
    std_types::{ROption, RResult},
};

use crate::{
    Data, Fault,
    describe::{HASH_START, hash, mix},
};

/// A type that an interface method may return: [`Data`], and an `Option` or a `Result` of it.
///
/// # Safety
///
/// Only this crate may implement it. `Wire` must not refer to anything that belongs to the image that created
/// it. `from_wire` must accept what `into_wire` returns in another image. `Layout` and `FINGERPRINT` must
/// differ if `Wire` differs.
#[diagnostic::on_unimplemented(
    message = "an interface method cannot return `{Self}`",
    label = "may refer to memory or code of the module",
    note = "a return value must stay valid after the module is unloaded; a type that contains an allocator, a vtable, a closure or an address (`String`, `Vec`, `Box`, `RString`, `RVec`, `RBox`, `Box<dyn …>`, `&'static …`, `fn`) does not",
    note = "return numbers, `bool`, arrays, a type marked with `#[segue::data]`, or `Str<'static>`, `Bytes<'static>`, `List<'static, T>`, which are in host memory; or an `Option` or a `Result` of these"
)]
pub unsafe trait Answer: Sized {
    /// The type that crosses the boundary.
    #[doc(hidden)]
    type Wire;
    /// The stand-in for the type in the layout check.
    #[doc(hidden)]
    type Layout: StableAbi;
    /// The definitions of the types in it that belong to an interface's crate.
    #[doc(hidden)]
    const DEFINITION: &'static str;
    /// A hash of the type and its definitions.
    #[doc(hidden)]
    const FINGERPRINT: u64;
    /// Converts the value on the module's side.
    #[doc(hidden)]
    fn into_wire(self) -> Self::Wire;
    /// Converts the value on the caller's side.
    #[doc(hidden)]
    fn from_wire(wire: Self::Wire) -> Self;
}

/// The declared return type of an interface method: an [`Answer`], or a `Result` of it and [`Fault`]. A fault
/// becomes the error of that call, so the caller gets the [`Answer`].
#[diagnostic::on_unimplemented(
    message = "an interface method cannot return `{Self}`",
    label = "may refer to memory or code of the module",
    note = "a return value must stay valid after the module is unloaded; a type that contains an allocator, a vtable, a closure or an address (`String`, `Vec`, `Box`, `RString`, `RVec`, `RBox`, `Box<dyn …>`, `&'static …`, `fn`) does not",
    note = "return numbers, `bool`, arrays, a type marked with `#[segue::data]`, or `Str<'static>`, `Bytes<'static>`, `List<'static, T>`, which are in host memory; or an `Option` or a `Result` of these"
)]
pub trait Returns {
    /// The type that the caller gets.
    type Answer: Answer;
    /// Separates the answer from the fault.
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Answer, Fault>;
}

// === impl Returns ===

impl<A: Answer> Returns for A {
    type Answer = A;

    #[inline(always)]
    fn into_result(self) -> Result<A, Fault> {
        Ok(self)
    }
}

impl<A: Answer> Returns for Result<A, Fault> {
    type Answer = A;

    #[inline(always)]
    fn into_result(self) -> Result<A, Fault> {
        self
    }
}

// === impl Answer ===

// SAFETY: the value crosses after `into_host_memory`. By the promise of `Data`, all of it is then in host
// memory, and `Layout` and `FINGERPRINT` describe it.
unsafe impl<T: Data> Answer for T {
    type Wire = T;
    type Layout = T::Layout;
    const DEFINITION: &'static str = T::DEFINITION;
    const FINGERPRINT: u64 = T::FINGERPRINT;

    #[inline(always)]
    fn into_wire(self) -> T {
        self.into_host_memory()
    }

    #[inline(always)]
    fn from_wire(wire: T) -> T {
        wire
    }
}

// SAFETY: the wire, the layout and the fingerprint are made of those of the inner answer.
unsafe impl<A: Answer> Answer for Option<A> {
    type Wire = ROption<A::Wire>;
    type Layout = ROption<A::Layout>;
    const DEFINITION: &'static str = A::DEFINITION;
    const FINGERPRINT: u64 = mix(hash(HASH_START, "Option"), A::FINGERPRINT);

    #[inline]
    fn into_wire(self) -> Self::Wire {
        self.map(A::into_wire).into()
    }

    #[inline]
    fn from_wire(wire: Self::Wire) -> Self {
        wire.into_option().map(A::from_wire)
    }
}

// SAFETY: as above, for both inner answers.
unsafe impl<A: Answer, E: Answer> Answer for Result<A, E> {
    type Wire = RResult<A::Wire, E::Wire>;
    type Layout = RResult<A::Layout, E::Layout>;
    // Without that of `E`: it is only for the text of an error, which also has the name and the fingerprint.
    const DEFINITION: &'static str = A::DEFINITION;
    const FINGERPRINT: u64 = mix(mix(hash(HASH_START, "Result"), A::FINGERPRINT), E::FINGERPRINT);

    #[inline]
    fn into_wire(self) -> Self::Wire {
        self.map(A::into_wire).map_err(E::into_wire).into()
    }

    #[inline]
    fn from_wire(wire: Self::Wire) -> Self {
        wire.into_result().map(A::from_wire).map_err(E::from_wire)
    }
}
