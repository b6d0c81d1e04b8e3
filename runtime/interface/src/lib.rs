//! Typed interfaces of segue modules: what the crate of an interface depends on, which hosts and modules share.
//!
//! ```toml
//! [dependencies]
//! segue = { package = "segue-interface", path = "…" }
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! use segue::{List, Str};
//!
//! /// Tells prices.
//! #[segue::interface]
//! pub trait Pricing {
//!     /// What so many of an article cost.
//!     fn quote(&self, sku: Str<'_>, quantity: u32) -> Cents;
//!     /// The articles that there are.
//!     fn articles(&self) -> List<'static, Str<'static>>;
//! }
//!
//! /// An amount of money.
//! #[segue::data]
//! #[derive(Clone, Copy, Debug, PartialEq, Eq)]
//! pub struct Cents(pub i64);
//! # fn main() {}
//! ```
//!
//! Of this, [`macro@interface`] makes
//! * the trait **`ProvidePricing`**, with these methods, which a module implements for its type, and names in
//!   `export_module!(Shop, interfaces = [Pricing])`;
//! * the type **`Pricing`**, which a host enters: `runtime.interface::<Pricing>("shop")?.enter()?.quote("anvil".into(), 3)?`.
//!   Its methods answer a `Result`: a panic of the module, or a [`Fault`], is the error of that one call.
//!
//! # What may cross
//!
//! A method takes plain data, or what is borrowed for the call ([`Argument`]); it answers plain data, or what is in memory of
//! the host ([`Answer`]): nothing that it has handed over refers to the module, so the module can leave memory while its
//! answers are in use. Everything else does not compile:
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> String; // its memory belongs to the module
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> segue::Str<'static>; // its memory belongs to the host
//! }
//! # fn main() {}
//! ```
//!
//! # Growing
//!
//! A method may be added behind the last one: whoever was compiled with the shorter interface goes on calling the longer one.
//! Whatever else changes, name, order, argument or answer of a method, or a type that it names, makes the load of a module
//! fail that does not fit those who call it, with the interface, the method and the two types in the error.
//!
//! # How it works
//!
//! The attribute describes each method: its names and types, a fingerprint of each type through all that it is made of, and a
//! layout for the check of `abi_stable`. The description goes into the module's file, to be compared before anything of it
//! runs, and beside the table of functions that it exports, to be compared again. A method is then one call through that table:
//! `src/call.rs` is all that is around it, `src/cross.rs` what becomes of arguments and answers on their way, `src/data.rs`
//! what they can be made of.

mod call;
mod cross;
mod data;
mod describe;
mod error;
mod fault;
mod heap;
mod list;
mod text;

pub use call::{Interface, ProvidedBy};
pub use cross::{Answer, Argument, Returns};
pub use data::Data;
pub use error::{CallError, CallFailure, VersionId};
pub use fault::Fault;
pub use list::{Bytes, List};
pub use segue_macros::{data, interface};
pub use text::Str;

/// What the attributes' expansions, and the two sides of segue, name. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::__argument_by_value as argument_by_value;
    pub use crate::__join as join;
    pub use crate::call::{
        Answered, Interface, Origin, ProvidedBy, Raw, answer, attach as attach_failures, export, panicked,
    };
    pub use crate::cross::{Answer, Argument, Returns};
    pub use crate::data::{Data, crosses};
    pub use crate::describe::{START, hash, hex, joined, joined_len, mix, separator, text};
    pub use crate::error::CallError;
    pub use crate::heap::{attach as attach_heap, heap};
    pub use segue_abi::{
        ArgumentRef, InterfaceRef, MethodRef, MethodTable, ModuleState, TypeRef,
        abi_stable::{
            StableAbi,
            std_types::{RSlice, RStr},
        },
        layout::Fields,
    };
}
