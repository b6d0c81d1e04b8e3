//! The description of an interface: as constants next to its table, and as JSON for the metadata of a file.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, Type};

use crate::{
    interface::parse::Method,
    types::{text, with_lifetime},
};

impl Method<'_> {
    /// The method's `MethodRef`.
    pub(super) fn description(&self) -> TokenStream {
        let name = self.name;
        let arguments = self.arguments.iter().map(|(name, of)| {
            let described = type_ref(of, &as_argument(of));
            quote!(__segue::ArgumentRef { name: __segue::RStr::from_str(stringify!(#name)), of: #described })
        });
        let answer = type_ref(&self.answer, &self.as_answer());
        quote! {
            __segue::MethodRef {
                name: __segue::RStr::from_str(stringify!(#name)),
                arguments: __segue::RSlice::from_slice(&[#(#arguments),*]),
                answer: #answer,
            }
        }
    }

    /// The path to the description of the return type.
    fn as_answer(&self) -> TokenStream {
        let answer = &self.answer;
        quote!(<<#answer as __segue::Returns>::Answer as __segue::Answer>)
    }
}

/// The path to the description of an argument's type.
fn as_argument(of: &Type) -> TokenStream {
    let of = with_lifetime(of, "'static");
    quote!(<#of as __segue::Argument>)
}

/// A type's `TypeRef`.
fn type_ref(source: &Type, of: &TokenStream) -> TokenStream {
    let name = text(source);
    quote! {
        __segue::TypeRef {
            name: __segue::RStr::from_str(#name),
            definition: __segue::RStr::from_str(#of::DEFINITION),
            fingerprint: #of::FINGERPRINT,
            layout: <#of::Layout as __segue::StableAbi>::LAYOUT,
        }
    }
}

/// The description for the metadata of a file: a constant expression of type `&str`.
pub(super) fn metadata(name: &Ident, methods: &[Method<'_>]) -> TokenStream {
    let fingerprint = fingerprint(methods);
    let mut parts = vec![quote!("{\"name\":\"", stringify!(#name), "\",\"fingerprint\":\"")];
    parts.push(quote!(__segue::text(&const { __segue::hex(#fingerprint) })));
    parts.push(quote!("\",\"methods\":["));
    for (at, method) in methods.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let method_name = method.name.to_string();
        parts.push(quote!(#comma, "{\"name\":\"", #method_name, "\",\"arguments\":["));
        for (at, (argument, of)) in method.arguments.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let argument = argument.to_string();
            let of = type_metadata(of, &as_argument(of));
            parts.push(quote!(#comma, "{\"name\":\"", #argument, "\",\"of\":", #of, "}"));
        }
        let answer = type_metadata(&method.answer, &method.as_answer());
        parts.push(quote!("],\"answer\":", #answer, "}"));
    }
    parts.push(quote!("]}"));
    quote!(__segue::join![#(#parts),*])
}

/// A hash of everything that is compared: a constant expression of type `u64`.
fn fingerprint(methods: &[Method<'_>]) -> TokenStream {
    let mut steps = TokenStream::new();
    for method in methods {
        let (name, answer) = (method.name.to_string(), method.as_answer());
        steps.extend(quote!(let hash = __segue::hash(hash, #name);));
        for (_, of) in &method.arguments {
            let of = as_argument(of);
            steps.extend(quote!(let hash = __segue::mix(hash, #of::FINGERPRINT);));
        }
        steps.extend(quote!(let hash = __segue::mix(hash, #answer::FINGERPRINT);));
    }
    quote!({
        let hash = __segue::HASH_START;
        #steps
        hash
    })
}

/// A type in the metadata of a file.
fn type_metadata(source: &Type, of: &TokenStream) -> TokenStream {
    let name = text(source).replace('\\', "\\\\").replace('"', "\\\"");
    quote! {
        "{\"name\":\"", #name, "\",\"definition\":\"", #of::DEFINITION, "\",\"fingerprint\":\"",
        __segue::text(&const { __segue::hex(#of::FINGERPRINT) }), "\"}"
    }
}
