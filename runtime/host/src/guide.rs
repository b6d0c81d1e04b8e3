//! Guides for people who write or run modules.

#[doc = include_str!("../guide/crates.md")]
pub mod crates {}
