//! The types that may be part of an argument or a return value.

use segue_abi::{
    abi_stable::StableAbi,
    layout::{ListLayout, TextLayout},
};

use crate::{
    Bytes, List, Str,
    describe::{HASH_START, hash, mix},
};

/// Data that may cross between host and modules, and stays valid after the module is unloaded: plain data,
/// and data in host memory.
///
/// These are numbers, `bool`, arrays, [`Str<'static>`](Str), [`List<'static, T>`](List), and your own types
/// that are marked with [`#[segue::data]`](macro@crate::data), which implements this trait.
///
/// # Safety
///
/// Only this crate and the attribute may implement it. `Layout` must differ if the layout of the type
/// differs. `into_host_memory` must convert every part of the value that is not plain.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross between host and modules",
    label = "may refer to memory or code of a module",
    note = "data must stay valid after the module that created it is unloaded; a type that contains an allocator, a vtable, a closure or an address (`String`, `Vec`, `Box`, `RString`, `RVec`, `RBox`, `Box<dyn …>`, `&'static …`, `fn`) does not",
    note = "use numbers, `bool`, arrays, a type marked with `#[segue::data]`, or `Str<'static>`, `Bytes<'static>`, `List<'static, T>`, which are in host memory"
)]
pub unsafe trait Data: Clone + Send + Sync + 'static {
    /// The stand-in for the type in the layout check.
    #[doc(hidden)]
    type Layout: StableAbi;
    /// The definitions of the type, and of the types that it names, if they belong to an interface's crate.
    #[doc(hidden)]
    const DEFINITION: &'static str;
    /// A hash of the type and its definitions.
    #[doc(hidden)]
    const FINGERPRINT: u64;
    /// Whether a value may own or borrow memory.
    #[doc(hidden)]
    const OWNS: bool;
    /// Moves or copies everything that the value refers to into host memory.
    #[doc(hidden)]
    fn into_host_memory(self) -> Self;
}

macro_rules! plain {
    ($($type:ty),*) => {
        $(
            // SAFETY: it is its own layout, and refers to no memory.
            unsafe impl Data for $type {
                type Layout = $type;
                const DEFINITION: &'static str = "";
                const FINGERPRINT: u64 = hash(HASH_START, stringify!($type));
                const OWNS: bool = false;

                #[inline(always)]
                fn into_host_memory(self) -> Self {
                    self
                }
            }
        )*
    };
}

plain!(u8, i8, u16, i16, u32, i32, u64, i64, usize, isize, f32, f64, bool, ());

// SAFETY: the layout is an array of the elements' layout, and each element is converted.
unsafe impl<T: Data, const N: usize> Data for [T; N] {
    type Layout = [T::Layout; N];
    const DEFINITION: &'static str = T::DEFINITION;
    const FINGERPRINT: u64 = mix(mix(hash(HASH_START, "array"), N as u64), T::FINGERPRINT);
    const OWNS: bool = T::OWNS;

    fn into_host_memory(self) -> Self {
        self.map(T::into_host_memory)
    }
}

// SAFETY: the layout is that of a list with the elements' layout. `list_in_host_memory` converts the list and
// its elements.
unsafe impl<T: Data> Data for List<'static, T> {
    type Layout = ListLayout<T::Layout>;
    const DEFINITION: &'static str = T::DEFINITION;
    const FINGERPRINT: u64 = mix(hash(HASH_START, "List"), T::FINGERPRINT);
    const OWNS: bool = true;

    fn into_host_memory(self) -> Self {
        list_in_host_memory(self)
    }
}

// SAFETY: as for the list of its bytes.
unsafe impl Data for Str<'static> {
    type Layout = TextLayout;
    const DEFINITION: &'static str = "";
    const FINGERPRINT: u64 = hash(HASH_START, "Str");
    const OWNS: bool = true;

    fn into_host_memory(self) -> Self {
        self.map(|bytes: Bytes<'static>| list_in_host_memory(bytes))
    }
}

/// Compiles only for [`Data`]. The attribute uses it for each field, so that the compiler's error points at
/// the field.
pub fn assert_data<T: Data>() {}

fn list_in_host_memory<T: Data>(list: List<'_, T>) -> List<'static, T> {
    match list.is_borrowed() {
        _ if list.is_in_host_memory() && !T::OWNS => list.into_static(),
        true => list.iter().cloned().map(T::into_host_memory).collect(),
        false => list.into_vec().into_iter().map(T::into_host_memory).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borrowed_data_is_copied_into_host_memory() {
        static LITERALS: [Str<'static>; 1] = [Str::new()];
        let literal = List::from(&LITERALS);
        assert!(literal.is_borrowed());
        let text = Str::from("literal").into_host_memory();
        assert_eq!(text, "literal");
        let list = List::from([text.clone(), Str::from("another")]).into_host_memory();
        assert_eq!(*list, ["literal", "another"]);
        assert!(!literal.into_host_memory().is_borrowed());
    }

    #[test]
    fn different_types_have_different_fingerprints() {
        let all = [
            u8::FINGERPRINT,
            i8::FINGERPRINT,
            <[u8; 2]>::FINGERPRINT,
            <[u8; 3]>::FINGERPRINT,
            <[[u8; 2]; 3]>::FINGERPRINT,
            Bytes::FINGERPRINT,
            Str::FINGERPRINT,
            <List<'static, Str<'static>>>::FINGERPRINT,
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{at}");
        }
    }
}
