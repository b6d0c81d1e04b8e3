//! What to know when you write modules or run them, apart from the interface.

#[doc = include_str!("../guide/crates.md")]
pub mod crates {}
