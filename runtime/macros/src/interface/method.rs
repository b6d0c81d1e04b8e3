//! The code of one method: its field in the table, its function on the module's side, and its method on the
//! caller's side.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, spanned::Spanned};

use crate::{interface::parse::Method, types::with_lifetime};

impl Method<'_> {
    /// The wire type of each argument.
    fn wires(&self) -> impl Iterator<Item = TokenStream> + '_ {
        self.arguments.iter().map(|(_, of)| {
            let of = with_lifetime(of, "'call");
            quote_spanned!(of.span()=> <#of as __segue::Argument>::Wire<'call>)
        })
    }

    /// The wire type of the return value.
    fn raw_answer(&self) -> TokenStream {
        let answer = &self.answer;
        quote_spanned! {answer.span()=>
            __segue::RawAnswer<<<#answer as __segue::Returns>::Answer as __segue::Answer>::Wire>
        }
    }

    /// The method's field in the table.
    pub(super) fn slot(&self) -> TokenStream {
        let (name, wires, raw_answer) = (self.name, self.wires(), self.raw_answer());
        quote!(#name: for<'call> unsafe extern "C" fn(*const __segue::ModuleState, #(#wires),*) -> #raw_answer)
    }

    /// The function in the table, for a module of type `__M`.
    pub(super) fn function(&self, provider: &Ident) -> TokenStream {
        let (name, wires, raw_answer, answer) = (self.name, self.wires(), self.raw_answer(), &self.answer);
        let names: Vec<_> = self.argument_names();
        let converted = self.arguments.iter().zip(&names).map(|((_, of), name)| {
            let of = with_lifetime(of, "'call");
            quote!(<#of as __segue::Argument>::from_wire(#name))
        });
        quote! {
            unsafe extern "C" fn #name<'call, __M: #provider>(
                state: *const __segue::ModuleState,
                #(#names: #wires),*
            ) -> #raw_answer {
                __segue::run_method::<#answer>(|| {
                    // SAFETY: the host passes the state that `on_load` of this module created, until
                    // `unload`.
                    let module: &'call __M = unsafe { &*state.cast::<__M>() };
                    #provider::#name(module, #(#converted),*)
                })
            }
        }
    }

    /// The method of the type for callers.
    pub(super) fn caller(&self) -> TokenStream {
        let (docs, name, answer) = (&self.docs, self.name, &self.answer);
        let (arguments, types): (Vec<_>, Vec<_>) = self.arguments.iter().copied().unzip();
        quote! {
            #(#docs)*
            ///
            /// # Errors
            ///
            /// If the module returns a fault or panics.
            #[inline]
            #[allow(clippy::missing_errors_doc, clippy::too_many_arguments)]
            pub fn #name(
                &self,
                #(#arguments: #types),*
            ) -> ::core::result::Result<<#answer as __segue::Returns>::Answer, __segue::CallError> {
                // SAFETY: the caller of `from_raw` promised that the table matches the description.
                let table = unsafe { self.0.table::<__Table>() };
                // SAFETY: as above, and that it is callable with this state as long as the value is
                // reachable.
                let answer = unsafe {
                    (table.#name)(self.0.state(), #(__segue::Argument::into_wire(#arguments)),*)
                };
                // SAFETY: the method has just returned this, on this thread.
                unsafe { self.0.finish(answer) }
            }
        }
    }

    fn argument_names(&self) -> Vec<Ident> {
        (0..self.arguments.len()).map(|at| format_ident!("argument_{at}")).collect()
    }
}
