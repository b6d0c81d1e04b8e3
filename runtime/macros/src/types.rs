//! Lifetimes and the source text of a type.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{
    Lifetime, Type, TypeReference,
    visit_mut::{self, VisitMut},
};

/// The type with this name for each lifetime that is elided or `'_`.
pub(crate) fn with_lifetime(of: &Type, name: &str) -> Type {
    struct Name(Lifetime);

    impl VisitMut for Name {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if lifetime.ident == "_" {
                *lifetime = self.0.clone();
            }
        }

        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            if reference.lifetime.is_none() {
                reference.lifetime = Some(self.0.clone());
            }
            visit_mut::visit_type_reference_mut(self, reference);
        }
    }

    let mut named = of.clone();
    Name(Lifetime::new(name, Span::call_site())).visit_type_mut(&mut named);
    named
}

/// The first named lifetime in a type.
pub(crate) fn named_lifetime(of: &Type) -> Option<Lifetime> {
    find(of, |lifetime| lifetime.ident != "_")
}

/// The first lifetime in a type that is `'_`.
pub(crate) fn elided_lifetime(of: &Type) -> Option<Lifetime> {
    find(of, |lifetime| lifetime.ident == "_")
}

fn find(of: &Type, matches: fn(&Lifetime) -> bool) -> Option<Lifetime> {
    struct Find(fn(&Lifetime) -> bool, Option<Lifetime>);

    impl VisitMut for Find {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if self.1.is_none() && (self.0)(lifetime) {
                self.1 = Some(lifetime.clone());
            }
        }
    }

    let mut find = Find(matches, None);
    find.visit_type_mut(&mut of.clone());
    find.1
}

/// The source as one line, without the spaces that a token stream has around punctuation.
pub(crate) fn text(of: &impl ToTokens) -> String {
    let mut text = of.to_token_stream().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for (from, to) in [
        (" < ", "<"),
        ("< ", "<"),
        (" <", "<"),
        (" >", ">"),
        (" ,", ","),
        (" :: ", "::"),
        (":: ", "::"),
        (" :", ":"),
        ("( ", "("),
        (" )", ")"),
        (" (", "("),
        ("[ ", "["),
        (" ]", "]"),
        (" ;", ";"),
        ("& ", "&"),
    ] {
        text = text.replace(from, to);
    }
    text.replace(",)", ")").replace(", }", " }").replace("->(", "-> (")
}
