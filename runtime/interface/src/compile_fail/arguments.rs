//! Types that a method cannot take.
//!
//! A module that keeps a closure could call it after its owner is unloaded.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn rename(&self, name: Box<dyn Fn()>);
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn rename(&self, name: u32);
//! }
//! # fn main() {}
//! ```
//!
//! A module could leave its own memory in a place that it may write to.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn rename(&self, name: &mut u32);
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn rename(&self, name: &u32);
//! }
//! # fn main() {}
//! ```
//!
//! A `Vec` belongs to the caller's allocator.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn rename(&self, name: Vec<u8>);
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::interface]
//! pub trait Naming {
//!     fn rename(&self, name: segue::Bytes<'_>);
//! }
//! # fn main() {}
//! ```
//!
//! A module could keep a `'static` argument after its owner is unloaded.
//!
//! ```compile_fail,E0521
//! # extern crate segue_interface as segue;
//! type Name = segue::Str<'static>;
//!
//! #[segue::interface]
//! pub trait Naming {
//!     fn rename(&self, name: Name);
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! type Name<'a> = segue::Str<'a>;
//!
//! #[segue::interface]
//! pub trait Naming {
//!     fn rename(&self, name: Name<'_>);
//! }
//! # fn main() {}
//! ```
//!
//! Nothing checks the promise of `Argument`, so an implementation by hand is `unsafe`. The attribute keeps
//! the promise.
//!
//! ```compile_fail,E0200
//! # extern crate segue_interface as segue;
//! pub struct Name(String);
//!
//! impl segue::Argument for Name {
//!     type Of<'call> = Name;
//!     type Wire<'call> = String;
//!     type Layout = ();
//!     const DEFINITION: &'static str = "";
//!     const FINGERPRINT: u64 = 0;
//!
//!     fn into_wire<'call>(self) -> String {
//!         self.0
//!     }
//!
//!     fn from_wire<'call>(wire: String) -> Self {
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
//!     fn check<T: segue::Argument>() {}
//!     check::<Name>();
//! }
//! ```
