//! `#[data]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Data, DeriveInput, Error, Fields, Ident, Result, Type, spanned::Spanned};

use crate::types::text;

pub(crate) fn expand(item: DeriveInput) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        let reason = "a `#[segue::data]` type cannot have generics, because each instance has its own \
            layout: write one type for each instance";
        return Err(Error::new(item.generics.span(), reason));
    }
    if let Some(attribute) = item.attrs.iter().find(|attribute| attribute.path().is_ident("repr")) {
        let reason = "`#[segue::data]` sets the representation: remove this attribute";
        return Err(Error::new(attribute.span(), reason));
    }
    let name = &item.ident;
    let (representation, shapes) = match &item.data {
        Data::Struct(data) => (quote!(C), vec![Shape::of(quote!(#name), &data.fields)]),
        Data::Enum(data) if data.variants.is_empty() => {
            return Err(Error::new(name.span(), "an enum without variants has no values: add a variant"));
        }
        Data::Enum(data) => {
            let mut shapes = Vec::new();
            for syn::Variant { ident, fields, .. } in &data.variants {
                shapes.push(Shape::of(quote!(#name::#ident), fields));
            }
            (quote!(u8), shapes)
        }
        Data::Union(_) => {
            let reason = "a union cannot cross between host and modules, because its active field is \
                unknown: use an enum";
            return Err(Error::new(name.span(), reason));
        }
    };
    let all_fields: Vec<&Type> = shapes.iter().flat_map(|shape| shape.types()).collect();
    // One assertion for each field, so that the compiler's error points at the field.
    let asserts = all_fields.iter().map(
        |field| quote_spanned!(field.span()=> const _: fn() = ::segue::__private::assert_data::<#field>;),
    );
    let layouts = shapes.iter().map(Shape::layout);
    let layout = chain(layouts);
    let definition = definition(&item);
    let conversions = shapes.iter().map(Shape::conversion);
    let expanded = quote! {
        #[repr(#representation)]
        #item

        const _: () = {
            use ::segue::__private as __segue;
            #(#asserts)*

            // SAFETY: the layout is a chain of the layouts of all fields, in their order, and each field is
            // converted.
            unsafe impl __segue::Data for #name {
                type Layout = #layout;
                const DEFINITION: &'static str = __segue::join![
                    #definition
                    #(
                        , __segue::separator(<#all_fields as __segue::Data>::DEFINITION),
                        <#all_fields as __segue::Data>::DEFINITION
                    )*
                ];
                const FINGERPRINT: u64 = {
                    let hash = __segue::hash(__segue::HASH_START, #definition);
                    #(let hash = __segue::mix(hash, <#all_fields as __segue::Data>::FINGERPRINT);)*
                    hash
                };
                const OWNS: bool = false #(|| <#all_fields as __segue::Data>::OWNS)*;

                #[inline]
                fn into_host_memory(self) -> Self {
                    match self {
                        #(#conversions)*
                    }
                }
            }

            __segue::argument_by_value!(#name);
        };
    };
    Ok(expanded)
}

/// A struct, or a variant of an enum.
struct Shape<'a> {
    path: TokenStream,
    fields: &'a Fields,
}

impl<'a> Shape<'a> {
    fn of(path: TokenStream, fields: &'a Fields) -> Self {
        Shape { path, fields }
    }

    fn types(&self) -> impl Iterator<Item = &'a Type> + use<'a> {
        self.fields.iter().map(|field| &field.ty)
    }

    fn layout(&self) -> TokenStream {
        chain(self.types().map(|field| quote!(<#field as __segue::Data>::Layout)))
    }

    /// The match arm that converts each field.
    fn conversion(&self) -> TokenStream {
        let path = &self.path;
        let bound: Vec<Ident> = (0..self.fields.len()).map(|at| format_ident!("field_{at}")).collect();
        let names: Vec<_> = self.fields.members().collect();
        quote! {
            #path { #(#names: #bound),* } => #path { #(#names: __segue::Data::into_host_memory(#bound)),* },
        }
    }
}

/// The stand-in type that is a chain of these types.
fn chain(parts: impl Iterator<Item = TokenStream>) -> TokenStream {
    let parts: Vec<_> = parts.collect();
    parts.into_iter().rev().fold(quote!(()), |tail, head| quote!(__segue::Fields<#head, #tail>))
}

/// The source of the item, without attributes and visibilities: they are not part of the layout.
fn definition(item: &DeriveInput) -> String {
    let mut bare = item.clone();
    bare.attrs.clear();
    bare.vis = syn::Visibility::Inherited;
    let strip = |fields: &mut Fields| {
        for field in fields.iter_mut() {
            field.attrs.clear();
            field.vis = syn::Visibility::Inherited;
        }
    };
    match &mut bare.data {
        Data::Struct(data) => strip(&mut data.fields),
        Data::Enum(data) => {
            for variant in &mut data.variants {
                variant.attrs.clear();
                strip(&mut variant.fields);
            }
        }
        Data::Union(_) => {}
    }
    text(&bare).trim_end_matches(';').to_owned()
}
