//! `#[interface]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, Error, FnArg, Ident, ItemTrait, Pat, Result, ReturnType, TraitItem, TraitItemFn, Type,
    parse_quote, spanned::Spanned,
};

use crate::types::{elided_lifetime, named_lifetime, text, with_lifetime};

/// One method, taken apart.
struct Method<'a> {
    docs: Vec<&'a Attribute>,
    name: &'a Ident,
    arguments: Vec<(&'a Ident, &'a Type)>,
    answer: Type,
}

pub(crate) fn expand(item: ItemTrait) -> Result<TokenStream> {
    let methods = take_apart(&item)?;
    let (visibility, name) = (&item.vis, &item.ident);
    let provider = format_ident!("Provide{name}");
    let mut provided = item.clone();
    provided.ident = provider.clone();
    provided.supertraits = parse_quote!(Send + Sync + 'static);
    provided.colon_token = Some(Default::default());
    let docs = item.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let called = format!(
        "This type is what callers call: one version of a module that provides the interface. A module implements \
         [`{provider}`]."
    );
    let implemented = format!("What a module implements to provide [`{name}`].");

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
        #[doc = #called]
        #visibility struct #name(::segue::__private::Raw);

        #[doc = #implemented]
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

            // SAFETY: the description and the table are made of the same methods, in their order.
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

            struct __Of<__M>(::core::marker::PhantomData<__M>);

            impl<__M: #provider> __Of<__M> {
                const TABLE: &'static __Table = &__Table { #(#names: #names_again::<__M>),* };
            }

            // SAFETY: the functions take a state of this type.
            unsafe impl<__M: #provider> __segue::ProvidedBy<__M> for #name {
                const TABLE: *const __segue::MethodTable =
                    (__Of::<__M>::TABLE as *const __Table).cast::<__segue::MethodTable>();
            }
        };
    })
}

/// The methods, where they are such that an interface can have.
fn take_apart(item: &ItemTrait) -> Result<Vec<Method<'_>>> {
    let refuse = |span, reason: &str| Err(Error::new(span, reason));
    if !item.generics.params.is_empty() || item.generics.where_clause.is_some() {
        return refuse(
            item.generics.span(),
            "an interface has no generics: its table of functions is made once",
        );
    }
    if !item.supertraits.is_empty() {
        return refuse(
            item.supertraits.span(),
            "an interface has no supertraits: export the other interface as well",
        );
    }
    if item.unsafety.is_some() || item.modifiers.auto_token.is_some() {
        return refuse(item.ident.span(), "an interface is a plain trait");
    }
    if item.items.is_empty() {
        return refuse(item.ident.span(), "an interface has a method at least");
    }
    item.items
        .iter()
        .map(|item| match item {
            TraitItem::Fn(method) => take_method_apart(method),
            other => Err(Error::new(other.span(), "an interface has methods, and nothing else")),
        })
        .collect()
}

fn take_method_apart(method: &TraitItemFn) -> Result<Method<'_>> {
    let refuse = |span, reason: &str| Err(Error::new(span, reason));
    let signature = &method.sig;
    if let Some(body) = &method.default {
        return refuse(body.span(), "a method of an interface has no body: modules implement it");
    }
    if let Some(attribute) = method.attrs.iter().find(|attribute| !attribute.path().is_ident("doc")) {
        return refuse(
            attribute.span(),
            "a method of an interface has no attributes: it is the same for all who are compiled with it",
        );
    }
    if signature.constness.is_some()
        || signature.asyncness.is_some()
        || signature.abi.is_some()
        || signature.variadic.is_some()
        || !matches!(signature.safety, syn::Safety::Default)
    {
        return refuse(signature.span(), "a method of an interface is a plain `fn`");
    }
    if !signature.generics.params.is_empty() || signature.generics.where_clause.is_some() {
        return refuse(
            signature.generics.span(),
            "a method of an interface has no generics: write `'_` for what is borrowed",
        );
    }
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if text(receiver) == "&self" => {}
        first => {
            let span = first.map_or(signature.ident.span(), Spanned::span);
            return refuse(span, "a method of an interface takes `&self`: many callers are inside at once");
        }
    }
    let arguments = inputs.map(take_argument_apart).collect::<Result<_>>()?;
    let answer = match &signature.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, answer) => Type::clone(answer),
    };
    if let Some(lifetime) = elided_lifetime(&answer) {
        return refuse(
            lifetime.span(),
            "an answer is not borrowed from the module, which may be gone: it is in memory of the host. Write `'static`",
        );
    }
    let docs = method.attrs.iter().collect();
    Ok(Method { docs, name: &signature.ident, arguments, answer })
}

