//! What a method may take, and what it may answer.

use segue_abi::{
    abi_stable::{
        StableAbi,
        std_types::{ROption, RResult},
    },
    layout::{ListLayout, RefLayout, TextLayout},
};

use crate::{
    Data, Fault, List, Str,
    describe::{START, hash, mix},
};

/// What a method of an interface may take: [`Data`] by value, `&T` of it, [`Str<'_>`](Str), [`List<'_, T>`](List), and an
/// `Option` of these. What is borrowed is borrowed for the call.
///
/// # Safety
///
/// It is for this crate and the attribute to implement. `Wire` and `Of` must refer to nothing that belongs to the caller's image
/// beyond the call, `from_wire` must take what `into_wire` made, whichever image that was in, and `Layout` and `FINGERPRINT`
/// must differ where `Wire` does.
#[diagnostic::on_unimplemented(
    message = "a method of an interface cannot take `{Self}`",
    label = "this may refer to memory or code of whoever calls",
    note = "an argument is plain data, or is borrowed for the call: a module that kept more could use it when its owner is gone",
    note = "use numbers, `bool`, arrays, types marked with `#[segue::data]`, references to these, `Str<'_>`, `Bytes<'_>`, `List<'_, T>`, or an `Option` of one of them"
)]
pub unsafe trait Argument: Sized {
    /// The same type, borrowed for one call.
    #[doc(hidden)]
    type Of<'call>;
    /// What crosses.
    #[doc(hidden)]
    type Wire<'call>;
    /// Stands in for the type in the layout check.
    #[doc(hidden)]
    type Layout: StableAbi;
    /// How the types of an interface's crate in it are defined.
    #[doc(hidden)]
    const DEFINITION: &'static str;
    /// A hash of all that.
    #[doc(hidden)]
    const FINGERPRINT: u64;
    /// The caller's side.
    #[doc(hidden)]
    fn into_wire<'call>(self) -> Self::Wire<'call>
    where
        Self: 'call;
    /// The side of the one that is called.
    #[doc(hidden)]
    fn from_wire<'call>(wire: Self::Wire<'call>) -> Self::Of<'call>;
}

/// What a method of an interface may answer: [`Data`], and an `Option` or a `Result` of it.
///
/// # Safety
///
/// It is for this crate to implement. `Wire` must refer to nothing that belongs to the image that made it, `from_wire` must take
/// what `into_wire` made, whichever image that was in, and `Layout` and `FINGERPRINT` must differ where `Wire` does.
#[diagnostic::on_unimplemented(
    message = "a method of an interface cannot answer `{Self}`",
    label = "this may refer to memory or code of the module",
    note = "an answer must stay good when the module that made it has left memory; a type that carries its allocator, a vtable, a closure or an address in it (`String`, `Vec`, `Box`, `RString`, `RVec`, `RBox`, `Box<dyn …>`, `&'static …`, `fn`) does not",
    note = "answer numbers, `bool`, arrays, a type marked with `#[segue::data]`, or `Str<'static>`, `Bytes<'static>`, `List<'static, T>`, whose memory is the host's; or an `Option` or a `Result` of these"
)]
pub unsafe trait Answer: Sized {
    /// What crosses.
    #[doc(hidden)]
    type Wire;
    /// Stands in for the type in the layout check.
    #[doc(hidden)]
    type Layout: StableAbi;
    /// How the types of an interface's crate in it are defined.
    #[doc(hidden)]
    const DEFINITION: &'static str;
    /// A hash of all that.
    #[doc(hidden)]
    const FINGERPRINT: u64;
    /// The module's side.
    #[doc(hidden)]
    fn into_wire(self) -> Self::Wire;
    /// The caller's side.
    #[doc(hidden)]
    fn from_wire(wire: Self::Wire) -> Self;
}

/// What a method of an interface may return: an [`Answer`], or a `Result` of it and [`Fault`]. The caller gets the answer, and
/// the fault as the error of its call.
#[diagnostic::on_unimplemented(
    message = "a method of an interface cannot answer `{Self}`",
    label = "this may refer to memory or code of the module",
    note = "an answer must stay good when the module that made it has left memory; a type that carries its allocator, a vtable, a closure or an address in it (`String`, `Vec`, `Box`, `RString`, `RVec`, `RBox`, `Box<dyn …>`, `&'static …`, `fn`) does not",
    note = "answer numbers, `bool`, arrays, a type marked with `#[segue::data]`, or `Str<'static>`, `Bytes<'static>`, `List<'static, T>`, whose memory is the host's; or an `Option` or a `Result` of these"
)]
pub trait Returns {
    /// What the caller gets.
    type Answer: Answer;
    /// Tells the answer from the fault.
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Answer, Fault>;
}

// === Returns ===

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

// === Answers ===

// SAFETY: what crosses is the value, settled: by the promise of `Data` all of it is in memory of the host, and described.
unsafe impl<T: Data> Answer for T {
    type Wire = T;
    type Layout = T::Layout;
    const DEFINITION: &'static str = T::DEFINITION;
    const FINGERPRINT: u64 = T::FINGERPRINT;

    #[inline(always)]
    fn into_wire(self) -> T {
        self.settle()
    }

    #[inline(always)]
    fn from_wire(wire: T) -> T {
        wire
    }
}

// SAFETY: what crosses is what does of the answer in it; layout and fingerprint are made of that one's.
unsafe impl<A: Answer> Answer for Option<A> {
    type Wire = ROption<A::Wire>;
    type Layout = ROption<A::Layout>;
    const DEFINITION: &'static str = A::DEFINITION;
    const FINGERPRINT: u64 = mix(hash(START, "Option"), A::FINGERPRINT);

