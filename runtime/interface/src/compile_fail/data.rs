//! Types that cannot be marked as data.
//!
//! A module that keeps borrowed data must be able to copy it.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::data]
//! pub struct Cents(pub i64);
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::data]
//! #[derive(Clone)]
//! pub struct Cents(pub i64);
//! # fn main() {}
//! ```
//!
//! A `Drop` would be code of one side that the other side must run.
//!
//! ```compile_fail,E0509
//! # extern crate segue_interface as segue;
//! #[segue::data]
//! #[derive(Clone)]
//! pub struct Receipt {
//!     pub text: segue::Str<'static>,
//! }
//!
//! impl Drop for Receipt {
//!     fn drop(&mut self) {}
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::data]
//! #[derive(Clone)]
//! pub struct Receipt {
//!     pub text: segue::Str<'static>,
//! }
//! # fn main() {}
//! ```
//!
//! A reference is an address in the image that created it.
//!
//! ```compile_fail,E0277
//! # extern crate segue_interface as segue;
//! #[segue::data]
//! #[derive(Clone)]
//! pub enum Name {
//!     Known(&'static str),
//! }
//! # fn main() {}
//! ```
//!
//! ```
//! # extern crate segue_interface as segue;
//! #[segue::data]
//! #[derive(Clone)]
//! pub enum Name {
//!     Known(segue::Str<'static>),
//! }
//! # fn main() {}
//! ```
