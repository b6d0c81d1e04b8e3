//! Types that a method cannot return.
//!
//! A closure is code of the module, behind a vtable of the module.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> Box<dyn Fn() -> u32>;
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> u32;
//! }
//! # fn main() {}
//! ```
//!
//! A function is an address in the module's image.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> fn() -> u32;
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> u32;
//! }
//! # fn main() {}
//! ```
//!
//! A pointer does not tell whose memory it points to.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> *const u8;
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> u64;
//! }
//! # fn main() {}
//! ```
//!
//! An `RBox` contains a vtable of the module, which frees it.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> segue_abi::abi_stable::std_types::RBox<u32>;
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> u32;
//! }
//! # fn main() {}
//! ```
//!
//! An `RString` contains a vtable of the module, which frees it.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> segue_abi::abi_stable::std_types::RString;
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> segue::Str<'static>;
//! }
//! # fn main() {}
//! ```
//!
//! An `RVec` contains a vtable of the module, which frees it.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> segue_abi::abi_stable::std_types::RVec<u8>;
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> segue::Bytes<'static>;
//! }
//! # fn main() {}
//! ```
//!
//! A literal is in the module's image.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> &'static str;
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> segue::Str<'static>;
//! }
//! # fn main() {}
//! ```
//!
//! The memory of a `Vec` belongs to the module's allocator.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> Vec<u8>;
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn name(&self) -> segue::Bytes<'static>;
//! }
//! # fn main() {}
//! ```
//!
//! A type without the attribute may contain anything.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! pub struct Cents(pub i64);
//!
//! #[segue::interface]
//! pub trait Pricing {
//!     fn price(&self) -> Cents;
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::data]
//! #[derive(Clone)]
//! pub struct Cents(pub i64);
//!
//! #[segue::interface]
//! pub trait Pricing {
//!     fn price(&self) -> Cents;
//! }
//! # fn main() {}
//! ```
//!
//! Nothing checks the promise of `Answer`, so an implementation by hand is `unsafe`. The attribute keeps the
//! promise.
//!
//! ```compile_fail,E0200
//! # extern crate segue_interface as segue;
//! pub struct Name(String);
//!
//! impl segue::Answer for Name {
//!     type Wire = String;
//!     type Layout = ();
//!     const DEFINITION: &'static str = "";
//!     const FINGERPRINT: u64 = 0;
//!
//!     fn into_wire(self) -> String {
//!         self.0
//!     }
//!
//!     fn from_wire(wire: String) -> Self {
//!         Name(wire)
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::data]
//! #[derive(Clone)]
//! pub struct Name(segue::Str<'static>);
//!
//! fn main() {
//!     fn check<T: segue::Answer>() {}
//!     check::<Name>();
//! }
//! ```
