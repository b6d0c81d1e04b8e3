//! The attributes of `segue-interface`, where they are documented with an example. Their expansions name `::segue`, which is
//! that crate in the crate of an interface, and the host's library in a program that embeds it.
//!
//! `interface` and `data` are one file each; `types` says what of a type's source goes where.

mod data;
mod interface;
mod types;

use proc_macro::TokenStream;

/// Makes a typed interface of a trait: the trait `Provide…` for modules to implement, and a type of the trait's own name for
/// callers to call.
///
/// Each method takes `&self` and arguments that are plain or borrowed for the call, and answers what stays good when the module
/// is gone. It has no body and no generics. The methods' order is part of the interface; a new one goes to the end.
///
/// See `segue-interface`'s own documentation for an example.
#[proc_macro_attribute]
pub fn interface(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(attribute, item, interface::expand)
}

/// Marks a struct or an enum of which values may be handed between host and modules.
///
/// Its fields are what an answer may be: numbers, `bool`, arrays, other types so marked, `Str<'static>`, `Bytes<'static>`,
/// `List<'static, T>`. It derives `Clone`, has no generics, and gets its representation (`repr(C)`, `repr(u8)` for an enum) from
/// here.
///
/// See `segue-interface`'s own documentation for an example.
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
