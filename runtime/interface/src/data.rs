//! What may be part of an argument or an answer.

use segue_abi::{
    abi_stable::StableAbi,
    layout::{ListLayout, TextLayout},
};

use crate::{
    Bytes, List, Str,
    describe::{START, hash, mix},
};

/// Data that host and modules may hand to each other, and that stays good when the module is gone: plain data, and what is in
/// memory of the host.
///
/// Numbers, `bool`, arrays, [`Str<'static>`](Str), [`List<'static, T>`](List), and types of your own that are marked with
/// [`#[segue::data]`](macro@crate::data), which implements this.
///
/// # Safety
///
/// It is for the attribute to implement. `Layout` must differ where the layout of the type differs, and `settle` must reach
/// everything in the value that is not plain.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be handed between host and modules",
    label = "this may refer to memory or code of a module",
    note = "what is handed over must stay good when the module that made it has left memory; a type that carries its allocator, a vtable, a closure or an address in it (`String`, `Vec`, `Box`, `RString`, `RVec`, `RBox`, `Box<dyn …>`, `&'static …`, `fn`) does not",
    note = "use numbers, `bool`, arrays, a type of your own marked with `#[segue::data]`, or `Str<'static>`, `Bytes<'static>`, `List<'static, T>`, whose memory is the host's"
)]
pub unsafe trait Data: Clone + Send + Sync + 'static {
    /// Stands in for the type in the layout check.
    #[doc(hidden)]
    type Layout: StableAbi;
    /// How the type, and each type of an interface's crate that it names, is defined.
    #[doc(hidden)]
    const DEFINITION: &'static str;
    /// A hash of all that.
    #[doc(hidden)]
    const FINGERPRINT: u64;
    /// Whether a value may own or borrow memory.
    #[doc(hidden)]
    const OWNS: bool;
    /// Sees to it that whatever the value refers to is in memory of the host.
    #[doc(hidden)]
    fn settle(self) -> Self;
}

macro_rules! plain {
    ($($type:ty),*) => {
        $(
            // SAFETY: it is its own layout, and refers to nothing.
            unsafe impl Data for $type {
                type Layout = $type;
                const DEFINITION: &'static str = "";
                const FINGERPRINT: u64 = hash(START, stringify!($type));
                const OWNS: bool = false;

                #[inline(always)]
                fn settle(self) -> Self {
                    self
                }
            }
        )*
    };
}

plain!(u8, i8, u16, i16, u32, i32, u64, i64, usize, isize, f32, f64, bool, ());

// SAFETY: the layout is an array of that of the elements, and each of them is settled.
unsafe impl<T: Data, const N: usize> Data for [T; N] {
    type Layout = [T::Layout; N];
    const DEFINITION: &'static str = T::DEFINITION;
    const FINGERPRINT: u64 = mix(mix(hash(START, "array"), N as u64), T::FINGERPRINT);
    const OWNS: bool = T::OWNS;

    fn settle(self) -> Self {
        self.map(T::settle)
    }
}

// SAFETY: the layout is that of a list with the elements' layout, and `settle` moves into memory of the host what is not
// there, elements included.
unsafe impl<T: Data> Data for List<'static, T> {
    type Layout = ListLayout<T::Layout>;
    const DEFINITION: &'static str = T::DEFINITION;
    const FINGERPRINT: u64 = mix(hash(START, "List"), T::FINGERPRINT);
    const OWNS: bool = true;

    fn settle(self) -> Self {
        settle(self)
    }
}

// SAFETY: as for the list that it is.
unsafe impl Data for Str<'static> {
    type Layout = TextLayout;
    const DEFINITION: &'static str = "";
    const FINGERPRINT: u64 = hash(START, "Str");
    const OWNS: bool = true;

    fn settle(self) -> Self {
        self.map(|bytes: Bytes<'static>| settle(bytes))
    }
}

/// Compiles for what crosses. The attribute names it for each field, so that the compiler's complaint is at the field.
pub fn crosses<T: Data>() {}

fn settle<T: Data>(list: List<'_, T>) -> List<'static, T> {
    match list.is_borrowed() {
        _ if list.is_hosts() && !T::OWNS => list.into_static(),
        true => list.iter().cloned().map(T::settle).collect(),
        false => list.into_vec().into_iter().map(T::settle).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_borrowed_is_the_hosts_when_it_has_settled() {
        static LITERALS: [Str<'static>; 1] = [Str::new()];
        let literal = List::from(&LITERALS);
        assert!(literal.is_borrowed());
        let text = Str::from("literal").settle();
        assert_eq!(text, "literal");
        let list = List::from([text.clone(), Str::from("another")]).settle();
        assert_eq!(*list, ["literal", "another"]);
        assert!(!literal.settle().is_borrowed());
    }

    #[test]
    fn fingerprints_tell_types_apart() {
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
