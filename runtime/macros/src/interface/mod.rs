//! `#[interface]`.

mod description;
mod method;
mod parse;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{ItemTrait, Result, parse_quote};

use description::metadata;
use parse::{Method, methods_of};

pub(crate) fn expand(item: ItemTrait) -> Result<TokenStream> {
    let methods = methods_of(&item)?;
    let (visibility, name) = (&item.vis, &item.ident);
    let provider = format_ident!("Provide{name}");
    let mut provided = item.clone();
    provided.ident = provider.clone();
    provided.supertraits = parse_quote!(Send + Sync + 'static);
    provided.colon_token = Some(Default::default());
    let docs = item.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let caller_docs = format!(
        "Callers use this type: one version of a module that provides the interface. A module implements \
         [`{provider}`]."
    );
    let provider_docs = format!("A module implements this trait to provide [`{name}`].");

    let slots = methods.iter().map(Method::slot);
    let functions = methods.iter().map(|method| method.function(&provider));
    let callers = methods.iter().map(Method::caller);
    let descriptions = methods.iter().map(Method::description);
    let names = methods.iter().map(|method| method.name);
    let names_again = names.clone();
    let metadata = metadata(name, &methods);
    Ok(quote! {
        #(#docs)*
        #[doc = ""]
        #[doc = #caller_docs]
        #visibility struct #name(::segue::__private::Raw);

        #[doc = #provider_docs]
        #[doc = ""]
        #provided

        #[allow(improper_ctypes_definitions, clippy::elidable_lifetime_names)]
        const _: () = {
            use ::segue::__private as __segue;

            #[repr(C)]
            pub struct __Table {
                #(#slots,)*
            }

            #(#functions)*

            impl #name {
                #(#callers)*
            }

            const __METHODS: &[__segue::MethodRef] = &[#(#descriptions),*];

            // SAFETY: the description and the table have the same methods, in the same order.
            unsafe impl __segue::Interface for #name {
                const INTERFACE: __segue::InterfaceRef = __segue::InterfaceRef {
                    name: __segue::RStr::from_str(stringify!(#name)),
                    methods: __segue::RSlice::from_slice(__METHODS),
                };
                const METADATA: &'static str = #metadata;

                unsafe fn from_raw(raw: __segue::Raw) -> Self {
                    #name(raw)
                }
            }

            struct __TableOf<__M>(::core::marker::PhantomData<__M>);

            impl<__M: #provider> __TableOf<__M> {
                const TABLE: &'static __Table = &__Table { #(#names: #names_again::<__M>),* };
            }

            // SAFETY: the functions take a state of type `__M`.
            unsafe impl<__M: #provider> __segue::ProvidedBy<__M> for #name {
                const TABLE: *const __segue::MethodTable =
                    (__TableOf::<__M>::TABLE as *const __Table).cast::<__segue::MethodTable>();
            }
        };
    })
}
