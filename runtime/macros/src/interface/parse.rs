//! Parses an interface, and refuses traits that cannot be one.

use syn::{
    Attribute, Error, FnArg, Ident, ItemTrait, Pat, Result, ReturnType, TraitItem, TraitItemFn, Type,
    parse_quote, spanned::Spanned,
};

use crate::types::{elided_lifetime, named_lifetime, text};

/// A method of an interface.
pub(super) struct Method<'a> {
    pub(super) docs: Vec<&'a Attribute>,
    pub(super) name: &'a Ident,
    pub(super) arguments: Vec<(&'a Ident, &'a Type)>,
    pub(super) answer: Type,
}

/// The methods of an interface, or why the trait cannot be one.
pub(super) fn methods_of(item: &ItemTrait) -> Result<Vec<Method<'_>>> {
    let refuse = |span, reason: &str| Err(Error::new(span, reason));
    if !item.generics.params.is_empty() || item.generics.where_clause.is_some() {
        return refuse(
            item.generics.span(),
            "an interface cannot have generics, because it has a single table of functions: write one \
             interface for each type",
        );
    }
    if !item.supertraits.is_empty() {
        return refuse(
            item.supertraits.span(),
            "an interface cannot have supertraits: export the other interface separately",
        );
    }
    if item.unsafety.is_some() || item.modifiers.auto_token.is_some() {
        return refuse(item.ident.span(), "an interface must be a plain trait: remove `unsafe` and `auto`");
    }
    if item.items.is_empty() {
        return refuse(item.ident.span(), "an interface needs at least one method");
    }
    item.items
        .iter()
        .map(|item| match item {
            TraitItem::Fn(method) => method_of(method),
            other => {
                Err(Error::new(other.span(), "an interface can contain only methods: move this out of it"))
            }
        })
        .collect()
}

fn method_of(method: &TraitItemFn) -> Result<Method<'_>> {
    let refuse = |span, reason: &str| Err(Error::new(span, reason));
    let signature = &method.sig;
    if let Some(body) = &method.default {
        return refuse(
            body.span(),
            "an interface method cannot have a body, because modules implement it: end it with `;`",
        );
    }
    if let Some(attribute) = method.attrs.iter().find(|attribute| !attribute.path().is_ident("doc")) {
        return refuse(
            attribute.span(),
            "an interface method cannot have attributes, because it must be the same in all crates: remove \
             them, except doc comments",
        );
    }
    if signature.constness.is_some()
        || signature.asyncness.is_some()
        || signature.abi.is_some()
        || signature.variadic.is_some()
        || !matches!(signature.safety, syn::Safety::Default)
    {
        return refuse(
            signature.span(),
            "an interface method must be a plain `fn`: remove `const`, `async`, `unsafe`, `extern` and `...`",
        );
    }
    if !signature.generics.params.is_empty() || signature.generics.where_clause.is_some() {
        return refuse(
            signature.generics.span(),
            "an interface method cannot have generics: write `'_` for a borrow, and a concrete type for \
             anything else",
        );
    }
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if text(receiver) == "&self" => {}
        first => {
            let span = first.map_or(signature.ident.span(), Spanned::span);
            return refuse(
                span,
                "an interface method must take `&self`, because many callers run it at the same time",
            );
        }
    }
    let arguments = inputs.map(argument_of).collect::<Result<_>>()?;
    let answer = match &signature.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, answer) => Type::clone(answer),
    };
    if let Some(lifetime) = elided_lifetime(&answer) {
        return refuse(
            lifetime.span(),
            "a return value cannot borrow from the module, which may be unloaded: write `'static`, and it \
             is in host memory",
        );
    }
    let docs = method.attrs.iter().collect();
    Ok(Method { docs, name: &signature.ident, arguments, answer })
}

fn argument_of(argument: &FnArg) -> Result<(&Ident, &Type)> {
    let FnArg::Typed(argument) = argument else {
        return Err(Error::new(argument.span(), "`self` must be the first argument"));
    };
    let Pat::Ident(pattern) = &*argument.pat else {
        return Err(Error::new(
            argument.pat.span(),
            "an argument of an interface method must be a plain name: destructure it in the implementation",
        ));
    };
    if let Some(lifetime) = named_lifetime(&argument.ty) {
        return Err(Error::new(lifetime.span(), "an argument can borrow only for the call: write `'_`"));
    }
    Ok((&pattern.ident, &argument.ty))
}
