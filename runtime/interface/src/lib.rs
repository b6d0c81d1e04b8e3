//! Typed interfaces of segue modules. The crate of an interface depends on this crate, and hosts and modules
//! share it.
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
//! /// The prices of a shop.
//! #[segue::interface]
//! pub trait Pricing {
//!     /// The price of `quantity` of an article.
//!     fn quote(&self, sku: Str<'_>, quantity: u32) -> Cents;
//!     /// All articles.
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
//! [`macro@interface`] generates:
//! * the trait **`ProvidePricing`**, with these methods. A module implements it for its type, and exports the
//!   interface with `export_module!(Shop, interfaces = [Pricing])`.
//! * the type **`Pricing`**, for callers:
//!   `runtime.interface::<Pricing>("shop")?.enter()?.quote("anvil".into(), 3)?`. Its methods return a
//!   `Result`. A panic of the module, or a [`Fault`], is the error of that one call.
//!
//! # What may cross
//!
//! A method takes plain data, or data that is borrowed for the call ([`Argument`]). It returns plain data, or
//! data in host memory ([`Answer`]). A return value never refers to the module, so the module can be unloaded
//! while the value is in use. Any other type does not compile:
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
//! # Compatibility
//!
//! You may add a method after the last one. Callers that were compiled with the shorter interface can call
//! the longer one. Any other change is incompatible: to the name, the order, an argument or the return type
//! of a method, or to a type that it names. A load is refused if the module does not fit its callers. The
//! error names the interface, the method and both types.
//!
//! # How it works
//!
//! The attribute describes each method: its names and types, a fingerprint of each type and all its parts,
//! and a layout for the check of `abi_stable`. The description is in the metadata of the module's file, where
//! the host compares it before any code of the file runs. It is also next to the exported table of functions,
//! where the host compares it again. After that a method call is one call through the table.
//!
//! * `caller.rs` and `provider.rs` are the two sides of that call.
//! * `argument.rs` and `answer.rs` convert arguments and return values, and `data.rs` their parts.
//! * `interface.rs` has the traits that the attribute implements.

mod answer;
mod argument;
mod caller;
#[cfg(doctest)]
mod compile_fail;
mod data;
mod describe;
mod error;
mod fault;
mod heap;
mod interface;
mod list;
mod provider;
mod text;

pub use answer::{Answer, Returns};
pub use argument::Argument;
pub use data::Data;
pub use error::{CallError, CallFailure, VersionId};
pub use fault::Fault;
pub use interface::{Interface, ProvidedBy};
pub use list::{Bytes, List};
pub use segue_macros::{data, interface};
pub use text::Str;

/// Names for the expansions of the attributes, and for the host and the SDK. Not part of the public
/// interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::__argument_by_value as argument_by_value;
    pub use crate::__join as join;
    pub use crate::answer::{Answer, Returns};
    pub use crate::argument::Argument;
    pub use crate::caller::{Origin, Raw};
    pub use crate::data::{Data, assert_data};
    pub use crate::describe::{HASH_START, hash, hex, joined, joined_len, mix, separator, text};
    pub use crate::error::CallError;
    pub use crate::heap::{attach as attach_heap, heap};
    pub use crate::interface::{Interface, ProvidedBy, export};
    pub use crate::provider::{RawAnswer, attach as attach_failures, panicked, run_method};
    pub use segue_abi::{
        ArgumentRef, InterfaceRef, MethodRef, MethodTable, ModuleState, TypeRef,
        abi_stable::{
            StableAbi,
            std_types::{RSlice, RStr},
        },
        layout::Fields,
    };
}
