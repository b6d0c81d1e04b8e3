//! The attributes of `segue-interface`. Its documentation has an example.
//!
//! The expansions use paths that start with `::segue`. In the crate of an interface, `segue` is
//! `segue-interface`. In a program that embeds the runtime, it is the host library.

mod data;
mod interface;
mod types;

use proc_macro::TokenStream;

/// Makes a trait a typed interface: it generates the trait `Provide…`, which modules implement, and a type
/// with the name of the original trait, for callers.
///
/// Each method takes `&self`, and arguments that are plain data or borrowed for the call. It returns data
/// that stays valid after the module is unloaded. It has no body and no generics. The order of the methods is
/// part of the interface, so add a new method after the last one.
///
/// The documentation of `segue-interface` has an example.
#[proc_macro_attribute]
pub fn interface(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(attribute, item, interface::expand)
}

/// Marks a struct or an enum whose values may cross between host and modules.
///
/// Its fields may be numbers, `bool`, arrays, other marked types, `Str<'static>`, `Bytes<'static>` and
/// `List<'static, T>`. The type must be `Clone` and cannot have generics. The attribute sets its
/// representation: `repr(C)`, or `repr(u8)` for an enum.
///
/// The documentation of `segue-interface` has an example.
#[proc_macro_attribute]
pub fn data(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(attribute, item, data::expand)
}

fn expand<Item: syn::parse::Parse>(
    attribute: TokenStream,
    item: TokenStream,
    expand: fn(Item) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    let nothing = syn::parse::<syn::parse::Nothing>(attribute);
    let expanded = nothing.and_then(|_| syn::parse(item)).and_then(expand);
    expanded.unwrap_or_else(|error| error.to_compile_error()).into()
}