fn take_argument_apart(argument: &FnArg) -> Result<(&Ident, &Type)> {
    let FnArg::Typed(argument) = argument else {
        return Err(Error::new(argument.span(), "`self` comes first"));
    };
    let Pat::Ident(pattern) = &*argument.pat else {
        return Err(Error::new(argument.pat.span(), "an argument of an interface's method has a name"));
    };
    if let Some(lifetime) = named_lifetime(&argument.ty) {
        return Err(Error::new(lifetime.span(), "what is borrowed is borrowed for the call: write `'_`"));
    }
    Ok((&pattern.ident, &argument.ty))
}

impl Method<'_> {
    /// What crosses, of each argument.
    fn wires(&self) -> impl Iterator<Item = TokenStream> + '_ {
        self.arguments.iter().map(|(_, of)| {
            let of = with_lifetime(of, "'call");
            quote_spanned!(of.span()=> <#of as __segue::Argument>::Wire<'call>)
        })
    }

    fn answered(&self) -> TokenStream {
        let answer = &self.answer;
        quote_spanned! {answer.span()=>
            __segue::Answered<<<#answer as __segue::Returns>::Answer as __segue::Answer>::Wire>
        }
    }

    /// The method's field in the table.
    fn slot(&self) -> TokenStream {
        let (name, wires, answered) = (self.name, self.wires(), self.answered());
        quote!(#name: for<'call> unsafe extern "C" fn(*const __segue::ModuleState, #(#wires),*) -> #answered)
    }

    /// The function in the table, for a module of type `M`.
    fn function(&self, provider: &Ident) -> TokenStream {
        let (name, wires, answered, answer) = (self.name, self.wires(), self.answered(), &self.answer);
        let names: Vec<_> = self.argument_names();
        let crossed = self.arguments.iter().zip(&names).map(|((_, of), name)| {
            let of = with_lifetime(of, "'call");
            quote!(<#of as __segue::Argument>::from_wire(#name))
        });
        quote! {
            unsafe extern "C" fn #name<'call, __M: #provider>(
                state: *const __segue::ModuleState,
                #(#names: #wires),*
            ) -> #answered {
                __segue::answer::<#answer>(|| {
                    // SAFETY: the host hands in the state that `on_load` of this module made, until `unload`.
                    let module: &'call __M = unsafe { &*state.cast::<__M>() };
                    #provider::#name(module, #(#crossed),*)
                })
            }
        }
    }

    /// The method of the type that callers call.
    fn caller(&self) -> TokenStream {
        let (docs, name, answer) = (&self.docs, self.name, &self.answer);
        let (arguments, types): (Vec<_>, Vec<_>) = self.arguments.iter().copied().unzip();
        quote! {
            #(#docs)*
            ///
            /// # Errors
            ///
            /// The module's fault, or its panic.
            #[inline]
            #[allow(clippy::missing_errors_doc, clippy::too_many_arguments)]
            pub fn #name(
                &self,
                #(#arguments: #types),*
            ) -> ::core::result::Result<<#answer as __segue::Returns>::Answer, __segue::CallError> {
                // SAFETY: `from_raw` was promised that the table is the one that this interface describes.
                let table = unsafe { self.0.table::<__Table>() };
                // SAFETY: as above, and that it can be called with this state while the value can be reached.
                let answered = unsafe {
                    (table.#name)(self.0.state(), #(__segue::Argument::into_wire(#arguments)),*)
                };
                // SAFETY: this is what the method answered.
                unsafe { self.0.finish(answered) }
            }
        }
    }

    fn argument_names(&self) -> Vec<Ident> {
        (0..self.arguments.len()).map(|at| format_ident!("argument_{at}")).collect()
    }

    fn description(&self) -> TokenStream {
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

    /// The answer, as what has a description.
    fn as_answer(&self) -> TokenStream {
        let answer = &self.answer;
        quote!(<<#answer as __segue::Returns>::Answer as __segue::Answer>)
    }
}

/// The type of an argument, as what has a description.
fn as_argument(of: &Type) -> TokenStream {
    let still = with_lifetime(of, "'static");
    quote!(<#still as __segue::Argument>)
}

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

/// The description for a file's metadata, as an expression that is a constant text.
fn metadata(name: &Ident, methods: &[Method<'_>]) -> TokenStream {
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

/// A hash of all that is compared, as a constant expression.
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
        let hash = __segue::START;
        #steps
        hash
    })
}

fn type_metadata(source: &Type, of: &TokenStream) -> TokenStream {
    let name = text(source).replace('\\', "\\\\").replace('"', "\\\"");
    quote! {
        "{\"name\":\"", #name, "\",\"definition\":\"", #of::DEFINITION, "\",\"fingerprint\":\"",
        __segue::text(&const { __segue::hex(#of::FINGERPRINT) }), "\"}"
    }
}
