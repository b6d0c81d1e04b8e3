//! The types that a method may take as arguments.

use segue_abi::{
    abi_stable::{StableAbi, std_types::ROption},
    layout::{ListLayout, RefLayout, TextLayout},
};

use crate::{
    Data, List, Str,
    describe::{HASH_START, hash, mix},
};

/// A type that an interface method may take: [`Data`] by value, `&T` of it, [`Str<'_>`](Str), [`List<'_,
/// T>`](List), and an `Option` of these. A borrow lasts for the call.
///
/// # Safety
///
/// Only this crate and the attribute may implement it. After the call, `Wire` and `Of` must not refer to
/// anything that belongs to the caller's image. `from_wire` must accept what `into_wire` returns in another
/// image. `Layout` and `FINGERPRINT` must differ if `Wire` differs.
#[diagnostic::on_unimplemented(
    message = "an interface method cannot take `{Self}`",
    label = "may refer to memory or code of the caller",
    note = "an argument is plain data, or is borrowed for the call; otherwise the module could keep it and use it after its owner is unloaded",
    note = "use numbers, `bool`, arrays, types marked with `#[segue::data]`, references to these, `Str<'_>`, `Bytes<'_>`, `List<'_, T>`, or an `Option` of one of them"
)]
pub unsafe trait Argument: Sized {
    /// The same type, borrowed for one call.
    #[doc(hidden)]
    type Of<'call>;
    /// The type that crosses the boundary.
    #[doc(hidden)]
    type Wire<'call>;
    /// The stand-in for the type in the layout check.
    #[doc(hidden)]
    type Layout: StableAbi;
    /// The definitions of the types in it that belong to an interface's crate.
    #[doc(hidden)]
    const DEFINITION: &'static str;
    /// A hash of the type and its definitions.
    #[doc(hidden)]
    const FINGERPRINT: u64;
    /// Converts the value on the caller's side.
    #[doc(hidden)]
    fn into_wire<'call>(self) -> Self::Wire<'call>
    where
        Self: 'call;
    /// Converts the value on the module's side.
    #[doc(hidden)]
    fn from_wire<'call>(wire: Self::Wire<'call>) -> Self::Of<'call>;
}

// === impl Argument ===

/// Implements [`Argument`] for a type of [`Data`](crate::Data) that crosses by value.
#[doc(hidden)]
#[macro_export]
macro_rules! __argument_by_value {
    ($type:ty) => {
        $crate::__argument_by_value!(@ [] $type);
    };
    (@ [$($generics:tt)*] $type:ty) => {
        // SAFETY: the value crosses after `into_host_memory`. By the promise of `Data`, all of it is then in
        // host memory, and `Layout` and `FINGERPRINT` describe it.
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
                $crate::Data::into_host_memory(self)
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

// SAFETY: it is borrowed for the call, and the layout and the fingerprint of `T` describe it.
unsafe impl<'a, T: Data> Argument for &'a T {
    type Of<'call> = &'call T;
    type Wire<'call> = &'call T;
    type Layout = RefLayout<T::Layout>;
    const DEFINITION: &'static str = T::DEFINITION;
    const FINGERPRINT: u64 = mix(hash(HASH_START, "&"), T::FINGERPRINT);

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

// SAFETY: it is borrowed for the call. If it owns memory, the module cannot move that out of it.
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

// SAFETY: as for `Str`; the layout and the fingerprint of `T` describe the elements.
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

// SAFETY: the wire, the layout and the fingerprint are made of those of the inner argument.
unsafe impl<A: Argument> Argument for Option<A> {
    type Of<'call> = Option<A::Of<'call>>;
    type Wire<'call> = ROption<A::Wire<'call>>;
    type Layout = ROption<A::Layout>;
    const DEFINITION: &'static str = A::DEFINITION;
    const FINGERPRINT: u64 = mix(hash(HASH_START, "Option"), A::FINGERPRINT);

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