    #[inline]
    fn into_wire(self) -> Self::Wire {
        self.map(A::into_wire).into()
    }

    #[inline]
    fn from_wire(wire: Self::Wire) -> Self {
        wire.into_option().map(A::from_wire)
    }
}

// SAFETY: as above, of both.
unsafe impl<A: Answer, E: Answer> Answer for Result<A, E> {
    type Wire = RResult<A::Wire, E::Wire>;
    type Layout = RResult<A::Layout, E::Layout>;
    // What is wrong is told by name and fingerprint as well.
    const DEFINITION: &'static str = A::DEFINITION;
    const FINGERPRINT: u64 = mix(mix(hash(START, "Result"), A::FINGERPRINT), E::FINGERPRINT);

    #[inline]
    fn into_wire(self) -> Self::Wire {
        self.map(A::into_wire).map_err(E::into_wire).into()
    }

    #[inline]
    fn from_wire(wire: Self::Wire) -> Self {
        wire.into_result().map(A::from_wire).map_err(E::from_wire)
    }
}

// === Arguments ===

/// What crosses as it is, settled.
#[doc(hidden)]
#[macro_export]
macro_rules! __argument_by_value {
    ($type:ty) => {
        $crate::__argument_by_value!(@ [] $type);
    };
    (@ [$($generics:tt)*] $type:ty) => {
        // SAFETY: what crosses is the value, settled: by the promise of `Data` all of it is in memory of the host, and described.
        unsafe impl<$($generics)*> $crate::Argument for $type {
            type Of<'call> = Self;
            type Wire<'call> = Self;
            type Layout = <Self as $crate::Data>::Layout;
            const DEFINITION: &'static str = <Self as $crate::Data>::DEFINITION;
            const FINGERPRINT: u64 = <Self as $crate::Data>::FINGERPRINT;

            #[inline(always)]
            fn into_wire<'call>(self) -> Self
            where
                Self: 'call,
            {
                $crate::Data::settle(self)
            }

            #[inline(always)]
            fn from_wire<'call>(wire: Self::Wire<'call>) -> Self::Of<'call> {
                wire
            }
        }
    };
}

crate::__argument_by_value!(u8);
crate::__argument_by_value!(i8);
crate::__argument_by_value!(u16);
crate::__argument_by_value!(i16);
crate::__argument_by_value!(u32);
crate::__argument_by_value!(i32);
crate::__argument_by_value!(u64);
crate::__argument_by_value!(i64);
crate::__argument_by_value!(usize);
crate::__argument_by_value!(isize);
crate::__argument_by_value!(f32);
crate::__argument_by_value!(f64);
crate::__argument_by_value!(bool);
crate::__argument_by_value!(@ [T: Data, const N: usize] [T; N]);

// SAFETY: it is borrowed for the call, and `T` is described.
unsafe impl<'a, T: Data> Argument for &'a T {
    type Of<'call> = &'call T;
    type Wire<'call> = &'call T;
    type Layout = RefLayout<T::Layout>;
    const DEFINITION: &'static str = T::DEFINITION;
    const FINGERPRINT: u64 = mix(hash(START, "&"), T::FINGERPRINT);

    #[inline(always)]
    fn into_wire<'call>(self) -> &'call T
    where
        'a: 'call,
    {
        self
    }

    #[inline(always)]
    fn from_wire<'call>(wire: Self::Wire<'call>) -> Self::Of<'call> {
        wire
    }
}

// SAFETY: it is borrowed for the call: what it owns, if anything, nobody can take out of it.
unsafe impl<'a> Argument for Str<'a> {
    type Of<'call> = Str<'call>;
    type Wire<'call> = Str<'call>;
    type Layout = TextLayout;
    const DEFINITION: &'static str = "";
    const FINGERPRINT: u64 = <Str<'static> as Data>::FINGERPRINT;

    #[inline(always)]
    fn into_wire<'call>(self) -> Str<'call>
    where
        'a: 'call,
    {
        self
    }

    #[inline(always)]
    fn from_wire<'call>(wire: Self::Wire<'call>) -> Self::Of<'call> {
        wire
    }
}

// SAFETY: as for `Str`, and `T` is described.
unsafe impl<'a, T: Data> Argument for List<'a, T> {
    type Of<'call> = List<'call, T>;
    type Wire<'call> = List<'call, T>;
    type Layout = ListLayout<T::Layout>;
    const DEFINITION: &'static str = T::DEFINITION;
    const FINGERPRINT: u64 = <List<'static, T> as Data>::FINGERPRINT;

    #[inline(always)]
    fn into_wire<'call>(self) -> List<'call, T>
    where
        'a: 'call,
    {
        self
    }

    #[inline(always)]
    fn from_wire<'call>(wire: Self::Wire<'call>) -> Self::Of<'call> {
        wire
    }
}

// SAFETY: what crosses is what does of the argument in it; layout and fingerprint are made of that one's.
unsafe impl<A: Argument> Argument for Option<A> {
    type Of<'call> = Option<A::Of<'call>>;
    type Wire<'call> = ROption<A::Wire<'call>>;
    type Layout = ROption<A::Layout>;
    const DEFINITION: &'static str = A::DEFINITION;
    const FINGERPRINT: u64 = mix(hash(START, "Option"), A::FINGERPRINT);

    #[inline]
    fn into_wire<'call>(self) -> Self::Wire<'call>
    where
        Self: 'call,
    {
        self.map(|some| some.into_wire()).into()
    }

    #[inline]
    fn from_wire<'call>(wire: Self::Wire<'call>) -> Self::Of<'call> {
        wire.into_option().map(A::from_wire)
    }
}
